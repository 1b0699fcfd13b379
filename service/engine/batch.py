"""One batch: a transaction for all its commands, run until it is durable or known not to be.

- Conflict: another process was first. Roll back, read again, decide again, with jitter, inside the deadline. After
  the second
  one the commands that touch the contested rows run apart, so that one row does not hold up all others.
- Poison: a failure that is no conflict and not the store's. Halve and run again; a command that fails alone twice
  gets a 500.
- No answer leaves before COMMIT (R7); nothing is kept of an attempt that failed.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import structlog

from service.database.errors import CommitUnknown, Conflict, Disconnected, StoreError, StoreUnreachable
from service.database.store import Store
from service.database.transaction import Transaction
from service.engine.hot_rows import HotRows, Row
from service.engine.row_locks import RowLocks
from service.engine.waiting import CommandPoisoned, Waiting
from service.ids import new_id
from service.metrics import BATCH_COMMANDS, BATCH_RETRIES, BATCH_SECONDS, BATCH_SPLITS, COMMANDS_POISONED, CONFLICTS
from service.refusals import StoreUnavailable

C = TypeVar("C")
A = TypeVar("A")
C_contra = TypeVar("C_contra", contravariant=True)
log = structlog.get_logger(__name__)

Parts = Sequence[list[Waiting[Any, Any]]]

APART_AFTER = 2
"""Conflicts after which the commands on contested rows leave the batch."""
HALVED_AFTER = 5
"""Conflicts after which a batch is halved where nobody knows which rows are contested."""
FAILURES_MAX = 2


class RowsChanged(Conflict):
    """Rows that were not as they had been read; `positions` are the commands of the batch that touch them."""

    def __init__(self, reason: str, rows: frozenset[Row], positions: frozenset[int]) -> None:
        super().__init__(reason, rows)
        self.positions = positions


class Attempt(NamedTuple, Generic[A]):
    """What a batch comes to if it is committed: an answer a command, and what the business wants to know of it then."""

    answers: Sequence[A]
    changes: Sequence[Any] = ()


class Domain(Protocol[C_contra, A]):
    """What the engine asks of the business: one attempt at a batch inside an open transaction."""

    async def attempt(
        self, transaction: Transaction, commands: Sequence[C_contra], batch_id: bytes, lock_rows: frozenset[Row]
    ) -> Attempt[A]:
        """Writes made, not committed. Raises RowsChanged where another transaction was first.

        `lock_rows` are to be locked (FOR UPDATE) before anything is read.
        """

    def committed(self, attempt: Attempt[A]) -> None:
        """The attempt is durable: count and remember it. Must not fail."""


class BatchRunner(Generic[C, A]):
    """Runs batches for all lanes of a process."""

    def __init__(
        self, store: Store, domain: Domain[C, A], hot_rows: HotRows, row_locks: RowLocks, retries_max: int
    ) -> None:
        self._store = store
        self._domain = domain
        self._hot_rows = hot_rows
        self._row_locks = row_locks
        self._retries_max = retries_max

    async def run(self, batch: list[Waiting[Any, Any]]) -> None:
        """Answer every command of the batch, one way or another."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            await self._run(batch)
        except asyncio.CancelledError:
            _fail(batch, StoreUnavailable(retry_after_s=1))
            raise
        except Exception as error:  # the runner's own bug must not end the lane
            log.exception("batch_runner_failed")
            _fail(batch, CommandPoisoned(str(error)))
        BATCH_SECONDS.observe(loop.time() - started)

    async def _run(self, batch: list[Waiting[Any, Any]]) -> None:
        tries = 0
        while batch := _still_wanted(batch):
            try:
                attempt = await self._attempt(batch)
            except (Conflict, Disconnected) as lost:
                tries += 1
                parts = self._after_loss(batch, lost, tries)
            except (StoreUnreachable, CommitUnknown) as error:
                log.warning("store_unreachable", reason=str(error), commands=len(batch))
                _fail(batch, StoreUnavailable(retry_after_s=2))
                return
            except Exception as error:  # noqa: BLE001 - poison: find out whose
                parts = _halves(batch, error)
            else:
                # Outside the try: what is durable is never run again, whatever goes wrong here.
                self._give_out(batch, attempt)
                return
            for part in parts:
                await self._run(part)
            if parts:
                return
            await _back_off(tries)

    def _after_loss(self, batch: list[Waiting[Any, Any]], lost: StoreError, tries: int) -> Parts:
        """What to run apart after an attempt of which nothing was kept; nothing: try the whole again."""
        BATCH_RETRIES.labels(type(lost).__name__).inc()
        if isinstance(lost, Conflict):
            self._note(batch, lost)
        else:
            log.warning("batch_disconnected", reason=str(lost), commands=len(batch))
        if tries > self._retries_max:
            _fail(batch, StoreUnavailable(retry_after_s=1))
            return ()
        if tries >= APART_AFTER and (parts := _apart(batch, lost)):
            return parts
        # Nobody knows in whose way the row is (1062, 1213): at last each command stands and falls alone.
        return _halved(batch) if tries >= HALVED_AFTER and len(batch) > 1 else ()

    async def _attempt(self, batch: list[Waiting[Any, Any]]) -> Attempt[A]:
        commands = [waiting.command for waiting in batch]
        hot = self._hot_rows.among(waiting.lane_key for waiting in batch)
        batch_id = new_id()
        async with self._row_locks.hold(hot) as unlocked, self._store.begin(batch_id) as transaction:
            return await self._domain.attempt(transaction, commands, batch_id, unlocked)

    def _give_out(self, batch: list[Waiting[Any, Any]], attempt: Attempt[A]) -> None:
        for waiting, answer in zip(batch, attempt.answers, strict=True):
            waiting.give(answer)
        BATCH_COMMANDS.observe(len(batch))
        self._domain.committed(attempt)

    def _note(self, batch: list[Waiting[Any, Any]], conflict: Conflict) -> None:
        positions = conflict.positions if isinstance(conflict, RowsChanged) else frozenset[int]()
        for table, _ in conflict.rows:
            CONFLICTS.labels(table).inc()
        self._hot_rows.note(conflict.rows, [batch[position].lane_key for position in positions])


def _still_wanted(batch: list[Waiting[Any, Any]]) -> list[Waiting[Any, Any]]:
    """Those without an answer whose deadline has not passed; the late ones are told to come again."""
    now = asyncio.get_running_loop().time()
    wanted = []
    for waiting in batch:
        if waiting.answer.done():
            continue
        if waiting.deadline > now:
            wanted.append(waiting)
        else:
            waiting.fail(StoreUnavailable(retry_after_s=1))
    return wanted


def _apart(batch: list[Waiting[Any, Any]], conflict: StoreError) -> Parts:
    if not isinstance(conflict, RowsChanged) or not 0 < len(conflict.positions) < len(batch):
        return ()
    contested = [waiting for position, waiting in enumerate(batch) if position in conflict.positions]
    others = [waiting for position, waiting in enumerate(batch) if position not in conflict.positions]
    return (others, contested)


def _halves(batch: list[Waiting[Any, Any]], error: Exception) -> Parts:
    """The halves to run apart; none for a single command, which is run once more, then refused."""
    if len(batch) > 1:
        BATCH_SPLITS.inc()
        log.warning("batch_split", commands=len(batch), error=type(error).__name__)
        return _halved(batch)
    waiting = batch[0]
    waiting.failures += 1
    if waiting.failures >= FAILURES_MAX:
        COMMANDS_POISONED.inc()
        log.error("command_poisoned", command=type(waiting.command).__name__, exc_info=error)
        poisoned = CommandPoisoned(type(error).__name__)
        poisoned.__cause__ = error  # for the log of its request, under the id that the client was told
        waiting.fail(poisoned)
    else:
        BATCH_RETRIES.labels("failed_alone").inc()
    return ()


def _halved(batch: list[Waiting[Any, Any]]) -> Parts:
    middle = len(batch) // 2
    return (batch[:middle], batch[middle:])


def _fail(batch: list[Waiting[Any, Any]], error: BaseException) -> None:
    for waiting in batch:
        waiting.fail(error)


async def _back_off(conflicts: int) -> None:
    await asyncio.sleep(random.uniform(0, min(0.002 * 2**conflicts, 0.1)))  # noqa: S311 - jitter
