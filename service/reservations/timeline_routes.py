"""`GET /v1/reservations/{reference}/timeline`: what happened to one reservation, for whoever has to explain it."""

from typing import Any, Final

import msgspec

from service.http.cursor import decode_cursor, encode_cursor
from service.http.endpoint import Call, endpoint
from service.http.message import Answer
from service.http.parameters import PageQuery
from service.refusals import NotFound
from service.reservations import examples
from service.reservations.queries import find_reservation
from service.reservations.timeline import Timeline, select_timeline
from service.reservations.views import encode, reservation_view

EXAMPLE: Final[dict[str, Any]] = {
    "reservation": examples.RESERVATION,
    "entries": [
        {
            "version": 1,
            "at": "2027-06-01T10:00:00.000Z",
            "action": "create",
            "from": None,
            "to": "held",
            "actor": "box-office",
            "reason": None,
            "message": {
                "id": "01978a5e-2c1b-7d3a-9f00-5b1d2c3e4f50-0",
                "type": "reservation.held",
                "sequenced": True,
            },
            "keys": [
                {
                    "key_id": "9f86d081884c7d65",
                    "status": 201,
                    "first_seen_at": "2027-06-01T10:00:00.000Z",
                    "expires_at": "2027-06-04T10:00:00.000Z",
                }
            ],
        }
    ],
    "next_cursor": None,
}


@endpoint(
    "GET",
    "/v1/reservations/{reference}/timeline",
    scope="ops",
    query=PageQuery,
    answers={200: Timeline},
    refusals=(NotFound,),
    answer_example=EXAMPLE,
)
async def get_timeline(call: Call) -> Answer:
    """Show what happened to one reservation, oldest first, with messages and idempotency keys.

    `keys` are the records whose stored answer is this change. They are few: a request without a key has none, one that
    changed nothing (a refusal, a thing already done) answers for itself, and records are purged some time after
    `expires_at`. A page may have fewer entries than `limit` before the end.
    """
    query: PageQuery = call.query
    account_id, reference = call.caller.account_id, call.path["reference"]
    scope = msgspec.msgpack.encode((account_id, "timeline", reference))
    after = 0 if query.cursor is None else decode_cursor(scope, query.cursor)[0]
    async with call.services.store.snapshot() as reader:  # the reservation and its changes of one moment
        now = await reader.now_ms()
        reservation = await find_reservation(reader, account_id, reference)
        entries, more = await select_timeline(reader, account_id, reservation.id, after, query.limit)
    cursor = encode_cursor(scope, (entries[-1].version,)) if more else None
    return Answer(200, encode(Timeline(reservation_view(reservation, now), entries, cursor)))


ENDPOINTS: Final = (get_timeline,)
