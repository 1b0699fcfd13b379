"""Which rows each process fights for: what it tells of itself, for operators to look at. Nothing decides by it."""

from sqlalchemy import Column, Double, Table

from service.database.schema import Id, Instant, Name, Text, Whole, metadata

hot_rows = Table(
    "hot_rows",
    metadata,
    Column("process", Text(255), primary_key=True),  # host:pid
    Column("table_name", Name, primary_key=True),
    Column("row_id", Id, primary_key=True),
    Column("score", Double, nullable=False),  # conflicts, halved every five seconds
    Column("conflicts", Whole, nullable=False),  # since the report before
    # Since the process was started.
    Column("locks", Whole, nullable=False),
    Column("lock_timeouts", Whole, nullable=False),
    Column("lock_wait_ms", Whole, nullable=False),
    Column("seen_at", Instant, nullable=False),
)
