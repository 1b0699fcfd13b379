"""Lists of reservations over HTTP, and how many there are."""

from typing import Final

import msgspec

from service.clock import from_rfc3339, to_rfc3339
from service.http.cursor import decode_cursor, encode_cursor
from service.http.endpoint import Call, endpoint
from service.http.message import Answer
from service.reservations import examples
from service.reservations.bodies import ReservationCountQuery, ReservationFilters, ReservationsQuery
from service.reservations.lists import Filters, count_reservations, place_of, select_reservations
from service.reservations.views import ReservationCount, ReservationPage, encode, reservation_view


@endpoint(
    "GET",
    "/v1/reservations",
    scope="reservations:read",
    query=ReservationsQuery,
    answers={200: ReservationPage},
    answer_example={"reservations": [examples.RESERVATION], "next_cursor": None},
)
async def list_reservations(call: Call) -> Answer:
    """List reservations, newest first unless told otherwise; all filters that are given hold together.

    `expires_before` finds holds that end before an instant; `external_reference` finds the caller's own name. `order`
    is `newest`, `oldest`, or `expires`: held and pending ones alone, the one that time ends first at the head. `stale`
    tells holds past their time that no sweep has met yet from those within it, by the database's clock.
    """
    query: ReservationsQuery = call.query
    filters = _filters(query)
    scope = msgspec.msgpack.encode((call.caller.account_id, "reservations", query.order, filters))
    behind = None if query.cursor is None else decode_cursor(scope, query.cursor)
    async with call.services.store.snapshot() as reader:  # states and lines of one moment
        now = await reader.now_ms()
        found = await select_reservations(
            reader, call.caller.account_id, filters, query.order, behind, query.limit + 1, now
        )
    shown = found[: query.limit]
    cursor = encode_cursor(scope, place_of(query.order, shown[-1])) if len(found) > len(shown) else None
    page = ReservationPage([reservation_view(reservation, now) for reservation in shown], cursor)
    return Answer(200, encode(page))


@endpoint(
    "GET",
    "/v1/reservation-counts",
    scope="reservations:read",
    query=ReservationCountQuery,
    answers={200: ReservationCount},
    answer_example={"count": 10000, "exact": False, "as_of": "2027-06-01T10:00:00.000Z"},
)
async def get_reservation_count(call: Call) -> Answer:
    """Count reservations, by the filters of their list.

    Counting stops at `at_most`: then `exact` is false, and there are more.
    """
    query: ReservationCountQuery = call.query
    async with call.services.store.snapshot() as reader:
        now = await reader.now_ms()
        count, exact = await count_reservations(reader, call.caller.account_id, _filters(query), query.at_most, now)
    return Answer(200, encode(ReservationCount(count, exact, to_rfc3339(now))))


def _filters(query: ReservationFilters) -> Filters:
    return Filters(
        state=query.state,
        customer=query.customer,
        event=query.event,
        sku=query.sku,
        expires_before=None if query.expires_before is None else from_rfc3339(query.expires_before),
        created_before=None if query.created_before is None else from_rfc3339(query.created_before),
        stale=query.stale,
        external_reference=query.external_reference,
    )


ENDPOINTS: Final = (list_reservations, get_reservation_count)
