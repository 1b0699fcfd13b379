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

    @property
    def subject(self) -> str:
        """What it tells of: `reservation`, `stock`, `seat` or `category`."""
        return self.type.partition(".")[0]


BATCHES_PER_STATEMENT = 32
"""Few: a batch may have hundreds of messages, and the server sorts all that a statement finds."""

SELECT_REST = """
SELECT m.batch_id, o.position, m.ordinal, m.type, m.at, m.reference, m.version, m.body
FROM outbox o JOIN messages m ON m.batch_id = o.batch_id AND m.account_id = o.account_id
WHERE o.account_id = ? AND o.position = ? AND m.ordinal > ?
ORDER BY m.ordinal LIMIT ?
"""
"""What is left of the batch in which the reader stopped."""

SELECT_FOLLOWING = f"""
SELECT m.batch_id, o.position, m.ordinal, m.type, m.at, m.reference, m.version, m.body
FROM (SELECT account_id, batch_id, position FROM outbox
      WHERE account_id = ? AND position > ? ORDER BY position LIMIT {BATCHES_PER_STATEMENT}) o
JOIN messages m ON m.batch_id = o.batch_id AND m.account_id = o.account_id
ORDER BY o.position, m.ordinal LIMIT ?
"""  # noqa: S608 - a number of our own
"""The batches are bounded before they are joined: else MySQL sorts all messages that the account has left to read."""


async def select_messages(reader: Transaction, account_id: bytes, after: Place, limit: int) -> list[MessageRow]:
    """Sequenced messages behind `after`, oldest first."""
    rows = list(await reader.rows(SELECT_REST, (account_id, after.position, after.ordinal, limit)))
    position = after.position
    while len(rows) < limit:
        following = await reader.rows(SELECT_FOLLOWING, (account_id, position, limit - len(rows)))
        if not following:
            break
        rows += following
        position = following[-1][1]
    return [
        MessageRow(
            bytes(row[0]),
            Place(row[1], row[2]),
            row[3].decode(),
            row[4],
            None if row[5] is None else row[5].decode(),
            row[6],
            bytes(row[7]),
        )
        for row in rows
    ]
