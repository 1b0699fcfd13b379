"""`GET /v1/me`. Accounts and keys themselves are made on the command line (`use_cases.py`)."""

from typing import Final

import msgspec

from service.accounts.keys import SCOPES
from service.accounts.wire import MeView
from service.http.endpoint import Call, endpoint
from service.http.message import Answer

_EXAMPLE: Final = {"account": "opera", "key_name": "box-office", "scopes": ["inventory:read", "reservations:write"]}


@endpoint("GET", "/v1/me", scope=None, answers={200: MeView}, answer_example=_EXAMPLE)
async def read_me(call: Call) -> Answer:
    """Who is calling.

    The account, the name of the API key and its scopes. Any key that is in force may ask.
    """
    caller = call.caller
    scopes = [scope for scope in SCOPES if scope in caller.scopes]
    return Answer(200, msgspec.json.encode(MeView(caller.account_name, caller.principal, scopes)))


ENDPOINTS: Final = (read_me,)
