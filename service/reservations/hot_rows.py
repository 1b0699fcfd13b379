"""Hot rows by their names: what the processes tell (`engine/hot_row_report.py`) of one account's rows (R10)."""

from typing import Any, Final, Literal, NamedTuple

import msgspec

from service.clock import to_rfc3339
from service.database.transaction import Transaction
from service.engine.hot_row_report import SHOWN_MS
from service.ids import show_reference

SHOWN_MOST: Final = 500

Kind = Literal["seat", "category", "stock", "reservation"]


class HotRowView(msgspec.Struct, frozen=True, kw_only=True):
    """A row that a process fights for. The names are those of its kind, the others null.

    `conflicts` are halved every five seconds, `conflicts_lately` those of the last two seconds or so. Locks are those
    since the process was started.
    """

    process: str
    kind: Kind
    event: str | None = None
    seat: str | None = None
    category: str | None = None
    sku: str | None = None
    location: str | None = None
    reference: str | None = None
    conflicts: float
    conflicts_lately: int
    locks: int
    lock_timeouts: int
    lock_wait_ms: int
    seen_at: str


class _Named(NamedTuple):
    """Where a kind of row has its names."""

    kind: Kind
    table: str
    join: str
    columns: str
    names: tuple[str, ...]


_OF_EVENT: Final = "JOIN events e ON e.id = n.event_id"
_KINDS: Final = (
    _Named("seat", "seats", _OF_EVENT, "e.event, n.seat", ("event", "seat")),
    _Named("category", "event_categories", _OF_EVENT, "e.event, n.category", ("event", "category")),
    _Named("stock", "stock_items", "", "n.sku, n.location", ("sku", "location")),
    _Named("reservation", "reservations", "", "n.reference", ("reference",)),
)


async def select_hot_rows(reader: Transaction, account_id: bytes, now: int) -> list[HotRowView]:
    """Those that were told lately, hottest first."""
    found: list[HotRowView] = []
    for named in _KINDS:
        sql = (
            "SELECT h.process, h.score, h.conflicts, h.locks, h.lock_timeouts, h.lock_wait_ms, h.seen_at, "  # noqa: S608
            f"{named.columns} FROM hot_rows h JOIN {named.table} n ON n.id = h.row_id {named.join} "
            "WHERE h.table_name = ? AND h.seen_at >= ? AND n.account_id = ?"
        )
        rows = await reader.rows(sql, (named.table.encode(), now - SHOWN_MS, account_id))
        found += [_view(named, row) for row in rows]
    return sorted(found, key=lambda hot: hot.conflicts, reverse=True)[:SHOWN_MOST]


def _view(named: _Named, row: Any) -> HotRowView:  # noqa: ANN401 - a row of any driver
    process, score, conflicts, locks, timeouts, wait_ms, seen_at, *names = row
    return HotRowView(
        process=process.decode(),
        kind=named.kind,
        conflicts=round(score, 1),
        conflicts_lately=conflicts,
        locks=locks,
        lock_timeouts=timeouts,
        lock_wait_ms=wait_ms,
        seen_at=to_rfc3339(seen_at),
        **{name: _shown(name, cell.decode()) for name, cell in zip(named.names, names, strict=True)},
    )


def _shown(name: str, text: str) -> str:
    return show_reference(text) if name == "reference" else text
