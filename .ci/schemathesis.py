"""Rules that the description has in words only, which Schemathesis cannot read; tests/api/bad_input.rs tests them."""

import itertools

import schemathesis

calls = itertools.count()
CREDENTIALS = ("Authorization", "X-Ocean-Key", "_key", "_ticket")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Asks for JSON every other time, and gives a POST its amount and a PUT its value once, in plain digits: to JSON Schema, 3.0 is a whole number."""
    if case.method == "GET" and case.path_parameters:
        ids = case.path_parameters.get("id")
        listed = ids.replace("%2C", ",").split(",") if isinstance(ids, str) else []
        if len(listed) > 1 and len(set(listed)) == 1:
            case.path_parameters["id"] = f"{listed[0]},other"  # A list names different counters.
    last = str(case.query.get("last", "")) if case.method == "GET" and case.query else ""
    if last.isascii() and last.isdigit() and 1 < int(last) <= 124:
        case.query["last"] = 1  # How many hours and days are kept is a setting, and hours make fewer days of a time zone.
    limit = str(case.query.get("limit", "")) if case.path == "/nocount/top" and case.query else ""
    if limit.isascii() and limit.isdigit() and 10 < int(limit) <= 1000:
        case.query["limit"] = 10  # How many pages and sites are listed is a setting.
    if case.query and isinstance(case.query.get("tz"), str):
        case.query["tz"] = "Europe/Berlin"  # Few texts name a time zone.
    if case.query and case.query.get("sort") == "-value":
        case.query.pop("after", None)  # A ranking has no further pages.
    if case.path == "/counters/{id}/" and next(calls) % 2:
        case.headers["Accept"] = "application/json"
    if case.path == "/counters/" or case.method in ("PUT", "DELETE"):
        keep_one_credential(case, kwargs)
    name = {"POST": "by", "PUT": "value"}.get(case.method)
    if not name or not case.body:
        return
    if case.query:
        case.query.pop(name, None)
    if isinstance(case.body, dict) and isinstance(case.body.get(name), float) and case.body[name].is_integer():
        case.body[name] = int(case.body[name])


def keep_one_credential(case, kwargs):
    """Leaves one of the keys and tickets in a request, since several are 400: the first, which is the service's key if it is there."""
    found = False
    for part in (kwargs.get("headers"), case.headers, case.query):
        for name in CREDENTIALS:
            if part and name in part:
                if found:
                    part.pop(name)
                found = True
