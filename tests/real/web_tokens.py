"""For schemathesis: each request with the next of the tokens in PUSHCRON_TOKENS, since each of them has rates of its own."""

import itertools
import os

import schemathesis

TOKENS = itertools.cycle([token for token in os.environ.get("PUSHCRON_TOKENS", "").split(",") if token] or [None])


@schemathesis.hook
def before_call(context, case, kwargs):
    token = next(TOKENS)
    if token:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}
