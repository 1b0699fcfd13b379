"""The rows that a decision works on, as frozen records.

A change makes a new one, so that no overlay leaks into another.
"""

import msgspec

from service.inventory.stock_queries import StockRecord
from service.inventory.tables import SEAT_AVAILABLE
from service.reservations.states import Action, State

EventName = tuple[bytes, str]  # account, event
StockName = tuple[bytes, str, str]  # account, SKU, location


class Event(msgspec.Struct, frozen=True):
    """An event's definition, as far as a decision asks for it."""

    id: bytes
    account_id: bytes
    event: str
    hold_seconds: int
    hold_seconds_max: int
    sales: str
    front_row: str | None


class Category(msgspec.Struct, frozen=True):
    """A pool of seats: who waits for any of them is counted here."""

    id: bytes
    account_id: bytes
    event_id: bytes
    category: str
    amount: int
    currency: str
    waiters: int
    version: int


class Seat(msgspec.Struct, frozen=True):
    """A seat; `version` counts its changes of state."""

    id: bytes
    event_id: bytes
    seat: str
    section: str
    row: str
    number: str
    category_id: bytes
    state: int
    version: int

    @property
    def is_available(self) -> bool:
        return self.state == SEAT_AVAILABLE


class StockItem(StockRecord, frozen=True, kw_only=True):
    """A countable pool with all that a decision asks for. `held + confirmed ≤ on_hand` (R2)."""

    id: bytes
    account_id: bytes
    waiters: int
    version: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One seat, or a quantity of one stock item. `amount` is of the whole line.

    Seat and amount are None while not yet chosen.
    """

    number: int
    inventory_id: bytes
    name: str  # the event or the SKU
    place: str | None  # the seat's label or the location
    seat_id: bytes | None
    quantity: int
    amount: int | None
    currency: str | None
    is_stock: bool
    live: bool = False
    released_at: int | None = None


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """`lapses_at` is when the clock ends it: hold_expires_at of a held one, wait_expires_at of a pending one."""

    id: bytes
    account_id: bytes
    reference: str
    external_reference: str | None
    customer: str | None
    state: State
    version: int
    hold_seconds: int
    hold_seconds_max: int
    lapses_at: int | None
    created_at: int
    held_at: int | None = None
    confirmed_at: int | None = None
    ended_at: int | None = None
    metadata: bytes | None = None
    wanted: bytes | None = None  # the request's lines, while pending
    pools: tuple[bytes, ...] = ()  # where it waits, while pending
    lines: tuple[Line, ...] = ()

    def is_lapsed(self, now: int) -> bool:
        """Its time is over (now ≥ lapses_at), whether or not a sweep has met it."""
        return self.lapses_at is not None and now >= self.lapses_at

    @property
    def live_lines(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.live)


class MendedSeat(msgspec.Struct, frozen=True):
    """A seat as a mend left it, as the message of that tells it.

    `version` is the seat's own, which counts all its changes: of its mends alone there are messages, with gaps.
    """

    id: bytes
    event: str
    seat: str
    category: str
    state: int
    version: int


class MendedCategory(msgspec.Struct, frozen=True):
    """A category as a mend left it; `version` as with a seat."""

    id: bytes
    event: str
    category: str
    waiters: int
    version: int


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """A change of `on_hand` by its natural key; `body` is None while its first answer is not rendered yet."""

    stock_item_id: bytes
    account_id: bytes
    reference: str
    delta: int
    reason: str | None
    actor: str
    at: int
    body: bytes | None
    item: StockItem | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One change of state, or the mend of a row, to be written with it (R8)."""

    account_id: bytes
    subject: Reservation | StockItem | MendedSeat | MendedCategory
    version: int
    type: str
    reference: str | None
    source: State | None
    target: State | None
    action: Action | str
    actor: str
    reason: str | None
    at: int
