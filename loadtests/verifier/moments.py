"""In which order the transactions of an account took effect.

A message's own time is read before the rows are: between the two another process may have committed, and both be right.
The marker of its batch is stamped by the database after all reads, so markers order whatever depended on each other.
They are purged after an hour; then the positions of the outbox tell the order, which are given in that of the markers.
"""

from loadtests.verifier.rows import Rows

UNMARKED = """
SELECT COUNT(*) FROM messages m LEFT JOIN batches b ON b.id = m.batch_id WHERE m.account_id = ? AND b.id IS NULL"""

JOINS = """
LEFT JOIN batches b ON b.id = m.batch_id
LEFT JOIN outbox o ON o.account_id = m.account_id AND o.batch_id = m.batch_id"""
"""What `moment_of` needs beside messages `m`."""

NOT_SEQUENCED = 2**62


def moment_of(rows: Rows, account_id: bytes) -> str:
    """An SQL expression: a number of a message `m` to sort by, equal inside one transaction."""
    if rows.select(UNMARKED, (account_id,))[0][0]:
        return f"COALESCE(o.position, {NOT_SEQUENCED})"
    return "b.written_at"
