"""What counters must be: the sums over live lines, and of who waits. For `holdfast audit --repair` and its commands.

One SELECT has a row's counters, its version and what they must come to, so all of them are of one moment, on a live
database too (R1, R2). Whoever claims or gives back a unit, or waits, moves that version: counters that are mended under
it are right. Nothing here changes a row.
"""
# ruff: noqa: S608 - names and literals of our own; nothing here comes from outside

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from service.database.drivers import Row
from service.database.transaction import Transaction, chunks, padded
from service.inventory.seat_queries import SEAT_STATES, STATE_NUMBERS
from service.inventory.tables import SEAT_AVAILABLE, SEAT_BLOCKED


class Change(msgspec.Struct, frozen=True):
    """A counter, or a seat's state, as it is and as it must be."""

    counter: str
    now: int | str
    should_be: int | str


class Owner(NamedTuple):
    """Whose a row is; the name is None where there is no such account (R10)."""

    account_id: bytes
    name: str | None


class StockCounted(msgspec.Struct, frozen=True, kw_only=True):
    """A stock item's counters, and what is beneath them."""

    id: bytes
    version: int
    owner: Owner
    sku: str
    location: str
    on_hand: int
    held: int
    confirmed: int
    waiters: int
    held_lines: int
    confirmed_lines: int
    waiting: int

    @property
    def changes(self) -> tuple[Change, ...]:
        """What is to be mended."""
        return _changes(
            ("held", self.held, self.held_lines),
            ("confirmed", self.confirmed, self.confirmed_lines),
            ("waiters", self.waiters, self.waiting),
        )

    @property
    def can_stand(self) -> bool:
        """Whether R2 allows the sums."""
        least = min(self.held_lines, self.confirmed_lines)
        return least >= 0 and self.held_lines + self.confirmed_lines <= self.on_hand


class SeatCounted(msgspec.Struct, frozen=True, kw_only=True):
    """A seat's state, and the live lines that have it. Event and category are None where they are not its account's."""

    id: bytes
    version: int
    owner: Owner
    event: str | None
    category: str | None
    seat: str
    state: int
    live_lines: int
    reservation_state: str | None  # of the one live line's reservation

    @property
    def state_of_line(self) -> int | None:
        """What the state must be; None where its lines do not say (R1, R6)."""
        if self.live_lines == 0:
            return SEAT_BLOCKED if self.state == SEAT_BLOCKED else SEAT_AVAILABLE
        if self.live_lines > 1 or self.reservation_state not in {"held", "confirmed"}:
            return None
        return STATE_NUMBERS[self.reservation_state]

    @property
    def changes(self) -> tuple[Change, ...]:
        """What is to be mended, if anything can."""
        right = self.state_of_line
        if right is None or right == self.state:
            return ()
        return (Change("state", SEAT_STATES[self.state], SEAT_STATES[right]),)


class CategoryCounted(msgspec.Struct, frozen=True, kw_only=True):
    """A category's count of who waits, and who waits. The event is None where it is not its account's."""

    id: bytes
    version: int
    owner: Owner
    event: str | None
    category: str
    waiters: int
    waiting: int

    @property
    def changes(self) -> tuple[Change, ...]:
        """What is to be mended."""
        return _changes(("waiters", self.waiters, self.waiting))


Counted = StockCounted | SeatCounted | CategoryCounted

WAITING: Final = "(SELECT pool_id, COUNT(*) AS waiting FROM waiters WHERE pool_id IN ({0}) GROUP BY pool_id) w"

SELECT_STOCK: Final = f"""
SELECT i.id, i.version, i.account_id, a.name, i.sku, i.location, i.on_hand, i.held, i.confirmed, i.waiters,
       COALESCE(u.held, 0), COALESCE(u.confirmed, 0), COALESCE(w.waiting, 0)
FROM stock_items i LEFT JOIN accounts a ON a.id = i.account_id
LEFT JOIN (SELECT l.inventory_id, SUM(CASE WHEN r.state = x'68656C64' THEN l.quantity ELSE 0 END) AS held,
                  SUM(CASE WHEN r.state = x'636F6E6669726D6564' THEN l.quantity ELSE 0 END) AS confirmed
           FROM reservation_lines l JOIN reservations r ON r.id = l.reservation_id
           WHERE l.inventory_id IN ({{0}}) AND l.live = 1 AND l.seat_id IS NULL GROUP BY l.inventory_id) u
  ON u.inventory_id = i.id
LEFT JOIN {WAITING} ON w.pool_id = i.id
WHERE i.id IN ({{0}})
"""

SELECT_SEATS: Final = """
SELECT s.id, s.version, s.account_id, a.name, e.event, c.category, s.seat, s.state, COALESCE(u.live_lines, 0), u.state
FROM seats s LEFT JOIN accounts a ON a.id = s.account_id
LEFT JOIN events e ON e.id = s.event_id AND e.account_id = s.account_id
LEFT JOIN event_categories c ON c.id = s.category_id AND c.event_id = s.event_id AND c.account_id = s.account_id
LEFT JOIN (SELECT l.seat_id, COUNT(*) AS live_lines, MAX(r.state) AS state
           FROM reservation_lines l LEFT JOIN reservations r ON r.id = l.reservation_id
           WHERE l.seat_id IN ({0}) AND l.live = 1 GROUP BY l.seat_id) u
  ON u.seat_id = s.id
WHERE s.id IN ({0})
"""

SELECT_CATEGORIES: Final = f"""
SELECT c.id, c.version, c.account_id, a.name, e.event, c.category, c.waiters, COALESCE(w.waiting, 0)
FROM event_categories c LEFT JOIN accounts a ON a.id = c.account_id
LEFT JOIN events e ON e.id = c.event_id AND e.account_id = c.account_id
LEFT JOIN {WAITING} ON w.pool_id = c.id
WHERE c.id IN ({{0}})
"""


async def select_stock(reader: Transaction, ids: Sequence[bytes]) -> list[StockCounted]:
    """Those stock items, in no order."""
    return [
        StockCounted(
            id=bytes(row[0]),
            version=row[1],
            owner=_owner(row),
            sku=row[4].decode(),
            location=row[5].decode(),
            on_hand=row[6],
            held=row[7],
            confirmed=row[8],
            waiters=row[9],
            held_lines=int(row[10]),  # the MySQL family sums into decimals
            confirmed_lines=int(row[11]),
            waiting=row[12],
        )
        for row in await _counted(reader, SELECT_STOCK, 3, ids)
    ]


async def select_seats(reader: Transaction, ids: Sequence[bytes]) -> list[SeatCounted]:
    """Those seats, in no order."""
    return [
        SeatCounted(
            id=bytes(row[0]),
            version=row[1],
            owner=_owner(row),
            event=_text(row[4]),
            category=_text(row[5]),
            seat=row[6].decode(),
            state=row[7],
            live_lines=row[8],
            reservation_state=_text(row[9]),
        )
        for row in await _counted(reader, SELECT_SEATS, 2, ids)
    ]


async def select_categories(reader: Transaction, ids: Sequence[bytes]) -> list[CategoryCounted]:
    """Those categories, in no order."""
    return [
        CategoryCounted(
            id=bytes(row[0]),
            version=row[1],
            owner=_owner(row),
            event=_text(row[4]),
            category=row[5].decode(),
            waiters=row[6],
            waiting=row[7],
        )
        for row in await _counted(reader, SELECT_CATEGORIES, 2, ids)
    ]


SELECTS: Final[dict[str, Callable[[Transaction, Sequence[bytes]], Awaitable[Sequence[Counted]]]]] = {
    "stock_items": select_stock,
    "event_categories": select_categories,
    "seats": select_seats,
}
"""By table, in the order in which a batch writes them."""


async def _counted(reader: Transaction, sql: str, lists: int, ids: Sequence[bytes]) -> list[Row]:
    found: list[Row] = []
    for part in chunks(sorted(set(ids))):
        places, values = padded(part)
        found.extend(await reader.rows(sql.format(places), values * lists))
    return found


def _changes(*counters: tuple[str, int, int]) -> tuple[Change, ...]:
    return tuple(Change(name, now, right) for name, now, right in counters if now != right)


def _owner(row: Row) -> Owner:
    return Owner(bytes(row[2]), _text(row[3]))


def _text(value: bytes | None) -> str | None:
    return None if value is None else bytes(value).decode()
