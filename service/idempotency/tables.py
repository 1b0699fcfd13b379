"""One row for every keyed request that was answered (R3). The largest table.

Clustered by time, found by a narrow unique hash.
"""

from sqlalchemy import Column, Index, Table, UniqueConstraint

from service.database.schema import Binary, Blob, Id, Instant, Small, Text, metadata

idempotency_records = Table(
    "idempotency_records",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, nullable=False),
    Column("scope_hash", Binary(32), nullable=False),
    Column("fingerprint_version", Small, nullable=False),
    Column("fingerprint", Binary(96), nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("status", Small, nullable=False),
    Column("location", Text(255)),
    Column("etag", Text(64)),
    # The body is stored once: in the message that the effect wrote, or here where it wrote none.
    Column("message_batch_id", Id),
    Column("message_ordinal", Small),
    Column("body", Blob(16777215)),
    UniqueConstraint("scope_hash"),
    Index(None, "expires_at"),
)
