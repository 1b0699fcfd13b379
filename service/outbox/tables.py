"""Messages: every change of state, once.

A reservation's messages are its history (R4, R8), their bodies the stored responses.
Messages of one transaction share its batch. `outbox` has one row for each account that a batch wrote messages of;
the sequencer gives that row, once committed, the account's next gapless position, and readers page by it.
Identifiers and timestamps do not order commits; positions do.
"""

from sqlalchemy import Column, Index, Table, UniqueConstraint

from service.database.schema import Blob, Id, Instant, Name, Small, Text, Whole, metadata

messages = Table(
    "messages",
    metadata,
    Column("batch_id", Id, primary_key=True),
    Column("ordinal", Small, primary_key=True, autoincrement=False),
    Column("account_id", Id, nullable=False),
    Column("subject_id", Id, nullable=False),  # the reservation or the stock item; of a mend the seat or category, too
    Column("version", Whole, nullable=False),
    Column("type", Name, nullable=False),
    Column("reference", Text(1020)),
    Column("from_state", Text(9)),
    Column("to_state", Text(9)),
    Column("action", Text(16), nullable=False),
    Column("actor", Text(300), nullable=False),
    Column("reason", Text(800)),
    Column("at", Instant, nullable=False),
    Column("body", Blob(16777215), nullable=False),  # the subject as it was then, as JSON
    UniqueConstraint("subject_id", "version"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("batch_id", Id, primary_key=True),
    Column("position", Whole),
    UniqueConstraint("account_id", "position"),
    Index(None, "position"),
)

outbox_sequencer = Table(
    "outbox_sequencer",
    metadata,
    Column("id", Small, primary_key=True, autoincrement=False),  # one row, 1: whoever gives positions locks it
    Column("sequenced_at", Instant, nullable=False),
)
