"""SQL of looking at one reservation and its history. They are changed by commands alone (`write.py`)."""

from collections.abc import Sequence

from service.clock import to_rfc3339
from service.database.drivers import Row
from service.database.transaction import Transaction, padded
from service.ids import show_reference
from service.refusals import NotFound
from service.reservations.records import Reservation
from service.reservations.rows import LINE_COLUMNS, RESERVATION_COLUMNS, line_of, of, reservation_of
from service.reservations.views import HistoryEntry

SELECT_RESERVATION = f"""
SELECT {of("r", RESERVATION_COLUMNS)}, {of("l", LINE_COLUMNS)}
FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id
WHERE r.account_id = ? AND r.reference = ? ORDER BY l.line
"""  # noqa: S608 - names of our own
"""One statement sees one state: two would show the lines of a later version than the reservation's own."""


async def select_reservation(reader: Transaction, account_id: bytes, reference: str) -> Reservation | None:
    rows = await reader.rows(SELECT_RESERVATION, (account_id, reference.encode()))
    own = len(RESERVATION_COLUMNS.split(", "))
    return reservation_of(rows[0], tuple(line_of(row[own:]) for row in rows)) if rows else None


async def find_reservation(reader: Transaction, account_id: bytes, reference: str) -> Reservation:
    """Raises NotFound."""
    reservation = await select_reservation(reader, account_id, reference)
    if reservation is None:
        raise NotFound(kind="reservation", name=show_reference(reference))
    return reservation


SELECT_LAPSED_UNITS = """
SELECT i.sku, SUM(l.quantity)
FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id JOIN stock_items i ON i.id = l.inventory_id
WHERE r.state = ? AND r.lapses_at <= ? AND l.live = 1 AND i.account_id = ? AND i.location = ? AND i.sku IN ({})
GROUP BY i.sku"""


async def select_lapsed_units(
    reader: Transaction, account_id: bytes, skus: Sequence[str], location: str
) -> dict[str, int]:
    """Units, by SKU, that count as held though the time of their holds is over. At most as many as one list holds."""
    places, names = padded([sku.encode() for sku in skus])
    values = (b"held", await reader.now_ms(), account_id, location.encode(), *names)
    rows = await reader.rows(SELECT_LAPSED_UNITS.format(places), values)
    return {row[0].decode(): int(row[1]) for row in rows}


async def select_history(reader: Transaction, reservation_id: bytes, after: int, limit: int) -> list[HistoryEntry]:
    """Changes after version `after`, oldest first."""
    rows = await reader.rows(
        "SELECT version, from_state, to_state, action, actor, at, reason FROM messages "
        "WHERE subject_id = ? AND version > ? ORDER BY version LIMIT ?",
        (reservation_id, after, limit),
    )
    return [_history_entry(row) for row in rows]


def _history_entry(row: Row) -> HistoryEntry:
    version, source, target, action, actor, at, reason = row
    return HistoryEntry(
        version=version,
        source=None if source is None else source.decode(),
        target=target.decode(),
        action=action.decode(),
        actor=actor.decode(),
        at=to_rfc3339(at),
        reason=None if reason is None else reason.decode(),
    )
