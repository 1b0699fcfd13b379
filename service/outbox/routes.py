"""Messages over HTTP, for readers that catch up: at least once, without gaps for whoever goes on from `next_after`."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from service.clock import to_rfc3339
from service.http.cursor import decode_cursor, encode_cursor
from service.http.endpoint import Call, endpoint
from service.http.message import Answer
from service.ids import id_text, show_reference
from service.inventory.wire import MendedCategoryView, MendedSeatView, StockView
from service.outbox.queries import Place, select_messages
from service.outbox.sequencer import sequence
from service.refusals import InvalidRequest, Overloaded
from service.reservations import examples
from service.reservations.views import ReservationView

AFTER_PATH: Final = "?after"
RESERVATION: Final = "reservation"


class MessagesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to go on from."""

    after: Annotated[str | None, Meta(description="`next_after` of the answer before; without it, from the first")] = (
        None
    )
    limit: Annotated[int, Meta(ge=1, le=500, description="Messages at most")] = 100


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """One change of state, with what it tells of as it was then, under the first word of its type.

    `reservation` of a change of a reservation, `stock` of `stock.adjusted` and `stock.mended`, `seat` of `seat.mended`,
    `category` of `category.mended`. A mend is an operator's, of a counter that was not the sum of its lines.
    """

    id: str
    type: str
    at: str
    reference: str | None
    version: int
    reservation: ReservationView | UnsetType = UNSET
    stock: StockView | UnsetType = UNSET
    seat: MendedSeatView | UnsetType = UNSET
    category: MendedCategoryView | UnsetType = UNSET


class MessagePage(msgspec.Struct, frozen=True):
    """Messages, oldest first; `next_after` is always there and is where the next call goes on."""

    messages: list[MessageView]
    next_after: str


EXAMPLE: Final[dict[str, Any]] = {
    "messages": [
        {
            "id": "01978a5e-2c1b-7d3a-9f00-5b1d2c3e4f50-0",
            "type": "reservation.held",
            "at": "2027-06-01T10:00:00.000Z",
            "reference": "K7QX2-9PMD8",
            "version": 1,
            "reservation": examples.RESERVATION,
        }
    ],
    "next_after": "AbCdEf",
}

encode = msgspec.json.Encoder().encode


@endpoint(
    "GET",
    "/v1/messages",
    scope="reservations:read",
    query=MessagesQuery,
    answers={200: MessagePage},
    refusals=(Overloaded,),
    answer_example=EXAMPLE,
)
async def list_messages(call: Call) -> Answer:
    """Read messages, oldest first.

    One for each change of state, at least once, under a stable `id`. A reader that always goes on from `next_after`
    misses none, also those whose transactions committed late.
    """
    query: MessagesQuery = call.query
    scope = msgspec.msgpack.encode((call.caller.account_id, "messages"))
    after = _place(scope, query.after)
    await sequence(call.services.store)
    async with call.services.store.read() as reader:
        rows = await select_messages(reader, call.caller.account_id, after, query.limit)
    last = rows[-1].place if rows else after
    messages = [
        MessageView(
            id=f"{id_text(row.batch_id)}-{row.place.ordinal}",
            type=row.type,
            at=to_rfc3339(row.at),
            reference=show_reference(row.reference) if row.subject == RESERVATION and row.reference else row.reference,
            version=row.version,
            # Stored as the JSON that it is shown as; only clients take it apart.
            **{row.subject: Raw(row.body)},  # type: ignore[arg-type]
        )
        for row in rows
    ]
    return Answer(200, encode(MessagePage(messages, encode_cursor(scope, (last.position, last.ordinal)))))


def _place(scope: bytes, after: str | None) -> Place:
    if after is None:
        return Place(0, 0)
    try:
        position, ordinal = decode_cursor(scope, after)
    except InvalidRequest as refusal:
        raise InvalidRequest(errors=[(AFTER_PATH, message) for _, message in refusal.errors]) from None
    return Place(position, ordinal)


ENDPOINTS = (list_messages,)
