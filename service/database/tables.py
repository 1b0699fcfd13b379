"""The marker that every transaction that writes leaves, so that a lost COMMIT can be looked up (R3, R7)."""

from sqlalchemy import Column, Index, Table

from service.database.schema import Id, Instant, metadata

batches = Table(
    "batches",
    metadata,
    Column("id", Id, primary_key=True),
    Column("written_at", Instant, nullable=False),
    Index(None, "written_at"),
)
