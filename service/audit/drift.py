"""Finds counters that are not what is beneath them, page by page: what `holdfast audit --repair` can mend, and cannot.

Each page is a few keys and one SELECT about them, so memory and statements stay small however large the tables are, and
each row is judged by itself at one moment: traffic that goes on makes no false alarm. Nothing here changes a row.
"""

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from service.database.store import Store
from service.reservations.commands import MendCategory, MendCommand, MendSeat, MendStock
from service.reservations.counted import SELECTS, Change, Counted, SeatCounted, StockCounted

PAGE_ROWS: Final = 256

NO_OWNER: Final = (
    "its account, event or category is missing or another one's; restore that row from a backup, then mend again"
)
CLAIMED: Final = (
    "its live lines claim {claimed} and {on_hand} are on hand; raise on_hand (PUT /v1/stock/{sku}) or release "
    "reservations of it, then mend again"
)
TAKEN_TWICE: Final = "{lines} live lines have it; release or cancel all of their reservations but one, then mend again"
ENDED: Final = "its live line is of a reservation that is {state}; this is a bug or a change by hand: ask for help"


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A row whose counters are wrong. `obstacle` is why they cannot be mended, and what to do; None where they can."""

    account: str | None
    what: str
    name: str
    changes: tuple[Change, ...]
    obstacle: str | None
    command: type[MendCommand]
    account_id: bytes
    row_id: bytes


async def drifted(store: Store) -> AsyncIterator[tuple[int, list[Drift]]]:
    """Page by page: how many rows it has, and those of them that are wrong. Raises StoreError."""
    for table, select in SELECTS.items():
        after = b""
        while True:
            # Patient, for an item may have millions of lines; let go between two pages.
            async with store.snapshot(patient=True) as reader:
                found = await reader.rows(
                    f"SELECT id FROM {table} WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608 - our own names
                    (after, PAGE_ROWS),
                )
                ids = [bytes(row[0]) for row in found]
                counted = await select(reader, ids)
            yield len(ids), [drift for row in sorted(counted, key=_id_of) if (drift := drift_of(row)) is not None]
            if len(ids) < PAGE_ROWS:
                break
            after = ids[-1]


def _id_of(row: Counted) -> bytes:
    return row.id


def drift_of(row: Counted) -> Drift | None:
    """What is wrong with a row; None where nothing is."""
    if not row.changes and not (isinstance(row, SeatCounted) and row.state_of_line is None):
        return None
    what, name, command = _named(row)
    return Drift(
        account=row.owner.name,
        what=what,
        name=name,
        changes=row.changes,
        obstacle=_obstacle(row),
        command=command,
        account_id=row.owner.account_id,
        row_id=row.id,
    )


def _named(row: Counted) -> tuple[str, str, type[MendCommand]]:
    if isinstance(row, StockCounted):
        return "stock item", f"{row.sku} at {row.location}", MendStock
    of_event = f"of {row.event or 'no event'}"
    if isinstance(row, SeatCounted):
        return "seat", f"{row.seat} {of_event}", MendSeat
    return "category", f"{row.category} {of_event}", MendCategory


def _obstacle(row: Counted) -> str | None:
    if row.owner.name is None:
        return NO_OWNER
    if isinstance(row, StockCounted):
        claimed = row.held_lines + row.confirmed_lines
        return None if row.can_stand else CLAIMED.format(claimed=claimed, on_hand=row.on_hand, sku=row.sku)
    if row.event is None or row.category is None:
        return NO_OWNER
    if isinstance(row, SeatCounted) and row.state_of_line is None:
        if row.live_lines > 1:
            return TAKEN_TWICE.format(lines=row.live_lines)
        return ENDED.format(state=row.reservation_state or "missing")
    return None
