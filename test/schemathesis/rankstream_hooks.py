"""What schemathesis must know of the service that a JSON Schema can't say."""

import json

import schemathesis
from schemathesis import GenerationMode

RANGES = [
    {},
    {"timeRange": "last_3_hours"},
    {"timeRange": "this_week"},
    {"timeRange": "all"},
    {"timeRange": "P2D"},
    {"timeRange": "2026-11-01T00:00:00Z/2026-11-08T00:00:00+01:00"},
    {"from": "0", "to": "2030-01-01T00:00:00Z"},
    {"from": "2026-11-24T10:30:00.5+0530", "to": "1900000000000"},
]
PAIRS = [one for one in RANGES if "timeRange" not in one]
ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu"]
MOMENTS = ["2026-11-24T10:30:00Z", "2026-11-24 10:30:00.123456789+01:00", 1764000000000]
URLS = ["https://example.org/a", "HTTP://example.org", None]


def pick(values, case):
    """One of them, by what was generated, so that a seed repeats a run."""
    text = json.dumps([case.path_parameters, case.query, case.body], default=repr, sort_keys=True)
    return values[sum(text.encode()) % len(values)]


BYTES_MAX = {"eventType": 128, "name": 128, "eventId": 512, "userId": 512, "sessionId": 512}
BYTES_MAX |= {"eventIds": 512, "include": 512, "exclude": 512, "prefix": 512}


def fit(value, bytes_max):
    """A text of so many bytes at most: JSON Schema counts characters."""
    if isinstance(value, list):
        return [fit(one, bytes_max) for one in value]
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace")[:bytes_max].decode("utf-8", "ignore")


def mend_names(values):
    for name, bytes_max in BYTES_MAX.items():
        if name in values:
            values[name] = fit(values[name], bytes_max)


def mend_query(case, query):
    # One of timeRange and the pair of from and to; from before to; dates that exist; zones by name.
    if any(name in query for name in ("timeRange", "from", "to")):
        for name in ("timeRange", "from", "to"):
            query.pop(name, None)
        # The one call that knows no timeRange takes both ends.
        is_pair = case.path.endswith("/resync")
        query.update(pick(PAIRS if is_pair else RANGES, case))
        # A minute each of all time would be more points than one answer has.
        query.pop("step", None)
    # Without a range only DELETE of all times takes no zone.
    if "timeZone" in query:
        has_range = "timeRange" in query
        if has_range:
            query["timeZone"] = pick(ZONES, case)
        else:
            query.pop("timeZone")
    # Of a hundred steps at most, and which step that is depends on the range.
    query.pop("ranks", None)
    # Of a batch, only beside its histories.
    if case.path.endswith("/batch") and query.get("history") not in ("true", "only"):
        query.pop("step", None)
    # Which regions there are a schema doesn't know: here there is but one.
    query.pop("region", None)
    # Only a reply has one.
    query.pop("cursor", None)
    if case.path.endswith("/events") and case.method == "DELETE":
        if not any(name in query for name in ("timeRange", "from")):
            query["timeRange"] = "last_3_hours"


def mend_body(case, body):
    # Regions ask each other by minutes, in numbers.
    if case.path.startswith("/regions/"):
        return
    # Events that lie in the future are refused, and so are dates that don't exist.
    for event in body if isinstance(body, list) else [body]:
        if not isinstance(event, dict):
            continue
        mend_names(event)
        for name in ("timestamp", "from", "to"):
            if name in event:
                event[name] = pick(MOMENTS, case)
        # What is and what isn't a URL no pattern tells.
        for name in ("url", "imageUrl"):
            if name in event:
                event[name] = pick(URLS, case)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    for values in (case.path_parameters, case.query, case.body):
        if isinstance(values, dict):
            mend_names(values)
    if isinstance(case.query, dict):
        mend_query(case, case.query)
    if isinstance(case.body, (dict, list)):
        mend_body(case, case.body)


@schemathesis.serializer("application/x-ndjson", "application/jsonl")
def lines(context, value):
    """Whatever was generated, as text: a schema can't say what its lines are."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
