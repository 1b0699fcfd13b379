"""SQL of lists of reservations in each of their orders, and of how many there are.

There are two ways through the table. The account's history is an index in the order of making. The index on
`lapses_at` holds first what time will end, held and pending reservations, few where the history is millions. Whatever
asks for these alone goes that way, and the statement says so: a planner that sees a LIMIT takes the index that gives
the order, and walks the history to its end for rows that are not there.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from service.database.transaction import Transaction, chunks, padded
from service.reservations.records import Line, Reservation
from service.reservations.rows import LINE_COLUMNS, RESERVATION_COLUMNS, line_of, reservation_of

Order = Literal["newest", "oldest", "expires"]
Place = tuple[Any, ...]
"""Where a page begins: behind the reservation that it tells of. `place_of` makes it, a cursor carries it."""

LIVE_FEW = 10_000
"""So many are sorted in a moment. Where more live, the newest of them are met soon on the way through the history."""

LAPSES = "ix_reservations__lapses_at"
HAS_END = "lapses_at >= 0"
"""`IS NOT NULL`, in words of which each planner makes a range."""


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is narrowed by; None narrows nothing. Instants in ms; `expires_before` finds held ones only.

    `stale`: held and past its time by the database's clock, or held and not.
    """

    state: str | None = None
    customer: str | None = None
    event: str | None = None
    sku: str | None = None
    expires_before: int | None = None
    created_before: int | None = None
    stale: bool | None = None
    external_reference: str | None = None

    @property
    def have_end(self) -> bool:
        """Whether they can only find what time will end."""
        return self.state in ("held", "pending") or self.expires_before is not None or self.stale is not None


class _Condition(msgspec.Struct, frozen=True):
    """A part of a WHERE with its values."""

    sql: str
    values: tuple[Any, ...]


async def select_reservations(
    reader: Transaction, account_id: bytes, filters: Filters, order: Order, behind: Place | None, limit: int, now: int
) -> list[Reservation]:
    """A page of them, from `behind` on; None is the beginning. `now` is the database's clock.

    `reader` must see one state all the time: states and lines are two statements.
    """
    conditions = _conditions(account_id, filters, now)
    if behind is not None:
        conditions.append(_behind(order, behind))
    if order == "expires" and not filters.have_end:
        conditions.append(_Condition(HAS_END, ()))
    by_end = order == "expires" or await _is_found_by_end(reader, filters, order)
    sql = (
        f"SELECT {RESERVATION_COLUMNS} FROM {_table(reader, filters, by_end)} "  # noqa: S608 - values are bound
        f"WHERE {_all(conditions)} ORDER BY {_ORDERS[order]} LIMIT ?"
    )
    return await _with_lines(reader, await reader.rows(sql, (*_values(conditions), limit)))


async def count_reservations(
    reader: Transaction, account_id: bytes, filters: Filters, at_most: int, now: int
) -> tuple[int, bool]:
    """How many there are, and whether these are all: counting stops at `at_most`."""
    conditions = _conditions(account_id, filters, now)
    table = _table(reader, filters, filters.have_end)
    found = f"SELECT 1 FROM {table} WHERE {_all(conditions)} LIMIT ?"  # noqa: S608 - as above
    rows = await reader.rows(f"SELECT COUNT(*) FROM ({found}) found", (*_values(conditions), at_most + 1))  # noqa: S608
    count = int(rows[0][0])
    return min(count, at_most), count <= at_most


def place_of(order: Order, reservation: Reservation) -> Place:
    """What the next page begins behind."""
    return (reservation.lapses_at, reservation.id) if order == "expires" else (reservation.id,)


# Identifiers begin with the time of their making. By them, oldest first is newest first backwards, and both are read
# from an index in their order; by `created_at` the whole history would be sorted for each page.
_ORDERS = {"newest": "id DESC", "oldest": "id", "expires": "lapses_at, id"}


def _behind(order: Order, place: Place) -> _Condition:
    if order == "newest":
        return _Condition("id < ?", place)
    if order == "oldest":
        return _Condition("id > ?", place)
    lapses_at, last = place
    # The first half alone bounds the range that is read; the second drops those of the same millisecond.
    return _Condition("lapses_at >= ? AND (lapses_at > ? OR id > ?)", (lapses_at, lapses_at, last))


def _table(reader: Transaction, filters: Filters, by_end: bool) -> str:
    """What a list is read from. A name of the caller's own is one reservation's, and no other way is shorter."""
    if not by_end or filters.external_reference is not None:
        return "reservations"
    return f"reservations{reader.dialect.by_index.format(LAPSES)}"


async def _is_found_by_end(reader: Transaction, filters: Filters, order: Order) -> bool:
    """Whether the list is found among what time will end, and then sorted, rather than on the way through history.

    Oldest first, those that live come last in the history. Newest first they come first, unless they are few.
    """
    if not filters.have_end or order == "oldest" or filters.stale:
        return filters.have_end
    living = f"SELECT 1 FROM {_table(reader, Filters(), by_end=True)} WHERE {HAS_END} LIMIT ?"  # noqa: S608 - as above
    rows = await reader.rows(f"SELECT COUNT(*) FROM ({living}) living", (LIVE_FEW + 1,))  # noqa: S608
    return int(rows[0][0]) <= LIVE_FEW


def _conditions(account_id: bytes, filters: Filters, now: int) -> list[_Condition]:
    found = [_Condition("account_id = ?", (account_id,))]
    if filters.have_end:
        found.append(_Condition(HAS_END, ()))
    for name in ("state", "customer", "external_reference"):
        value = getattr(filters, name)
        if value is not None:
            found.append(_Condition(f"{name} = ?", (value.encode(),)))
    if filters.expires_before is not None:
        found.append(_Condition("state = ? AND lapses_at < ?", (b"held", filters.expires_before)))
    if filters.created_before is not None:
        found.append(_Condition("created_at < ?", (filters.created_before,)))
    if filters.stale is not None:
        past = "<=" if filters.stale else ">"
        found.append(_Condition(f"state = ? AND lapses_at {past} ?", (b"held", now)))
    for table, column, value in (("events", "event", filters.event), ("stock_items", "sku", filters.sku)):
        if value is not None:
            found.append(_claims(table, column, filters.have_end, account_id, value.encode()))
    return found


def _claims(table: str, column: str, few: bool, account_id: bytes, name: bytes) -> _Condition:
    """Whether a line of it claims the event or the SKU: asked of each of a few, or looked up in all lines of that."""
    named = f"SELECT i.id FROM {table} i WHERE i.account_id = ? AND i.{column} = ?"  # noqa: S608 - our own names
    if few:
        own = "SELECT 1 FROM reservation_lines l WHERE l.reservation_id = reservations.id"
        return _Condition(f"EXISTS ({own} AND l.inventory_id IN ({named}))", (account_id, name))
    lines = "SELECT l.reservation_id FROM reservation_lines l WHERE l.inventory_id IN"
    return _Condition(f"id IN ({lines} ({named}))", (account_id, name))


def _all(conditions: Sequence[_Condition]) -> str:
    return " AND ".join(condition.sql for condition in conditions)


def _values(conditions: Sequence[_Condition]) -> tuple[Any, ...]:
    return tuple(value for condition in conditions for value in condition.values)


async def _with_lines(reader: Transaction, rows: Sequence[Sequence[Any]]) -> list[Reservation]:
    lines: dict[bytes, list[Line]] = {bytes(row[0]): [] for row in rows}
    for part in chunks(sorted(lines)):
        places, bound = padded(part)
        sql = (
            f"SELECT {LINE_COLUMNS} FROM reservation_lines "  # noqa: S608
            f"WHERE reservation_id IN ({places}) ORDER BY reservation_id, line"
        )
        for row in await reader.rows(sql, bound):
            lines[bytes(row[0])].append(line_of(row))
    return [reservation_of(row, tuple(lines[bytes(row[0])])) for row in rows]
