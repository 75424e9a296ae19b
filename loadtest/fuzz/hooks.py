"""What Schemathesis cannot know of this API: keys that are used once, a body of lines, refusals that no schema foretells."""

import atexit
import collections
import itertools
import json
import os
import threading

import schemathesis

LINES = "application/x-ndjson"
KEY = "Idempotency-Key"
KEY_CHARS_MAX = 255
# Every so often a key comes twice in a row: with the same request that is a replay, with another one a refusal.
KEY_REUSED_EVERY = 16

# The document says what shape a cursor or a time has. Whether this cursor is one of this wallet's, this time is still to
# come and not too far ahead, this key has been used for something else, the lines of this purchase come to more than the
# purchase (`custom`: a rule between members), or the whole is too large, no schema can say.
REFUSED_BEYOND_THE_SCHEMA = {"invalid_cursor", "idempotency_key_reused", "payload_too_large", "past", "late", "custom"}

# What the operator creates is another tenant's to the run's key, and 404.
OF_THE_OWN_MERCHANT = {"merchants.set_allowed_origins"}

numbers = itertools.count()
answers = collections.Counter()
counting = threading.Lock()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Each request from an address of its own, as the world's are: the limit of one address stays what it is."""
    number = next(numbers)
    headers = case.headers if case.headers is not None else {}
    headers["CF-Connecting-IP"] = f"198.{18 + (number >> 16 & 1)}.{number >> 8 & 255}.{number & 255}"
    key = headers.get(KEY)
    # A well-formed key gets a number in front: shrinking makes them all alike, and would only meet used ones.
    if isinstance(key, str) and key != "" and all("!" <= char <= "~" for char in key):
        headers[KEY] = f"{number - (number % KEY_REUSED_EVERY == 1)}.{key}"[: max(KEY_CHARS_MAX, len(key))]
    case.headers = headers


@schemathesis.hook
def after_call(context, case, response):
    with counting:
        answers[f"{case.operation.definition.raw['operationId']} {response.status_code}"] += 1


@atexit.register
def write_answers():
    with open(os.environ["LOCAL_PLUS_FUZZ_ANSWERS"], "w", encoding="utf-8") as file:
        json.dump(answers, file)


@schemathesis.serializer(LINES)
def one_line(context, value):
    """The document's schema is of one line, and so is the body; what is no JSON goes as it is."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@schemathesis.deserializer(LINES)
def one_outcome(context, response):
    """The document's schema is of one line: of a file the first is held against it; each has to be JSON."""
    [first, *_] = [json.loads(line) for line in response.content.splitlines()]
    return first


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """False drops what is none."""
    kind = type(failure).__name__
    if kind == "EnsureResourceAvailability" and case.operation.definition.raw["operationId"] in OF_THE_OWN_MERCHANT:
        return False
    if kind == "EnsureResourceAvailability" and case.method == "POST":
        # What a body speaks of may not be there, though what its path speaks of is: both are 404.
        return False
    if kind == "AcceptedNegativeData" and response.headers.get("content-type", [""])[0].startswith(LINES):
        # Each line has its own outcome: the answer as a whole is 200, and the wrong line is refused in it.
        return json.loads(response.content)["status"] < 400
    if kind != "RejectedPositiveData" or response.status_code not in (400, 413, 422):
        return True
    problem = response.json()
    reasons = {error["code"] for error in problem.get("errors", [])} or {problem["code"]}
    return not reasons <= REFUSED_BEYOND_THE_SCHEMA
