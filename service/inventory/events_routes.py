"""Events over HTTP: create or replace, list, look at one."""

from typing import Final

from service.http.endpoint import Call, endpoint, stored
from service.http.message import Answer
from service.http.parameters import PageQuery
from service.inventory import events
from service.inventory.bodies import PutEvent
from service.inventory.event_queries import select_event, select_events
from service.inventory.paging import Page
from service.inventory.wire import EventsPage, EventView, encode, event_view
from service.refusals import NotFound, StateConflict, VersionConflict

DEFINITION_EXAMPLE: Final = {
    "name": "Final",
    "starts_at": "2027-06-05T19:00:00Z",
    "hold_seconds": 600,
    "hold_seconds_max": 3600,
    "sales": "open",
    "categories": [{"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"}],
}
EVENT_EXAMPLE: Final = {
    "event": "final",
    **DEFINITION_EXAMPLE,
    "starts_at": "2027-06-05T19:00:00.000Z",
    "front_row": None,
    "version": 1,
}


@endpoint(
    "PUT",
    "/v1/events/{event}",
    scope="inventory:write",
    key="optional",
    body=PutEvent,
    answers={200: EventView, 201: EventView},
    refusals=(StateConflict, VersionConflict),
    request_example=DEFINITION_EXAMPLE,
    answer_example=EVENT_EXAMPLE,
)
async def put_event(call: Call) -> Answer:
    """Create or replace an event.

    201 where it is new, 200 where it was there; the ETag is the version of its definition. An equal definition changes
    nothing and keeps the ETag. Categories are replaced as a whole, whatever their order; one that seats or waiting
    reservations have cannot be dropped (409 `state-conflict`). `sales: closed` stops creates and promotions only.
    If-Match acts only on that version; `"0"` means: only if there is no such event yet.
    """
    answer = await events.put_event(
        call.services.store,
        call.caller.account_id,
        call.path["event"],
        call.body,
        if_match=call.if_match,
        key=call.key,
        request_id=call.request_id,
    )
    return stored(answer)


@endpoint(
    "GET",
    "/v1/events",
    scope="inventory:read",
    query=PageQuery,
    answers={200: EventsPage},
    answer_example={"events": [EVENT_EXAMPLE], "next_cursor": None},
)
async def list_events(call: Call) -> Answer:
    """List events, in the order of their names."""
    account_id = call.caller.account_id
    page = Page(call.query, account_id, "events")
    async with call.services.store.read() as reader:
        found = await select_events(reader, account_id, page.after, page.rows_wanted)
    shown, next_cursor = page.cut(found, lambda record: (record.event,))
    return Answer(200, encode(EventsPage([event_view(record) for record in shown], next_cursor)))


@endpoint(
    "GET",
    "/v1/events/{event}",
    scope="inventory:read",
    answers={200: EventView},
    refusals=(NotFound,),
    answer_example=EVENT_EXAMPLE,
)
async def get_event(call: Call) -> Answer:
    """Get an event with its categories."""
    async with call.services.store.read() as reader:
        record = await select_event(reader, call.caller.account_id, call.path["event"])
    if record is None:
        raise NotFound(kind="event", name=call.path["event"])
    return Answer(200, encode(event_view(record)), [("ETag", f'"{record.definition_version}"')])


ENDPOINTS = (put_event, list_events, get_event)
