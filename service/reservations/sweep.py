"""What time ends: found by plain reads, done as commands through the engine.

And the purge of old records.
"""

from service.database.store import Store
from service.database.transaction import Transaction, padded
from service.database.transactional import transactional
from service.metrics import SWEPT
from service.reservations.answers import ENDED
from service.reservations.command_engine import CommandEngine
from service.reservations.commands import ExpireReservation

PURGE_PART = 500
BATCHES_KEPT_MS = 3_600_000
"""Far longer than any request waits for the truth about its COMMIT."""

WORKER = "worker"

SELECT_LAPSED = """
SELECT account_id, reference FROM reservations
WHERE lapses_at <= ? ORDER BY lapses_at LIMIT ?
"""


async def sweep_lapsed(store: Store, engine: CommandEngine, limit: int) -> int:
    """End up to `limit` reservations whose time is over; how many this call ended, and nobody else before it."""
    async with store.read() as reader:
        rows = await reader.rows(SELECT_LAPSED, (await reader.now_ms(), limit))
    commands = [ExpireReservation(account_id=bytes(row[0]), actor=WORKER, reference=row[1].decode()) for row in rows]
    ended = sum(answer.body == ENDED for answer in await engine.submit_all(commands))
    SWEPT.labels("expire").inc(ended)
    return ended


async def purge_records(store: Store) -> int:
    """Delete a part of the idempotency records past their time; how many."""
    return await _purge(store, "idempotency_records", "expires_at", 0)


async def count_purgeable_records(store: Store) -> int:
    """How many idempotency records are past their time now."""
    async with store.read() as reader:
        count = "SELECT COUNT(*) FROM idempotency_records WHERE expires_at < ?"
        return int((await reader.rows(count, (await reader.now_ms(),)))[0][0])


async def purge_batches(store: Store) -> int:
    """Delete a part of the markers that nobody can ask for any more; how many."""
    return await _purge(store, "batches", "written_at", BATCHES_KEPT_MS)


@transactional
async def _purge(transaction: Transaction, table: str, column: str, age_ms: int) -> int:
    # The database's clock: a host's that is hours ahead would purge what is still needed.
    before = await transaction.now_ms() - age_ms
    # By id in sorted order and few at a time: a purge must not hold up anybody.
    found = f"SELECT id FROM {table} WHERE {column} < ? ORDER BY {column} LIMIT ?"  # noqa: S608 - our own names
    rows = await transaction.rows(found, (before, PURGE_PART))
    if not rows:
        return 0
    ids = sorted(bytes(row[0]) for row in rows)
    places, values = padded(ids)
    return await transaction.change(f"DELETE FROM {table} WHERE id IN ({places})", values)  # noqa: S608
