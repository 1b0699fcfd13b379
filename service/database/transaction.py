"""One open transaction (or one reading connection): the few ways in which the rest of the code talks to the database.

SQL is written once with `?` and positional values. Texts go in and come out as UTF-8 bytes.
Every driver's error leaves here as a StoreError.
"""

from collections.abc import Awaitable, Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from service.clock import now_ms
from service.database.dialects import Dialect
from service.database.drivers import Row, Values, driver_of
from service.database.errors import StoreError, translate
from service.database.silence import Silence

T = TypeVar("T")

LIST_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Lists in statements are padded to these lengths, so that prepared statements are found again."""


class Transaction:
    """A connection with what the dialect differs in. Begun and ended by `store.py` alone.

    A server that says nothing for `patience_seconds` after a statement counts as gone (`silence.py`).
    """

    __slots__ = ("connection", "dialect", "driver", "has_written", "silence")

    def __init__(self, connection: AsyncConnection, dialect: Dialect, patience_seconds: float | None) -> None:
        self.connection = connection
        self.dialect = dialect
        self.silence = Silence(patience_seconds)
        self.driver = driver_of(connection)
        self.has_written = False

    async def rows(self, sql: str, values: Values = ()) -> Sequence[Row]:
        """All rows of a SELECT."""
        return await self._answer(self.driver.rows(for_driver(sql, self.dialect.placeholder), values))

    async def change(self, sql: str, values: Values = ()) -> int:
        """Run an UPDATE or DELETE; the number of rows that it matched, changed or not."""
        self.has_written = True
        return await self._answer(self.driver.change(for_driver(sql, self.dialect.placeholder), values))

    async def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Values]) -> None:
        """Insert all rows in one round trip where the server can.

        Columns that are None in every row are left out: MariaDB's bulk protocol cannot type them.
        """
        if not rows:
            return
        self.has_written = True
        cells_of = zip(*rows, strict=True)
        # The first row answers for most columns: a whole one is looked through only where that has nothing.
        kept = [place for place, cells in enumerate(cells_of) if cells[0] is not None or any(map(_is_something, cells))]
        if len(kept) < len(columns):
            columns = tuple(columns[place] for place in kept)
            rows = list(map(itemgetter(*kept), rows)) if len(kept) > 1 else [(row[kept[0]],) for row in rows]
        sql = insert_statement(table, columns, self.dialect.placeholder)
        if len(rows) == 1:
            await self._answer(self.driver.change(sql, rows[0]))
        else:
            await self._answer(self.driver.many(sql, rows))

    async def lock(self, table: str, ids: Sequence[bytes]) -> None:
        """Wait for rows, in the order of their primary key as everybody does, and keep them until the end.

        On SQLite there is nothing to wait for: whoever writes is alone.
        """
        if not self.dialect.for_update:
            return
        for part in chunks(sorted(ids)):
            places, values = padded(part)
            sql = f"SELECT id FROM {table} WHERE id IN ({places}) ORDER BY id{self.dialect.for_update}"  # noqa: S608
            await self.rows(sql, values)

    async def roll_back(self) -> None:
        """ROLLBACK."""
        await self._answer(self.driver.rollback())

    async def _answer(self, statement: Awaitable[T]) -> T:
        """What the server says to a statement; every error as what it means."""
        try:
            return await self.silence.bound(statement)
        except StoreError:
            raise
        except Exception as error:
            raise translate(error) from error

    async def now_ms(self) -> int:
        """The database's clock, in milliseconds; the host's on SQLite."""
        return now_ms() if self.dialect.clock is None else (await self.rows_at("SELECT {clock}"))[0]

    async def rows_at(self, sql: str, values: Values = ()) -> tuple[int, Sequence[Row]]:
        """The clock, and all rows of a SELECT that gives `{clock}` first and has a row in any case."""
        rows = await self.rows(sql.replace("{clock}", self.dialect.clock or "NULL"), values)
        return now_ms() if rows[0][0] is None else int(rows[0][0]), rows


def _is_something(cell: object) -> bool:
    return cell is not None


@lru_cache(maxsize=4096)
def for_driver(sql: str, placeholder: str) -> str:
    return sql if placeholder == "?" else sql.replace("?", placeholder)


@lru_cache(maxsize=1024)
def insert_statement(table: str, columns: tuple[str, ...], placeholder: str) -> str:
    marks = ", ".join([placeholder] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of our own tables


def padded(values: Sequence[Any]) -> tuple[str, Values]:
    """Placeholders and values of an IN list, padded by repeating the last one. At most 512 values."""
    size = padded_size(len(values))
    return marks(size), (*values, *[values[-1]] * (size - len(values)))


@lru_cache(maxsize=1024)
def padded_size(count: int) -> int:
    """The least of LIST_SIZES that holds `count`."""
    return next(size for size in LIST_SIZES if size >= count)


@lru_cache(maxsize=64)
def marks(size: int) -> str:
    return ", ".join(["?"] * size)


def chunks(values: Sequence[T], size: int = LIST_SIZES[-1]) -> Iterable[Sequence[T]]:
    """`values` in pieces that fit one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
