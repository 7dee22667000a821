"""Rules that the description has in words only, which Schemathesis cannot read; tests/api/bad_input.rs tests them."""

import itertools

import schemathesis

calls = itertools.count()
CREDENTIALS = ("Authorization", "X-Ocean-Key", "_key", "_ticket")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Asks for JSON every other time, and gives a POST its amount, a PUT its value and a drop its life once, in plain digits: to JSON Schema, 3.0 is a whole number."""
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
    if case.path == "/fields/badge.svg" and case.query and "key" in case.query:
        case.query.pop("last", None)  # A badge shows one entity or the last ones.
    if case.path == "/counters/{id}/" and next(calls) % 2:
        case.headers["Accept"] = "application/json"
    private = case.path in ("/counters/", "/drop", "/exec", "/sql", "/feed/{route}") or case.path.startswith(("/entity/", "/fields/"))
    if private or case.method in ("PUT", "DELETE"):
        keep_one_credential(case, kwargs)
    if case.path == "/drop" and isinstance(case.body, dict):
        payload = case.body.get("payload")
        if payload is not None and not isinstance(payload, dict):
            case.body.pop("key", None)  # The payload of an entity is an object.
        elif payload is None:
            case.body.setdefault("key", "k")  # A payload of null deletes an entity.
        if payload is None or "key" not in case.body:
            case.body.pop("keep", None)  # An entity that is deleted has no life, and no event has one.
        to_plain_digits(case.body, "keep")
    if case.path == "/sql" and case.query and isinstance(case.query.get("q"), str):
        case.query["q"] = case.query["q"][:4000]  # An address has at most 64 KiB, and a character may take twelve bytes of it.
    name = {"POST": "by", "PUT": "value"}.get(case.method)
    if not name or not case.body:
        return
    if case.query:
        case.query.pop(name, None)
    if isinstance(case.body, dict):
        to_plain_digits(case.body, name)


def to_plain_digits(body, name):
    """Writes 3.0 as 3."""
    if isinstance(body.get(name), float) and body[name].is_integer():
        body[name] = int(body[name])


def keep_one_credential(case, kwargs):
    """Leaves one of the keys and tickets in a request, since several are 400: the first, which is the service's key if it is there."""
    found = False
    for part in (kwargs.get("headers"), case.headers, case.query):
        for name in CREDENTIALS:
            if part and name in part:
                if found:
                    part.pop(name)
                found = True
