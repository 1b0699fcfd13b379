"""SQL of reading messages in the order of their positions."""

from typing import NamedTuple

import msgspec

from service.database.transaction import Transaction


class Place(NamedTuple):
    """A place in an account's messages: the position of the batch, and the ordinal inside it."""

    position: int
    ordinal: int


class MessageRow(msgspec.Struct, frozen=True):
    """A message at its place."""

    batch_id: bytes
    place: Place
    type: str
    at: int
    reference: str | None
    version: int
    body: bytes
    is_reservation: bool


SELECT_MESSAGES = """
SELECT m.batch_id, o.position, m.ordinal, m.type, m.at, m.reference, m.version, m.body, m.to_state
FROM outbox o JOIN messages m ON m.batch_id = o.batch_id AND m.account_id = o.account_id
WHERE o.account_id = ? AND {}
ORDER BY o.position, m.ordinal LIMIT ?
"""
"""Two ranges, one after the other: `(position, ordinal) > (?, ?)` in one condition finds no index."""


async def select_messages(reader: Transaction, account_id: bytes, after: Place, limit: int) -> list[MessageRow]:
    """Sequenced messages behind `after`, oldest first."""
    rest = SELECT_MESSAGES.format("o.position = ? AND m.ordinal > ?")
    rows = list(await reader.rows(rest, (account_id, after.position, after.ordinal, limit)))
    if len(rows) < limit:
        following = SELECT_MESSAGES.format("o.position > ?")
        rows += await reader.rows(following, (account_id, after.position, limit - len(rows)))
    return [
        MessageRow(
            bytes(row[0]),
            Place(row[1], row[2]),
            row[3].decode(),
            row[4],
            None if row[5] is None else row[5].decode(),
            row[6],
            bytes(row[7]),
            row[8] is not None,
        )
        for row in rows
    ]
