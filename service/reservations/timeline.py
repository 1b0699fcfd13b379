"""A reservation's timeline: each change of its state, the message that tells of it, and the key that asked for it."""

from typing import Final

import msgspec

from service.clock import to_rfc3339
from service.database.drivers import Row
from service.database.transaction import Transaction
from service.idempotency.search import MessageRecord, Search, key_id
from service.ids import id_text
from service.reservations.views import ReservationView

ROWS_MOST: Final = 100_000
"""Idempotency records that one page may read: a few hundred milliseconds."""

WITHOUT_KEY: Final = frozenset({b"hold", b"expire"})
"""Actions of the clock, and of decisions that free units: nobody asked for them under a key."""


class TimelineKey(msgspec.Struct, frozen=True, kw_only=True):
    """An idempotency key whose first answer this change is; its text is not stored, `key_id` is of its hash."""

    key_id: str
    status: int
    first_seen_at: str
    expires_at: str


class TimelineMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The message of the change; readers see it as soon as it is `sequenced`."""

    id: str
    type: str
    sequenced: bool


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True, rename={"source": "from", "target": "to"}):
    """One change of state."""

    version: int
    at: str
    action: str
    source: str | None
    target: str
    actor: str
    reason: str | None
    message: TimelineMessage
    keys: list[TimelineKey]


class Timeline(msgspec.Struct, frozen=True):
    """The reservation as it is now, and how it came to be so, oldest first."""

    reservation: ReservationView
    entries: list[TimelineEntry]
    next_cursor: str | None


SELECT_CHANGES = """
SELECT m.version, m.at, m.action, m.from_state, m.to_state, m.actor, m.reason, m.type, m.batch_id, m.ordinal, o.position
FROM messages m LEFT JOIN outbox o ON o.account_id = m.account_id AND o.batch_id = m.batch_id
WHERE m.subject_id = ? AND m.account_id = ? AND m.version > ? ORDER BY m.version LIMIT ?
"""


async def select_timeline(
    reader: Transaction, account_id: bytes, reservation_id: bytes, after: int, limit: int, rows_most: int = ROWS_MOST
) -> tuple[list[TimelineEntry], bool]:
    """Changes after version `after`, and whether there are more.

    A page has fewer than `limit` where looking for keys has cost enough, but one change at least.
    """
    search = Search(reader, account_id, rows_most)
    rows = await reader.rows(SELECT_CHANGES, (reservation_id, account_id, after, limit + 1))
    entries: list[TimelineEntry] = []
    for row in rows[:limit]:
        records = [] if row[2] in WITHOUT_KEY else await search.records_of(bytes(row[8]), row[9])
        if search.is_exhausted and entries:
            return entries, True
        entries.append(_entry(row, records))
    return entries, len(rows) > len(entries)


def _entry(row: Row, records: list[MessageRecord]) -> TimelineEntry:
    version, at, action, source, target, actor, reason, kind, batch_id, ordinal, position = row
    return TimelineEntry(
        version=version,
        at=to_rfc3339(at),
        action=action.decode(),
        source=None if source is None else source.decode(),
        target=target.decode(),
        actor=actor.decode(),
        reason=None if reason is None else reason.decode(),
        message=TimelineMessage(
            id=f"{id_text(bytes(batch_id))}-{ordinal}", type=kind.decode(), sequenced=position is not None
        ),
        keys=[
            TimelineKey(
                key_id=key_id(record.scope_hash),
                status=record.status,
                first_seen_at=to_rfc3339(record.first_seen_at),
                expires_at=to_rfc3339(record.expires_at),
            )
            for record in records
        ],
    )
