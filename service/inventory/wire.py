"""What clients get of inventory: views, and their JSON.

Encoded here and nowhere else, so that one thing has one form, whether a plain use case, a read or the engine's write
shows it.
"""

from collections.abc import Sequence

import msgspec

from service.clock import to_rfc3339
from service.inventory.bodies import Category, Sales, SeatState
from service.inventory.event_queries import EventRecord
from service.inventory.seat_queries import SEAT_STATES, SeatRecord
from service.inventory.stock_queries import StockRecord


class EventView(msgspec.Struct, frozen=True):
    """An event with its categories, in the order in which they were added. `version` is what the ETag shows."""

    event: str
    name: str
    starts_at: str
    hold_seconds: int
    hold_seconds_max: int
    sales: Sales
    front_row: str | None
    categories: list[Category]
    version: int


class EventsPage(msgspec.Struct, frozen=True):
    """A page of events, in the order of their names."""

    events: list[EventView]
    next_cursor: str | None


class SeatCounts(msgspec.Struct, frozen=True):
    """What became of the seats that were sent."""

    created: int
    updated: int
    unchanged: int


class SeatView(msgspec.Struct, frozen=True):
    """A seat as it is now. A hold that is over but not yet swept shows as held."""

    seat: str
    section: str
    row: str
    number: str
    category: str
    state: SeatState
    x: float | None
    y: float | None


class SeatsPage(msgspec.Struct, frozen=True):
    """A page of an event's seats, in the order of their labels."""

    seats: list[SeatView]
    next_cursor: str | None


class Counts(msgspec.Struct):
    """How many seats are in which state. A hold that is over but not yet swept counts as held."""

    available: int = 0
    held: int = 0
    confirmed: int = 0
    blocked: int = 0


class SectionCounts(msgspec.Struct, kw_only=True):
    """Counts of one category in one section."""

    section: str
    category: str
    available: int = 0
    held: int = 0
    confirmed: int = 0
    blocked: int = 0


class Availability(msgspec.Struct, frozen=True):
    """All seats of an event, counted after the request had come; `as_of` is the database's time before counting."""

    event: str
    as_of: str
    sections: list[SectionCounts]
    total: Counts


class BlockView(msgspec.Struct, frozen=True):
    """The seats that were named; none of them is on sale after a block, none is blocked after its end."""

    event: str
    seats: Sequence[str]
    blocked: bool


class StockView(msgspec.Struct, frozen=True):
    """A stock item's definition and counts. `version` is what the ETag shows: that of the definition."""

    sku: str
    location: str
    description: str
    on_hand: int
    held: int
    confirmed: int
    available: int
    amount: int
    currency: str
    version: int


class StockPage(msgspec.Struct, frozen=True):
    """A page of stock items, in the order of SKU and location."""

    stock: list[StockView]
    next_cursor: str | None


class MendedSeatView(msgspec.Struct, frozen=True):
    """A seat as a mend left it. `version` counts its changes of state."""

    event: str
    seat: str
    category: str
    state: SeatState
    version: int


class MendedCategoryView(msgspec.Struct, frozen=True):
    """A category as a mend left it: how many reservations wait for it. `version` counts the changes of that number."""

    event: str
    category: str
    waiting: int
    version: int


encode = msgspec.json.Encoder().encode


def event_view(record: EventRecord) -> EventView:
    return EventView(
        event=record.event,
        name=record.name,
        starts_at=to_rfc3339(record.starts_at),
        hold_seconds=record.hold_seconds,
        hold_seconds_max=record.hold_seconds_max,
        sales="open" if record.sales == "open" else "closed",
        front_row=record.front_row,
        categories=[Category(row.category, row.name, row.amount, row.currency) for row in record.categories],
        version=record.definition_version,
    )


def seat_view(record: SeatRecord) -> SeatView:
    return SeatView(
        seat=record.seat,
        section=record.section,
        row=record.row,
        number=record.number,
        category=record.category,
        state=SEAT_STATES[record.state],
        x=record.x,
        y=record.y,
    )


def block_body(event: str, seats: Sequence[str], *, blocked: bool) -> bytes:
    """The answer to blocks and unblocks, as JSON."""
    return encode(BlockView(event, seats, blocked))


def stock_view(item: StockRecord) -> StockView:
    return StockView(
        sku=item.sku,
        location=item.location,
        description=item.description,
        on_hand=item.on_hand,
        held=item.held,
        confirmed=item.confirmed,
        available=item.available,
        amount=item.amount,
        currency=item.currency,
        version=item.definition_version,
    )


def stock_body(item: StockRecord) -> bytes:
    """A stock item as JSON, as reads show it and as the engine's write answers with it."""
    return encode(stock_view(item))


def mended_seat_body(event: str, seat: str, category: str, state: int, version: int) -> bytes:
    """What the message of a mend tells of a seat, as JSON."""
    return encode(MendedSeatView(event, seat, category, SEAT_STATES[state], version))


def mended_category_body(event: str, category: str, waiting: int, version: int) -> bytes:
    """What the message of a mend tells of a category, as JSON."""
    return encode(MendedCategoryView(event, category, waiting, version))
