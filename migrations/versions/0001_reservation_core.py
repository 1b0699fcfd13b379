"""The reservation core: accounts, inventory, reservations, idempotency records, messages.

Every step asks first whether it is done already: MySQL commits each DDL statement by itself, so an upgrade that was
interrupted is continued by running it again. Types are spelled out here and not imported: a revision says for ever
what it said when it was released.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger()
SMALL = sa.SmallInteger()
NUMBER = sa.Integer()


def binary(length: int) -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary(length).with_variant(mysql.BINARY(length), "mysql", "mariadb")


def text(length: int) -> sa.types.TypeEngine[bytes]:
    """UTF-8 bytes, compared byte by byte."""
    return sa.LargeBinary(length).with_variant(mysql.VARBINARY(length), "mysql", "mariadb")


def blob() -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


IDENTIFIER = binary(16)
NAME = text(64)


def required(name: str, kind: sa.types.TypeEngine[object]) -> sa.Column[object]:
    return sa.Column(name, kind, nullable=False)


def optional(name: str, kind: sa.types.TypeEngine[object]) -> sa.Column[object]:
    return sa.Column(name, kind, nullable=True)


def create(name: str, *parts: sa.schema.SchemaItem, indexes: Sequence[tuple[str, ...]] = ()) -> None:
    """Create the table and its indexes, as far as they are not there yet."""
    inspector = sa.inspect(op.get_bind())
    present: set[str | None] = set()
    if inspector.has_table(name):
        present = {index["name"] for index in inspector.get_indexes(name)}
    else:
        op.create_table(
            name,
            *parts,
            mysql_engine="InnoDB",
            mysql_default_charset="utf8mb4",
            mysql_row_format="DYNAMIC",
            mariadb_engine="InnoDB",
            mariadb_default_charset="utf8mb4",
            mariadb_row_format="DYNAMIC",
        )
    for columns in indexes:
        index = f"ix_{name}__{'_'.join(columns)}"
        if index not in present:
            op.create_index(index, name, list(columns))


def upgrade() -> None:
    create_accounts()
    create_events()
    create_seats()
    create_stock()
    create_reservations()
    create_lines()
    create_idempotency_records()
    create_messages()
    create_outbox()
    create_batches()


def create_accounts() -> None:
    create(
        "accounts",
        required("id", IDENTIFIER),
        required("name", text(255)),
        required("hold_seconds", NUMBER),
        required("hold_seconds_max", NUMBER),
        required("created_at", WHOLE),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts__name"),
    )
    create(
        "api_keys",
        required("id", IDENTIFIER),
        required("account_id", IDENTIFIER),
        required("name", text(255)),
        required("prefix", NAME),
        required("secret_hash", binary(32)),
        required("scopes", text(255)),
        required("created_at", WHOLE),
        optional("revoked_at", WHOLE),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("prefix", name="uq_api_keys__prefix"),
        indexes=[("account_id", "id")],
    )


def create_events() -> None:
    create(
        "events",
        required("id", IDENTIFIER),
        required("account_id", IDENTIFIER),
        required("event", NAME),
        required("name", text(800)),
        required("starts_at", WHOLE),
        required("hold_seconds", NUMBER),
        required("hold_seconds_max", NUMBER),
        required("sales", text(8)),
        optional("front_row", NAME),
        required("definition_version", WHOLE),
        required("created_at", WHOLE),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("account_id", "event", name="uq_events__account_id_event"),
        # open, closed
        sa.CheckConstraint("sales IN (x'6F70656E', x'636C6F736564')", name=op.f("ck_events__sales")),
        sa.CheckConstraint(
            "hold_seconds >= 1 AND hold_seconds_max >= hold_seconds", name=op.f("ck_events__hold_seconds")
        ),
    )
    create(
        "event_categories",
        required("id", IDENTIFIER),
        required("account_id", IDENTIFIER),
        required("event_id", IDENTIFIER),
        required("category", NAME),
        required("name", text(800)),
        required("amount", WHOLE),
        required("currency", text(3)),
        required("waiters", NUMBER),
        required("version", WHOLE),
        sa.PrimaryKeyConstraint("id", name="pk_event_categories"),
        sa.UniqueConstraint(
            "account_id", "event_id", "category", name="uq_event_categories__account_id_event_id_category"
        ),
        sa.CheckConstraint("waiters >= 0", name=op.f("ck_event_categories__waiters")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_event_categories__amount")),
    )


def create_seats() -> None:
    create(
        "seats",
        required("id", IDENTIFIER),
        required("account_id", IDENTIFIER),
        required("event_id", IDENTIFIER),
        required("seat", NAME),
        required("section", NAME),
        required("row_name", NAME),
        required("number", NAME),
        required("category_id", IDENTIFIER),
        optional("x", sa.Double()),
        optional("y", sa.Double()),
        required("state", SMALL),
        required("version", WHOLE),
        sa.PrimaryKeyConstraint("id", name="pk_seats"),
        sa.UniqueConstraint("account_id", "event_id", "seat", name="uq_seats__account_id_event_id_seat"),
        sa.CheckConstraint("state BETWEEN 0 AND 3", name=op.f("ck_seats__state")),
        indexes=[("event_id", "section"), ("event_id", "row_name")],
    )


def create_stock() -> None:
    create(
        "stock_items",
        required("id", IDENTIFIER),
        required("account_id", IDENTIFIER),
        required("sku", NAME),
        required("location", NAME),
        required("description", text(800)),
        required("on_hand", WHOLE),
        required("held", WHOLE),
        required("confirmed", WHOLE),
        required("amount", WHOLE),
        required("currency", text(3)),
        required("waiters", NUMBER),
        required("version", WHOLE),
        required("definition_version", WHOLE),
        required("created_at", WHOLE),
        sa.PrimaryKeyConstraint("id", name="pk_stock_items"),
        sa.UniqueConstraint("account_id", "sku", "location", name="uq_stock_items__account_id_sku_location"),
        sa.CheckConstraint("held >= 0", name=op.f("ck_stock_items__held")),
        sa.CheckConstraint("confirmed >= 0", name=op.f("ck_stock_items__confirmed")),
        sa.CheckConstraint("held + confirmed <= on_hand", name=op.f("ck_stock_items__on_hand")),
        sa.CheckConstraint("waiters >= 0", name=op.f("ck_stock_items__waiters")),
    )
    create(
        "stock_adjustments",
        required("id", IDENTIFIER),
        required("account_id", IDENTIFIER),
        required("stock_item_id", IDENTIFIER),
        required("reference", text(1020)),
        required("delta", WHOLE),
        optional("reason", text(800)),
        required("actor", text(300)),
        required("adjusted_at", WHOLE),
        required("body", blob()),
        sa.PrimaryKeyConstraint("id", name="pk_stock_adjustments"),
        sa.UniqueConstraint(
            "account_id",
            "stock_item_id",
            "reference",
            name="uq_stock_adjustments__account_id_stock_item_id_reference",
        ),
    )


def create_reservations() -> None:
    create(
        "reservations",
        required("id", IDENTIFIER),
        required("account_id", IDENTIFIER),
        required("reference", text(10)),
        optional("external_reference", text(1020)),
        optional("customer", NAME),
        required("state", text(9)),
        required("version", WHOLE),
        required("hold_seconds", NUMBER),
        required("hold_seconds_max", NUMBER),
        optional("lapses_at", WHOLE),
        required("created_at", WHOLE),
        optional("held_at", WHOLE),
        optional("confirmed_at", WHOLE),
        optional("ended_at", WHOLE),
        optional("metadata", text(4096)),
        optional("wanted", blob()),
        sa.PrimaryKeyConstraint("id", name="pk_reservations"),
        sa.UniqueConstraint("account_id", "reference", name="uq_reservations__account_id_reference"),
        sa.UniqueConstraint("account_id", "external_reference", name="uq_reservations__account_id_external_reference"),
        sa.CheckConstraint(
            # pending, held, confirmed, released, expired, cancelled
            "state IN (x'70656E64696E67', x'68656C64', x'636F6E6669726D6564', "
            "x'72656C6561736564', x'65787069726564', x'63616E63656C6C6564')",
            name=op.f("ck_reservations__state"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_reservations__version")),
        indexes=[("lapses_at",), ("account_id", "id")],
    )


def create_lines() -> None:
    create(
        "reservation_lines",
        required("reservation_id", IDENTIFIER),
        sa.Column("line", SMALL, nullable=False, autoincrement=False),
        required("account_id", IDENTIFIER),
        required("inventory_id", IDENTIFIER),
        optional("seat_id", IDENTIFIER),
        optional("live", SMALL),
        required("name", NAME),
        optional("place", NAME),
        required("quantity", WHOLE),
        optional("amount", WHOLE),
        optional("currency", text(3)),
        optional("released_at", WHOLE),
        sa.PrimaryKeyConstraint("reservation_id", "line", name="pk_reservation_lines"),
        sa.UniqueConstraint("seat_id", "live", name="uq_reservation_lines__seat_id_live"),
        sa.CheckConstraint("live IS NULL OR live = 1", name=op.f("ck_reservation_lines__live")),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_reservation_lines__quantity")),
        indexes=[("inventory_id", "reservation_id")],
    )
    create(
        "waiters",
        required("pool_id", IDENTIFIER),
        required("reservation_id", IDENTIFIER),
        required("account_id", IDENTIFIER),
        sa.PrimaryKeyConstraint("pool_id", "reservation_id", name="pk_waiters"),
        indexes=[("reservation_id",)],
    )


def create_idempotency_records() -> None:
    create(
        "idempotency_records",
        required("id", IDENTIFIER),
        required("account_id", IDENTIFIER),
        required("scope_hash", binary(32)),
        required("fingerprint_version", SMALL),
        required("fingerprint", binary(96)),
        required("first_seen_at", WHOLE),
        required("expires_at", WHOLE),
        required("status", SMALL),
        optional("location", text(255)),
        optional("etag", text(64)),
        optional("message_batch_id", IDENTIFIER),
        optional("message_ordinal", SMALL),
        optional("body", blob()),
        sa.PrimaryKeyConstraint("id", name="pk_idempotency_records"),
        sa.UniqueConstraint("scope_hash", name="uq_idempotency_records__scope_hash"),
        indexes=[("expires_at",)],
    )


def create_messages() -> None:
    create(
        "messages",
        required("batch_id", IDENTIFIER),
        sa.Column("ordinal", SMALL, nullable=False, autoincrement=False),
        required("account_id", IDENTIFIER),
        required("subject_id", IDENTIFIER),
        required("version", WHOLE),
        required("type", NAME),
        optional("reference", text(1020)),
        optional("from_state", text(9)),
        optional("to_state", text(9)),
        required("action", text(16)),
        required("actor", text(300)),
        optional("reason", text(800)),
        required("at", WHOLE),
        required("body", blob()),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", name="pk_messages"),
        sa.UniqueConstraint("subject_id", "version", name="uq_messages__subject_id_version"),
    )


def create_outbox() -> None:
    create(
        "outbox",
        required("account_id", IDENTIFIER),
        required("batch_id", IDENTIFIER),
        optional("position", WHOLE),
        sa.PrimaryKeyConstraint("account_id", "batch_id", name="pk_outbox"),
        sa.UniqueConstraint("account_id", "position", name="uq_outbox__account_id_position"),
        indexes=[("position",)],
    )
    create(
        "outbox_sequencer",
        sa.Column("id", SMALL, nullable=False, autoincrement=False),
        required("sequenced_at", WHOLE),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_sequencer"),
    )
    sequencer = sa.table("outbox_sequencer", sa.column("id", SMALL), sa.column("sequenced_at", WHOLE))
    if op.get_bind().execute(sa.select(sequencer.c.id)).first() is None:
        op.bulk_insert(sequencer, [{"id": 1, "sequenced_at": 0}])


def create_batches() -> None:
    create(
        "batches",
        required("id", IDENTIFIER),
        required("written_at", WHOLE),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        indexes=[("written_at",)],
    )
