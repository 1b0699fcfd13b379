"""COMMIT, and the truth about a COMMIT whose answer never came (reliability.md, row 8).

The marker is the transaction's last insert, so whoever can insert it again knows that the transaction did not happen:
an insert of the same key waits for the old session, then 1062 says committed, success says rolled back.
An error packet that answers COMMIT is a plain rollback.
"""

import asyncio
from typing import TYPE_CHECKING

import structlog

from service.clock import now_ms
from service.database.errors import (
    CommitUnknown,
    Conflict,
    Disconnected,
    DuplicateKey,
    StoreUnreachable,
    translate,
)
from service.database.transaction import Transaction
from service.metrics import COMMITS_AMBIGUOUS

if TYPE_CHECKING:
    from service.database.store import Store

log = structlog.get_logger(__name__)


async def commit(store: "Store", transaction: Transaction, marker: bytes) -> None:
    """Commit. Returns only if the transaction is durable; one that wrote nothing has nothing to make durable.

    Raises Conflict or Disconnected (it is not), CommitUnknown.
    """
    if not transaction.has_written:
        await transaction.roll_back()
        return
    await _insert_marker(transaction, marker)
    session_id = transaction.driver.session_id
    try:
        async with asyncio.timeout(store.settings.deadline_seconds):
            await transaction.driver.commit()
    except (Exception, asyncio.CancelledError) as error:
        meant = translate(error)
        answered = isinstance(meant, (Conflict, StoreUnreachable)) and not isinstance(error, TimeoutError)
        if answered or store.is_sqlite:
            raise meant from error
        if await _was_committed(store, transaction, marker, session_id):
            return
        lost = "the connection died during COMMIT"
        raise Disconnected(lost) from error


async def _insert_marker(transaction: Transaction, marker: bytes) -> None:
    """Raises DuplicateKey. Stamped by the database's clock, by which it is purged."""
    if transaction.dialect.clock is None:
        await transaction.change("INSERT INTO batches (id, written_at) VALUES (?, ?)", (marker, now_ms()))
    else:
        sql = f"INSERT INTO batches (id, written_at) VALUES (?, {transaction.dialect.clock})"  # noqa: S608
        await transaction.change(sql, (marker,))


async def _was_committed(store: "Store", lost: Transaction, marker: bytes, session_id: int | None) -> bool:
    """Whether the transaction of `marker` is durable; asked until the deadline. Raises CommitUnknown."""
    await lost.connection.invalidate()
    store.distrust_connections()
    loop = asyncio.get_running_loop()
    until = loop.time() + store.settings.deadline_seconds
    while loop.time() < until:
        try:
            committed = await _ask(store, marker)
        except Conflict:  # the old session lingers and still holds the marker's lock
            await _end_session(store, session_id)
        except (Disconnected, StoreUnreachable) as error:
            log.warning("commit_lookup_waits", reason=str(error))
            await asyncio.sleep(0.2)
        else:
            COMMITS_AMBIGUOUS.labels("committed" if committed else "rolled_back").inc()
            log.warning("commit_ambiguous", committed=committed)
            return committed
    COMMITS_AMBIGUOUS.labels("unknown").inc()
    msg = "the connection died during COMMIT and the database did not say what became of it"
    raise CommitUnknown(msg)


async def _ask(store: "Store", marker: bytes) -> bool:
    # Rolled back at its end: the marker of a transaction that did not happen must not stay behind.
    async with store.write_session() as session:
        try:
            await _insert_marker(session, marker)
        except DuplicateKey:
            return True
        return False


async def _end_session(store: "Store", session_id: int | None) -> None:
    if session_id is None:
        return
    try:
        async with store.write_session() as session:
            await session.change(f"KILL {int(session_id)}")
    except Exception as error:  # noqa: BLE001 - it has ended by itself, or the next round asks again
        log.info("kill_failed", error=type(error).__name__)
