"""SQL of seats' definitions and of looking at seats.

Definitions are section, row, number, category and coordinates. `state` and `version` belong to the engine: they are
read here, given their first value by an insert, and never assigned again (R1, R6).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from service.database.drivers import Row
from service.database.errors import Conflict
from service.database.transaction import LIST_SIZES, Transaction, chunks, marks, padded
from service.inventory.tables import SEAT_AVAILABLE, SEAT_BLOCKED, SEAT_CONFIRMED, SEAT_HELD

SEAT_STATES: Final[dict[int, Literal["available", "held", "confirmed", "blocked"]]] = {
    SEAT_AVAILABLE: "available",
    SEAT_HELD: "held",
    SEAT_CONFIRMED: "confirmed",
    SEAT_BLOCKED: "blocked",
}
STATE_NUMBERS: Final[dict[str, int]] = {name: number for number, name in SEAT_STATES.items()}

UPDATE_ROWS_MAX = 256
"""Rows of one UPDATE: the server walks its CASE for every row, so twice the rows cost four times the work."""


class SeatRecord(msgspec.Struct, frozen=True):
    """A seat as a list shows it."""

    seat: str
    section: str
    row: str
    number: str
    category: str
    state: int
    x: float | None
    y: float | None


class SeatPlace(msgspec.Struct, frozen=True):
    """What of a seat's definition may change: its category and where it is on the venue's plan."""

    category_id: bytes
    x: float | None
    y: float | None


# In the order of the unique key, so that every server reads just the page: in the order of ids, MySQL walks the primary
# key from its begin. The category is looked up row by row: a join would let the server sort all seats of the event.
SELECT_SEATS = """
SELECT s.seat, s.section, s.row_name, s.number,
       (SELECT c.category FROM event_categories c WHERE c.id = s.category_id), s.state, s.x, s.y
FROM seats s WHERE s.account_id = ? AND s.event_id = ? AND s.seat > ?{} ORDER BY s.seat LIMIT ?"""

SELECT_PLACES = """
SELECT seat, id, category_id, x, y FROM seats WHERE account_id = ? AND event_id = ? AND seat IN ({})"""

# From an index alone, and names are looked up afterwards: a join, or any other column, and the server may read every
# seat there is. The event's id is one of the account (R10).
SELECT_COUNTS = """
SELECT t.section, c.category, t.state, t.seats FROM (
  SELECT section, category_id, state, COUNT(*) AS seats FROM seats WHERE event_id = ?
  GROUP BY section, category_id, state
) t JOIN event_categories c ON c.id = t.category_id"""

SEAT_COLUMNS = (
    "id",
    "account_id",
    "event_id",
    "seat",
    "section",
    "row_name",
    "number",
    "category_id",
    "x",
    "y",
    "state",
    "version",
)


async def select_seats(
    reader: Transaction,
    account_id: bytes,
    event_id: bytes,
    *,
    after: tuple[str, ...] | None,
    limit: int,
    section: str | None = None,
    state: str | None = None,
    category_id: bytes | None = None,
) -> list[SeatRecord]:
    """The first seats whose labels follow `after`, in the order of their bytes."""
    wanted: dict[str, Any] = {
        "section": None if section is None else section.encode(),
        "state": None if state is None else STATE_NUMBERS[state],
        "category_id": category_id,
    }
    given = {column: value for column, value in wanted.items() if value is not None}
    (label,) = after or ("",)
    where = "".join(f" AND s.{column} = ?" for column in given)
    rows = await reader.rows(SELECT_SEATS.format(where), (account_id, event_id, label.encode(), *given.values(), limit))
    return [_seat_record(row) for row in rows]


async def select_places(
    transaction: Transaction, account_id: bytes, event_id: bytes, labels: Sequence[str]
) -> dict[str, tuple[bytes, SeatPlace]]:
    """Id and place of those of the labels that exist. At most as many labels as one list holds."""
    places, values = padded([label.encode() for label in labels])
    rows = await transaction.rows(SELECT_PLACES.format(places), (account_id, event_id, *values))
    return {seat.decode(): (bytes(seat_id), SeatPlace(bytes(category), x, y)) for seat, seat_id, category, x, y in rows}


async def select_counts(reader: Transaction, event_id: bytes) -> list[tuple[str, str, int, int]]:
    """Section, category, state and number of seats, for every combination that there is."""
    rows = await reader.rows(SELECT_COUNTS, (event_id,))
    return [(section.decode(), category.decode(), state, count) for section, category, state, count in rows]


async def update_places(
    transaction: Transaction, account_id: bytes, changes: Sequence[tuple[bytes, SeatPlace]]
) -> None:
    """Give each seat its new place, in one statement for every 256 seats, in the order of their ids.

    Raises Conflict where a seat is gone.
    """
    for part in chunks(sorted(changes, key=lambda change: change[0]), UPDATE_ROWS_MAX):
        size = next(size for size in LIST_SIZES if size >= len(part))
        full = [*part, *[part[-1]] * (size - len(part))]
        values: list[Any] = []
        for member in ("category_id", "x", "y"):
            for seat_id, place in full:
                values += (seat_id, getattr(place, member))
        values += (account_id, *(seat_id for seat_id, _ in full))
        if await transaction.change(_update_statement(size), tuple(values)) != len(part):
            raise Conflict("a seat is gone")


async def insert_seats(transaction: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows in the order of SEAT_COLUMNS. Raises DuplicateKey where another transaction has just added one of them."""
    for part in chunks(rows, transaction.dialect.rows_max // len(SEAT_COLUMNS)):
        await transaction.insert("seats", SEAT_COLUMNS, part)


@lru_cache(maxsize=16)
def _update_statement(size: int) -> str:
    case = "CASE id" + " WHEN ? THEN ?" * size + " END"
    return (
        f"UPDATE seats SET category_id = {case}, x = {case}, y = {case} "  # noqa: S608 - placeholders only
        f"WHERE account_id = ? AND id IN ({marks(size)})"
    )


def _seat_record(row: Row) -> SeatRecord:
    seat, section, row_name, number, category, state, x, y = row
    return SeatRecord(
        seat.decode(), section.decode(), row_name.decode(), number.decode(), category.decode(), state, x, y
    )
