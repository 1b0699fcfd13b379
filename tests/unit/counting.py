"""What the rows of a venue in memory must count, as `counted.py` reads it from a database: for commands that mend."""

from collections import Counter
from typing import TYPE_CHECKING

from service.reservations.counted import CategoryCounted, Counted, Owner, SeatCounted, StockCounted

if TYPE_CHECKING:
    from tests.unit.builders import Venue

SHOP = "shop"


def counted(venue: "Venue") -> dict[bytes, Counted]:
    """Of every row of the venue."""
    sums: Counter[tuple[bytes, str]] = Counter()
    states: dict[bytes, list[str]] = {}
    for row in venue.reservations.values():
        for line in row.live_lines:
            if line.is_stock:
                sums[line.inventory_id, row.state] += line.quantity
            elif line.seat_id is not None:
                states.setdefault(line.seat_id, []).append(row.state)
    waiting = Counter(pool_id for row in venue.reservations.values() for pool_id in row.pools)
    return {**_stock(venue, sums, waiting), **_seats(venue, states), **_categories(venue, waiting)}


def _stock(venue: "Venue", sums: Counter[tuple[bytes, str]], waiting: Counter[bytes]) -> dict[bytes, Counted]:
    return {
        item.id: StockCounted(
            id=item.id,
            version=item.version,
            owner=Owner(item.account_id, SHOP),
            sku=item.sku,
            location=item.location,
            on_hand=item.on_hand,
            held=item.held,
            confirmed=item.confirmed,
            waiters=item.waiters,
            held_lines=sums[item.id, "held"],
            confirmed_lines=sums[item.id, "confirmed"],
            waiting=waiting[item.id],
        )
        for item in venue.stock.values()
    }


def _seats(venue: "Venue", states: dict[bytes, list[str]]) -> dict[bytes, Counted]:
    names = {event.id: event.event for event in venue.events.values()}
    return {
        seat.id: SeatCounted(
            id=seat.id,
            version=seat.version,
            owner=Owner(venue.categories[seat.category_id].account_id, SHOP),
            event=names[seat.event_id],
            category=venue.categories[seat.category_id].category,
            seat=seat.seat,
            state=seat.state,
            live_lines=len(states.get(seat.id, ())),
            reservation_state=max(states.get(seat.id, ()), default=None),
        )
        for seat in venue.seats.values()
    }


def _categories(venue: "Venue", waiting: Counter[bytes]) -> dict[bytes, Counted]:
    names = {event.id: event.event for event in venue.events.values()}
    return {
        row.id: CategoryCounted(
            id=row.id,
            version=row.version,
            owner=Owner(row.account_id, SHOP),
            event=names[row.event_id],
            category=row.category,
            waiters=row.waiters,
            waiting=waiting[row.id],
        )
        for row in venue.categories.values()
    }
