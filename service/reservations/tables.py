"""Reservations, their lines, and who waits for which pool.

R1: `uq_reservation_lines__seat_id_live`: a live line has `live` 1, a line given back has NULL, and NULLs never collide,
so one seat cannot have two live lines even if the code is wrong.
"""

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint

from service.database.schema import Blob, Id, Instant, Name, Number, Small, Text, Whole, metadata

STATES = ("pending", "held", "confirmed", "released", "expired", "cancelled")
_STATE_LITERALS = ", ".join(f"x'{state.encode().hex().upper()}'" for state in STATES)

reservations = Table(
    "reservations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, nullable=False),
    Column("reference", Text(10), nullable=False),
    Column("external_reference", Text(1020)),
    Column("customer", Name),
    Column("state", Text(9), nullable=False),
    Column("version", Whole, nullable=False),
    Column("hold_seconds", Number, nullable=False),
    Column("hold_seconds_max", Number, nullable=False),
    # When the clock ends it: of a held one hold_expires_at, of a pending one wait_expires_at, else null.
    Column("lapses_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("held_at", Instant),
    Column("confirmed_at", Instant),
    Column("ended_at", Instant),  # of an expired one: when its hold was over, not when a sweep met it
    Column("metadata", Blob(4096)),
    Column("wanted", Blob(65536)),  # the request's lines, kept while pending
    UniqueConstraint("account_id", "reference"),
    UniqueConstraint("account_id", "external_reference"),
    Index(None, "lapses_at"),
    Index(None, "account_id", "id"),
    CheckConstraint(f"state IN ({_STATE_LITERALS})", name="state"),
    CheckConstraint("version >= 1", name="version"),
)

reservation_lines = Table(
    "reservation_lines",
    metadata,
    Column("reservation_id", Id, primary_key=True),
    Column("line", Small, primary_key=True, autoincrement=False),
    Column("account_id", Id, nullable=False),
    Column("inventory_id", Id, nullable=False),  # the event or the stock item
    Column("seat_id", Id),  # null: a line of stock, or a seat not yet chosen
    Column("live", Small),  # 1 while held or confirmed, else null
    # Names never change, so a line carries them and a reservation is shown without a join.
    Column("name", Name, nullable=False),  # the event or the SKU
    Column("place", Name),  # the seat's label or the location
    Column("quantity", Whole, nullable=False),
    Column("amount", Whole),
    Column("currency", Text(3)),
    Column("released_at", Instant),
    UniqueConstraint("seat_id", "live"),
    Index(None, "inventory_id", "reservation_id"),
    CheckConstraint("live IS NULL OR live = 1", name="live"),
    CheckConstraint("quantity >= 1", name="quantity"),
)

waiters = Table(
    "waiters",
    metadata,
    Column("pool_id", Id, primary_key=True),  # the stock item or the event's category
    Column("reservation_id", Id, primary_key=True),
    Column("account_id", Id, nullable=False),
    Index(None, "reservation_id"),
)
