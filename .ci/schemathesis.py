"""Rules that the description has in words only, which Schemathesis cannot read; tests/api/bad_input.rs tests them."""

import itertools

import schemathesis

calls = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Asks for JSON every other time, and gives a POST its amount once, in plain digits: to JSON Schema, 3.0 is a whole number."""
    if case.method == "GET" and case.path_parameters:
        ids = case.path_parameters.get("id")
        listed = ids.replace("%2C", ",").split(",") if isinstance(ids, str) else []
        if len(listed) > 1 and len(set(listed)) == 1:
            case.path_parameters["id"] = f"{listed[0]},other"  # A list names different counters.
    if case.path == "/counters/{id}/" and next(calls) % 2:
        case.headers["Accept"] = "application/json"
    if case.method != "POST" or not case.body:
        return
    if case.query:
        case.query.pop("by", None)
    if isinstance(case.body, dict) and isinstance(case.body.get("by"), float) and case.body["by"].is_integer():
        case.body["by"] = int(case.body["by"])
