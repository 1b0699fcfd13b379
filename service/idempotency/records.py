"""Idempotency records: what the first answer to a keyed request was, written in the transaction of its effect (R3).

One module for the engine's batches and for plain use cases. A record past its time but not yet purged is still
honoured:
its unique key would refuse a second one anyway.
"""

from collections.abc import Sequence

import msgspec

from service.database.transaction import Transaction, chunks, padded
from service.idempotency.fingerprint import FINGERPRINT_VERSION, mismatch
from service.ids import new_id
from service.problems import render
from service.refusals import IdempotencyKeyReused, Refusal


class KeyedRequest(msgspec.Struct, frozen=True):
    """A request's idempotency key as it is stored: the scope's hash (32 bytes) and the fingerprint (96 bytes)."""

    account_id: bytes
    scope_hash: bytes
    fingerprint: bytes
    keep_ms: int

    def must_equal(self, first: "KeyedRequest", now: int) -> None:
        """Raises IdempotencyKeyReused where this is another request than the first one with the key, stored `now`."""
        parts = mismatch(first.fingerprint, self.fingerprint)
        if parts:
            raise IdempotencyKeyReused(mismatch=parts, kept_until=now + first.keep_ms)


class StoredAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it is stored and replayed, byte by byte.

    `expires_at` is None where no record exists; `replayed` is None where that record is another request's.
    """

    status: int
    body: bytes
    location: str | None = None
    etag: str | None = None
    replayed: bool | None = False
    expires_at: int | None = None


def refusal_answer(refusal: Refusal, request_id: str) -> StoredAnswer:
    """A refusal as it is sent and, where it is a decision, stored: with the id of the request that met it first."""
    problem = render(refusal, request_id)
    if isinstance(refusal, IdempotencyKeyReused):  # the record is the first request's
        return StoredAnswer(status=problem.status, body=problem.body, replayed=None, expires_at=refusal.kept_until)
    headers = dict(problem.headers)
    return StoredAnswer(
        status=problem.status, body=problem.body, location=headers.get("Location"), etag=headers.get("ETag")
    )


class Record(msgspec.Struct, frozen=True):
    """A stored answer with the request that it belongs to."""

    fingerprint_version: int
    fingerprint: bytes
    first_seen_at: int
    answer: StoredAnswer

    def replay(self, request: KeyedRequest) -> StoredAnswer:
        """The stored answer. Raises IdempotencyKeyReused where `request` is another one with the same key."""
        if self.fingerprint_version == FINGERPRINT_VERSION:
            parts = mismatch(self.fingerprint, request.fingerprint)
            if parts:
                raise IdempotencyKeyReused(mismatch=parts, kept_until=self.answer.expires_at)
        return self.answer


COLUMNS = (
    "id",
    "account_id",
    "scope_hash",
    "fingerprint_version",
    "fingerprint",
    "first_seen_at",
    "expires_at",
    "status",
    "location",
    "etag",
    "message_batch_id",
    "message_ordinal",
    "body",
)

SELECT_RECORDS = """
SELECT {{clock}}, r.scope_hash, r.fingerprint_version, r.fingerprint, r.first_seen_at, r.expires_at,
       r.status, r.location, r.etag, COALESCE(r.body, m.body)
FROM (SELECT 1) AS always
LEFT JOIN idempotency_records r ON r.scope_hash IN ({})
LEFT JOIN messages m ON m.batch_id = r.message_batch_id AND m.ordinal = r.message_ordinal
"""
"""The clock rides along: every request asks for both, and a trip to the database costs as much as a record."""


async def select_records(transaction: Transaction, scope_hashes: Sequence[bytes]) -> tuple[int, dict[bytes, Record]]:
    """The database's clock (ms), and the records that exist by scope hash."""
    if not scope_hashes:
        return await transaction.now_ms(), {}
    now, found = 0, dict[bytes, Record]()
    for part in chunks(sorted(set(scope_hashes))):
        places, values = padded(part)
        now, rows = await transaction.rows_at(SELECT_RECORDS.format(places), values)
        for _, scope_hash, version, fingerprint, first_seen_at, expires_at, status, location, etag, body in rows:
            if scope_hash is None:
                continue
            answer = StoredAnswer(
                status=status,
                body=bytes(body),
                location=None if location is None else location.decode(),
                etag=None if etag is None else etag.decode(),
                replayed=True,
                expires_at=expires_at,
            )
            found[bytes(scope_hash)] = Record(version, bytes(fingerprint), first_seen_at, answer)
    return now, found


def record_row(
    request: KeyedRequest, answer: StoredAnswer, now: int, message: tuple[bytes, int] | None
) -> tuple[object, ...]:
    """The row of one answer, in the order of COLUMNS. With `message` (batch, ordinal) the body is not stored twice."""
    batch_id, ordinal = message or (None, None)
    return (
        new_id(),
        request.account_id,
        request.scope_hash,
        FINGERPRINT_VERSION,
        request.fingerprint,
        now,
        now + request.keep_ms,
        answer.status,
        None if answer.location is None else answer.location.encode(),
        None if answer.etag is None else answer.etag.encode(),
        batch_id,
        ordinal,
        answer.body if message is None else None,
    )


async def insert_records(transaction: Transaction, rows: Sequence[tuple[object, ...]]) -> None:
    """By scope hash, so that two transactions meet in one order. Raises DuplicateKey where another was first."""
    await transaction.insert("idempotency_records", COLUMNS, sorted(rows, key=lambda row: row[2]))
