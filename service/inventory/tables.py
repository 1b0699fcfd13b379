"""What can be claimed: events with their categories and seats, stock items, and the adjustments of their counts.

R1 and R2 stand here as state and CHECKs; the unique key of R1 stands on reservation_lines.
`version` of a seat or a stock item guards its state or counts; `definition_version` is what its ETag shows.
"""

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint
from sqlalchemy import Double as Coordinate

from service.database.schema import Blob, Id, Instant, Name, Number, Small, Text, Whole, metadata

events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, nullable=False),
    Column("event", Name, nullable=False),
    Column("name", Text(800), nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("hold_seconds", Number, nullable=False),
    Column("hold_seconds_max", Number, nullable=False),
    Column("sales", Text(8), nullable=False),
    Column("front_row", Name),
    Column("definition_version", Whole, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("account_id", "event"),
    CheckConstraint("sales IN (x'6F70656E', x'636C6F736564')", name="sales"),  # open, closed
    CheckConstraint("hold_seconds >= 1 AND hold_seconds_max >= hold_seconds", name="hold_seconds"),
)

event_categories = Table(
    "event_categories",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, nullable=False),
    Column("event_id", Id, nullable=False),
    Column("category", Name, nullable=False),
    Column("name", Text(800), nullable=False),
    Column("amount", Whole, nullable=False),
    Column("currency", Text(3), nullable=False),
    Column("waiters", Number, nullable=False),
    Column("version", Whole, nullable=False),  # guards `waiters`
    UniqueConstraint("account_id", "event_id", "category"),
    CheckConstraint("waiters >= 0", name="waiters"),
    CheckConstraint("amount >= 0", name="amount"),
)

SEAT_AVAILABLE, SEAT_HELD, SEAT_CONFIRMED, SEAT_BLOCKED = 0, 1, 2, 3

seats = Table(
    "seats",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, nullable=False),
    Column("event_id", Id, nullable=False),
    Column("seat", Name, nullable=False),  # the label, section-row-number
    Column("section", Name, nullable=False),
    Column("row_name", Name, nullable=False),  # ROW is a reserved word of MySQL
    Column("number", Name, nullable=False),
    Column("category_id", Id, nullable=False),
    Column("x", Coordinate),
    Column("y", Coordinate),
    Column("state", Small, nullable=False),
    Column("version", Whole, nullable=False),
    UniqueConstraint("account_id", "event_id", "seat"),
    Index(None, "event_id", "section", "category_id", "state"),  # all that a count of the event asks for
    Index(None, "event_id", "row_name"),
    CheckConstraint("state BETWEEN 0 AND 3", name="state"),
)

stock_items = Table(
    "stock_items",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, nullable=False),
    Column("sku", Name, nullable=False),
    Column("location", Name, nullable=False),
    Column("description", Text(800), nullable=False),
    Column("on_hand", Whole, nullable=False),
    Column("held", Whole, nullable=False),
    Column("confirmed", Whole, nullable=False),
    Column("amount", Whole, nullable=False),
    Column("currency", Text(3), nullable=False),
    Column("waiters", Number, nullable=False),
    Column("version", Whole, nullable=False),
    Column("definition_version", Whole, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("account_id", "sku", "location"),
    CheckConstraint("held >= 0", name="held"),
    CheckConstraint("confirmed >= 0", name="confirmed"),
    CheckConstraint("held + confirmed <= on_hand", name="on_hand"),
    CheckConstraint("waiters >= 0", name="waiters"),
)

stock_adjustments = Table(
    "stock_adjustments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, nullable=False),
    Column("stock_item_id", Id, nullable=False),
    Column("reference", Text(1020), nullable=False),
    Column("delta", Whole, nullable=False),
    Column("reason", Text(800)),
    Column("actor", Text(300), nullable=False),
    Column("adjusted_at", Instant, nullable=False),
    Column("body", Blob(65536), nullable=False),  # the first response, returned to a second sender
    UniqueConstraint("account_id", "stock_item_id", "reference"),
)
