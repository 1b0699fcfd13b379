"""`GET /v1/hot-rows`: which of the account's rows several processes fight for now."""

from typing import Any, Final

import msgspec

from service.clock import to_rfc3339
from service.http.endpoint import Call, endpoint
from service.http.message import Answer
from service.reservations.hot_rows import HotRowView, select_hot_rows
from service.reservations.views import encode


class HotRowsView(msgspec.Struct, frozen=True):
    """Hot rows of all processes, the hottest first."""

    hot_rows: list[HotRowView]
    as_of: str


EXAMPLE: Final[dict[str, Any]] = {
    "hot_rows": [
        {
            "process": "api-1:4711",
            "kind": "stock",
            "event": None,
            "seat": None,
            "category": None,
            "sku": "NW-001",
            "location": "default",
            "reference": None,
            "conflicts": 17.4,
            "conflicts_lately": 9,
            "locks": 210,
            "lock_timeouts": 1,
            "lock_wait_ms": 2640,
            "seen_at": "2027-06-01T10:00:00.000Z",
        }
    ],
    "as_of": "2027-06-01T10:00:01.000Z",
}


@endpoint("GET", "/v1/hot-rows", scope="ops", answers={200: HotRowsView}, answer_example=EXAMPLE)
async def list_hot_rows(call: Call) -> Answer:
    """List the account's rows that processes fight for now, the hottest first.

    Each process tells of its own every two seconds, as long as there is something to tell: rows that are hot and rows
    that have just cooled. One that has told nothing for ten seconds is left out.
    """
    async with call.services.store.read() as reader:
        now = await reader.now_ms()
        found = await select_hot_rows(reader, call.caller.account_id, now)
    return Answer(200, encode(HotRowsView(found, to_rfc3339(now))))


ENDPOINTS: Final = (list_hot_rows,)
