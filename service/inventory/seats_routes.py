"""Seats over HTTP: define them, list them, count them, take them out of sale."""

from typing import Final

from service.http.endpoint import Call, endpoint, stored
from service.http.message import Answer
from service.http.parameters import PageQuery
from service.inventory import seats
from service.inventory.bodies import PostBlock, PutSeats, SeatState
from service.inventory.event_queries import EventRecord, select_event
from service.inventory.paging import Page
from service.inventory.seat_queries import SeatRecord, select_seats
from service.inventory.wire import Availability, BlockView, SeatCounts, SeatsPage, encode, seat_view
from service.names import Name, Section
from service.refusals import InventoryUnavailable, NotFound
from service.reservations.commands import BlockSeats

SEAT_EXAMPLE: Final = {
    "section": "101",
    "row": "A",
    "number": "12",
    "category": "1",
    "x": 525.695,
    "y": 226.656,
}
BLOCK_EXAMPLE: Final = {"seats": ["101-A-12", "101-A-13"], "reason": "camera"}
COUNTS_EXAMPLE: Final = {"available": 41, "held": 4, "confirmed": 30, "blocked": 2}


class SeatsQuery(PageQuery, forbid_unknown_fields=True):
    """Which seats of an event; without a filter, all."""

    section: Section | None = None
    state: SeatState | None = None
    category: Name | None = None


@endpoint(
    "PUT",
    "/v1/events/{event}/seats",
    scope="inventory:write",
    key="optional",
    body=PutSeats,
    answers={200: SeatCounts},
    refusals=(NotFound,),
    request_example={"seats": [SEAT_EXAMPLE]},
    answer_example={"created": 1, "updated": 0, "unchanged": 0},
)
async def put_seats(call: Call) -> Answer:
    """Create or change up to 5,000 seats.

    By section, row and number. A seat that exists gets the category and the coordinates that are sent and keeps its
    state, live ones included. All or nothing; seats that are not named stay as they are.
    """
    answer = await seats.put_seats(
        call.services.store,
        call.caller.account_id,
        call.path["event"],
        call.body.seats,
        key=call.key,
        request_id=call.request_id,
    )
    return stored(answer)


@endpoint(
    "GET",
    "/v1/events/{event}/seats",
    scope="inventory:read",
    query=SeatsQuery,
    answers={200: SeatsPage},
    refusals=(NotFound,),
    answer_example={"seats": [{"seat": "101-A-12", **SEAT_EXAMPLE, "state": "available"}], "next_cursor": None},
)
async def list_seats(call: Call) -> Answer:
    """List an event's seats, in the order of their labels.

    `section`, `state` and `category` narrow the list. A hold past its time shows as held until it is swept.
    """
    event, query = call.path["event"], call.query
    page = Page(query, call.caller.account_id, "seats", event, query.section, query.state, query.category)
    found = await _find_seats(call, page)
    shown, next_cursor = page.cut(found, lambda record: (record.seat,))
    return Answer(200, encode(SeatsPage([seat_view(record) for record in shown], next_cursor)))


async def _find_seats(call: Call, page: Page) -> list[SeatRecord]:
    account_id, query = call.caller.account_id, call.query
    async with call.services.store.read() as reader:
        record = await select_event(reader, account_id, call.path["event"])
        if record is None:
            raise NotFound(kind="event", name=call.path["event"])
        category_id = _category_id(record, query.category)
        if query.category is not None and category_id is None:
            return []
        return await select_seats(
            reader,
            account_id,
            record.event_id,
            after=page.after,
            limit=page.rows_wanted,
            section=query.section,
            state=query.state,
            category_id=category_id,
        )


def _category_id(record: EventRecord, category: str | None) -> bytes | None:
    return next((row.category_id for row in record.categories if row.category == category), None)


@endpoint(
    "GET",
    "/v1/events/{event}/availability",
    scope="inventory:read",
    answers={200: Availability},
    refusals=(NotFound,),
    answer_example={
        "event": "final",
        "as_of": "2027-06-01T10:00:00.000Z",
        "sections": [{"section": "101", "category": "1", **COUNTS_EXAMPLE}],
        "total": COUNTS_EXAMPLE,
    },
)
async def get_availability(call: Call) -> Answer:
    """Count an event's seats by section, category and state.

    Exact: everything that was committed before `as_of` is in it.
    """
    return Answer(200, await call.services.availability.body(call.caller.account_id, call.path["event"]))


@endpoint(
    "POST",
    "/v1/events/{event}/blocks",
    scope="inventory:write",
    key="optional",
    body=PostBlock,
    answers={200: BlockView},
    refusals=(NotFound, InventoryUnavailable),
    request_example=BLOCK_EXAMPLE,
    answer_example={"event": "final", "seats": BLOCK_EXAMPLE["seats"], "blocked": True},
)
async def block_seats(call: Call) -> Answer:
    """Take available seats out of sale.

    All or nothing: one held or confirmed seat among them refuses the call. Blocked ones stay blocked.
    """
    return await _block(call, blocked=True)


@endpoint(
    "POST",
    "/v1/events/{event}/unblocks",
    scope="inventory:write",
    key="optional",
    body=PostBlock,
    answers={200: BlockView},
    refusals=(NotFound,),
    request_example=BLOCK_EXAMPLE,
    answer_example={"event": "final", "seats": BLOCK_EXAMPLE["seats"], "blocked": False},
)
async def unblock_seats(call: Call) -> Answer:
    """Put blocked seats on sale again.

    Seats that are not blocked stay as they are. Whoever waits for such seats gets them first.
    """
    return await _block(call, blocked=False)


async def _block(call: Call, *, blocked: bool) -> Answer:
    command = BlockSeats(
        account_id=call.caller.account_id,
        actor=call.caller.principal,
        request_id=call.request_id,
        key=call.key,
        reason=call.body.reason,
        event=call.path["event"],
        seats=tuple(call.body.seats),
        blocked=blocked,
    )
    return stored(await call.services.engine.submit(command))


ENDPOINTS = (put_seats, list_seats, get_availability, block_seats, unblock_seats)
