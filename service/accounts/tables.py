"""Accounts and their API keys. Of a key's secret only a hash is stored."""

from sqlalchemy import Column, Index, Table, UniqueConstraint

from service.database.schema import Binary, Id, Instant, Name, Number, Text, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text(255), nullable=False),
    Column("hold_seconds", Number, nullable=False),
    Column("hold_seconds_max", Number, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("name"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, nullable=False),
    # The principal of idempotency scopes: two keys of one name are one caller, so that a key can be rotated.
    Column("name", Text(255), nullable=False),
    Column("prefix", Name, nullable=False),
    Column("secret_hash", Binary(32), nullable=False),
    Column("scopes", Text(255), nullable=False),  # space separated
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    UniqueConstraint("prefix"),
    Index(None, "account_id", "id"),
)
