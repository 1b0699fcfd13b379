"""Finding idempotency records for people: those of one message, and those of a key's text, whoever sent it.

The hot path needs neither, so neither has an index of its own: requests look by scope hash, and nothing else.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from service.database.transaction import Transaction
from service.idempotency.records import Record, select_records
from service.idempotency.scope import scope_hash
from service.ids import least_id, made_at

WITHIN_MS: Final = 120_000
"""Longer than any attempt lasts: a batch that met its deadline, and a time-out of every statement, has long ended."""

FIRST_PART: Final = 500
"""Nearly always enough: a record is written milliseconds after its batch was given its id."""

KEY_ID_DIGITS: Final = 16


def key_id(scope: bytes) -> str:
    """What a key may be called where its text is not known: the first digits of its scope's hash."""
    return scope.hex()[:KEY_ID_DIGITS]


class MessageRecord(msgspec.Struct, frozen=True):
    """A record whose stored answer is a message."""

    scope_hash: bytes
    first_seen_at: int
    expires_at: int
    status: int


class Search:
    """Looks for the records of messages, reading no more than `rows_most` rows for all of them."""

    def __init__(self, reader: Transaction, account_id: bytes, rows_most: int) -> None:
        self._reader = reader
        self._account_id = account_id
        self._rows_left = rows_most

    @property
    def is_exhausted(self) -> bool:
        """Whether it has read all that it may; what was asked for last may then be incomplete."""
        return self._rows_left <= 0

    async def records_of(self, batch_id: bytes, ordinal: int) -> list[MessageRecord]:
        """Those of one message. None may be left: a request without a key has none, and old ones are purged.

        There is no index on the message, since every keyed request would have to write it. But the table is clustered
        by id, a record's id is drawn in the process and after the id of its batch, and ids begin with their time: so
        the records of a batch lie right behind its id. They are looked for there, in parts that grow, until one part
        has them, or WITHIN_MS have been read.
        """
        behind, end, part = batch_id, least_id(made_at(batch_id) + WITHIN_MS), FIRST_PART
        while not self.is_exhausted:
            part = min(part, self._rows_left)
            last = await self._id_at(behind, end, part)
            found = await self._between(behind, last or end, batch_id, ordinal)
            self._rows_left -= part
            if found or last is None:
                return found
            behind, part = last, part * 10
        return []

    async def _id_at(self, behind: bytes, end: bytes, rows: int) -> bytes | None:
        """The id so many rows further on; None where there are fewer before `end`."""
        sql = "SELECT id FROM idempotency_records WHERE id > ? AND id < ? ORDER BY id LIMIT 1 OFFSET ?"
        found = await self._reader.rows(sql, (behind, end, rows - 1))
        return bytes(found[0][0]) if found else None

    async def _between(self, behind: bytes, last: bytes, batch_id: bytes, ordinal: int) -> list[MessageRecord]:
        sql = (
            "SELECT scope_hash, first_seen_at, expires_at, status FROM idempotency_records "
            "WHERE id > ? AND id <= ? AND message_batch_id = ? AND message_ordinal = ? AND account_id = ? ORDER BY id"
        )
        rows = await self._reader.rows(sql, (behind, last, batch_id, ordinal, self._account_id))
        return [MessageRecord(bytes(row[0]), row[1], row[2], row[3]) for row in rows]


class Asked(msgspec.Struct, frozen=True):
    """Who may have sent a key, and what for."""

    principal: str
    method: str
    route: str


def scopes_of(
    account_id: bytes, principals: Iterable[str], operations: Iterable[tuple[str, str]], key: str
) -> dict[bytes, Asked]:
    """The scope of `key` in every operation (method and route) of every principal, by its hash."""
    operations = tuple(operations)
    return {
        scope_hash(account_id, principal, method, route, key): Asked(principal, method, route)
        for principal in principals
        for method, route in operations
    }


async def records_in(reader: Transaction, scopes: Mapping[bytes, Asked]) -> dict[bytes, Record]:
    """The records that there are, by the hash of their scope; first seen first."""
    found = (await select_records(reader, list(scopes)))[1]
    return dict(sorted(found.items(), key=lambda item: item[1].first_seen_at))
