"""Processes tell each other, and operators, which rows they fight for.

A small table: few rows for each process, written every two seconds while there is something to tell, and gone with it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def text(length: int) -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary(length).with_variant(mysql.VARBINARY(length), "mysql", "mariadb")


def upgrade() -> None:
    # MySQL commits each DDL statement by itself: an upgrade that was interrupted goes on where it was.
    if sa.inspect(op.get_bind()).has_table("hot_rows"):
        return
    identifier = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
    op.create_table(
        "hot_rows",
        sa.Column("process", text(255), nullable=False),
        sa.Column("table_name", text(64), nullable=False),
        sa.Column("row_id", identifier, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("conflicts", sa.BigInteger(), nullable=False),
        sa.Column("locks", sa.BigInteger(), nullable=False),
        sa.Column("lock_timeouts", sa.BigInteger(), nullable=False),
        sa.Column("lock_wait_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("process", "table_name", "row_id", name="pk_hot_rows"),
        mysql_engine="InnoDB",
        mysql_default_charset="utf8mb4",
        mysql_row_format="DYNAMIC",
        mariadb_engine="InnoDB",
        mariadb_default_charset="utf8mb4",
        mariadb_row_format="DYNAMIC",
    )
