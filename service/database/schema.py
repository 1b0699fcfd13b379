"""The metadata that every table hangs on, and the column types that both stores share.

Clients' texts are bytes in the database: MySQL's text collations make `Key`, `KEY` and `Key ` one key.
Times are milliseconds since the epoch: DATETIME rounds. Identifiers are 16 raw bytes.
No foreign keys (an insert would take a shared lock on its parent row and deadlock counters),
no AUTO_INCREMENT: the auditor checks what a foreign key would.
"""

from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, SmallInteger
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s__%(column_0_N_name)s",
        "uq": "uq_%(table_name)s__%(column_0_N_name)s",
        "ck": "ck_%(table_name)s__%(constraint_name)s",
    }
)

Whole = BigInteger
"""A count, an amount in minor units or a version."""

Instant = BigInteger
"""UTC milliseconds since the epoch."""

Small = SmallInteger
Number = Integer


def Binary(length: int) -> TypeEngine[bytes]:  # noqa: N802 - reads as a column type
    """Exactly `length` bytes: an identifier (16) or a hash (32, 96)."""
    return LargeBinary(length).with_variant(mysql.BINARY(length), "mysql", "mariadb")


def Blob(length: int) -> TypeEngine[bytes]:  # noqa: N802 - reads as a column type
    """Up to `length` bytes that nothing searches: a body, metadata."""
    if length <= 4096:  # noqa: PLR2004 - short ones stay inside the row
        return LargeBinary(length).with_variant(mysql.VARBINARY(length), "mysql", "mariadb")
    return LargeBinary(length).with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


class Text(TypeDecorator[str]):
    """A client's text: `str` in Python, its UTF-8 bytes in the database, compared byte by byte."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.VARBINARY(self.length))
        return dialect.type_descriptor(LargeBinary(self.length))

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> bytes | None:
        return None if value is None else value.encode()

    def process_result_value(self, value: bytes | None, _dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).decode()


Id = Binary(16)
Name = Text(64)
