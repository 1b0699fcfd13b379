"""Gives committed messages their account's next position, gapless, under one lock (R8).

A transaction that commits late gets a later position, so a reader that pages by position misses nothing. Done by the
worker, and by a reader before it reads. Safe anywhere, any number of times: it only moves what is committed.
"""

from service.clock import now_ms
from service.database.store import Store
from service.database.transaction import Transaction
from service.database.transactional import transactional

PART = 500

SELECT_UNSEQUENCED = """
SELECT o.account_id, o.batch_id FROM outbox o LEFT JOIN batches b ON b.id = o.batch_id
WHERE o.position IS NULL ORDER BY COALESCE(b.written_at, 0), o.batch_id LIMIT ?
"""
"""Oldest first by the database's clock; identifiers are made by hosts, whose clocks may be wrong."""


async def sequence(store: Store) -> int:
    """Give positions to all that was committed before this call; how many batches got one."""
    sequenced = 0
    while True:
        async with store.read() as reader:  # most calls find nothing, and need no lock for that
            if not await reader.rows("SELECT 1 FROM outbox WHERE position IS NULL LIMIT 1"):
                return sequenced
        done = await _sequence_part(store)
        sequenced += done
        if done < PART:
            return sequenced


@transactional
async def _sequence_part(transaction: Transaction) -> int:
    # The lock: whoever updates the one row is alone until COMMIT.
    await transaction.change("UPDATE outbox_sequencer SET sequenced_at = ? WHERE id = 1", (now_ms(),))
    rows = await transaction.rows(SELECT_UNSEQUENCED, (PART,))
    last: dict[bytes, int] = {}
    for row in rows:
        account_id, batch_id = bytes(row[0]), bytes(row[1])
        if account_id not in last:
            found = await transaction.rows("SELECT MAX(position) FROM outbox WHERE account_id = ?", (account_id,))
            last[account_id] = found[0][0] or 0
        last[account_id] += 1
        await transaction.change(
            "UPDATE outbox SET position = ? WHERE account_id = ? AND batch_id = ? AND position IS NULL",
            (last[account_id], account_id, batch_id),
        )
    return len(rows)
