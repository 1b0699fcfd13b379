"""Opens the store and its transactions: the only file that begins, commits and rolls back.

R3, R7: a transaction is committed or it is not, and `begin` does not return before that is known. Every transaction
inserts its marker as its last statement; where the connection dies during COMMIT, the marker is looked up on a fresh
one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.database import dialects
from service.database.commit import commit
from service.database.errors import Disconnected, StoreUnreachable, translate
from service.database.file_lock import FileLock
from service.database.session import verify_session
from service.database.transaction import Transaction
from service.database.turns import Turns
from service.settings import Settings

log = structlog.get_logger(__name__)


class Store:
    """The database of one process: a pool for transactions and one for single reads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.turns = Turns(settings)
        self._file_lock: FileLock | None = None
        self._trust = dialects.Trust()
        self._patience_seconds = None if settings.is_sqlite else settings.deadline_seconds
        if settings.is_sqlite:
            self.dialect = dialects.SQLITE
            path = Path(make_url(settings.database_url).database or "").absolute()
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file_lock = FileLock(path.with_name(f"{path.name}.lock"), settings.deadline_seconds)
            self._writers = dialects.create_sqlite_engine(settings, readonly=False)
            self._readers = dialects.create_sqlite_engine(settings, readonly=True)
        else:
            self.dialect = dialects.MYSQL
            self._writers = dialects.create_mysql_engine(settings, autocommit=False)
            self._readers = dialects.create_mysql_engine(settings, autocommit=True)
            self._trust.watch(self._writers)
            self._trust.watch(self._readers)

    @property
    def is_sqlite(self) -> bool:
        return self._file_lock is not None

    @asynccontextmanager
    async def begin(self, marker: bytes) -> AsyncIterator[Transaction]:
        """A write transaction, committed at the end of the block, rolled back by any exception in it.

        `marker` is 16 bytes that no other transaction has used. Raises StoreErrors; on Conflict and Disconnected
        nothing was kept and the whole block may be run again.
        """
        if self._file_lock is None:
            async with self._transaction(marker) as transaction:
                yield transaction
            return
        await self._file_lock.acquire()
        try:
            async with self._transaction(marker) as transaction:
                yield transaction
        finally:
            self._file_lock.release()

    @asynccontextmanager
    async def _transaction(self, marker: bytes) -> AsyncIterator[Transaction]:
        async with self._connected(self._writers, self._patience_seconds) as transaction:
            if self.is_sqlite:
                await transaction.rows("BEGIN IMMEDIATE")
            yield transaction
            await commit(self, transaction, marker)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A connection for single SELECTs; each sees what is committed when it starts."""
        async with self._connected(self._readers, self._patience_seconds) as reader:
            yield reader

    @asynccontextmanager
    async def snapshot(self, *, patient: bool = False) -> AsyncIterator[Transaction]:
        """A connection whose SELECTs all see one and the same state of the whole database.

        `patient`: however long each of them takes.
        """
        async with self._connected(self._readers, None if patient else self._patience_seconds) as reader:
            if self.is_sqlite:
                await reader.rows("BEGIN")
            else:
                await reader.change("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                await reader.change("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            yield reader
            await reader.roll_back()

    @asynccontextmanager
    async def write_session(self) -> AsyncIterator[Transaction]:
        """A connection as transactions get it, rolled back at the end.

        For looking at its settings, and for asking what became of a lost COMMIT. It is one of the writers' pool, where
        `turns` leaves room for such questions beside the lanes and the plain use cases.
        """
        async with self._connected(self._writers, self._patience_seconds) as session:
            yield session
            await session.roll_back()

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine, patience_seconds: float | None) -> AsyncIterator[Transaction]:
        """A connection that goes back to its pool however the block ends; an exception leaves no trace of the block."""
        connection = await self._connect(engine)
        transaction = Transaction(connection, self.dialect, patience_seconds)
        try:
            yield transaction
        except BaseException as error:
            await self._roll_back(transaction, error)
            raise
        finally:
            transaction.silence.end()
            await connection.close()

    def distrust_connections(self) -> None:
        """One of them has died: make each anew before it is used again. What ended one has probably ended all."""
        self._trust.withdraw()

    async def _connect(self, engine: AsyncEngine) -> AsyncConnection:
        try:
            # The driver's own time-out ends before the server's greeting, which one that hangs never sends.
            async with asyncio.timeout(self.settings.deadline_seconds):
                return await engine.connect()
        except Exception as error:
            meant = translate(error)
            raise StoreUnreachable(str(meant)) from error

    async def _roll_back(self, transaction: Transaction, error: BaseException) -> None:
        """Leave no trace of the transaction. A cancelled one may have an answer under way.

        Its connection is thrown away.
        """
        if isinstance(error, Disconnected):
            self.distrust_connections()
        try:
            if isinstance(error, (asyncio.CancelledError, Disconnected, StoreUnreachable)):
                await transaction.connection.invalidate()
            else:
                await transaction.roll_back()
        except BaseException as failure:
            log.info("rollback_failed", error=type(failure).__name__)
            await transaction.connection.invalidate()
            if not isinstance(failure, Exception):  # of Exceptions the first one is the one that counts
                raise

    async def close(self) -> None:
        """Close all connections; on SQLite under the writers' lock, since the last close checkpoints.

        What was committed stays so: a lock that cannot be had is no error here.
        """
        await self._readers.dispose()
        if self._file_lock is None:
            await self._writers.dispose()
            return
        try:
            await self._file_lock.acquire()
        except StoreUnreachable as error:
            # Who has kept the lock for so long has the file open: this is not the last close and checkpoints nothing.
            log.warning("store_closed_beside_a_writer", reason=str(error))
            await self._writers.dispose()
        else:
            await self._writers.dispose()
            self._file_lock.release()
        self._file_lock.close()


async def open_store(settings: Settings) -> Store:
    """A store whose server has been reached and whose sessions are as they must be.

    Raises StoreUnreachable, SessionError.
    """
    store = Store(settings)
    try:
        async with store.write_session() as session:
            await verify_session(session, settings)
    except BaseException:
        await store.close()
        raise
    return store
