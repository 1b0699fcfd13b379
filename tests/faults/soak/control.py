"""The negative control of the soak: the service broken in one of two ways. The soak must see it and fail.

early      answers leave before COMMIT, so that a process killed in between has promised what is not there
believing  a COMMIT whose answer is lost is taken for done, and nobody looks it up
"""

import asyncio
from typing import Any

from service.database import commit
from service.engine.batch import BatchRunner
from service.ids import new_id
from service.metrics import COMMITS_AMBIGUOUS

VARIABLE = "HOLDFAST_TEST_CONTROL"
WAYS = ("early", "believing")
PAUSE_S = 0.25


async def answer_and_then_commit(self: Any, batch: list[Any]) -> Any:
    """BatchRunner._attempt, but for the two lines in the middle."""
    commands = [waiting.command for waiting in batch]
    hot = self._hot_rows.among(waiting.lane_key for waiting in batch)
    batch_id = new_id()
    async with self._row_locks.hold(hot) as unlocked, self._store.begin(batch_id) as transaction:
        attempt = await self._domain.attempt(transaction, commands, batch_id, unlocked)
        for waiting, answer in zip(batch, attempt.answers, strict=True):
            waiting.give(answer)
        await asyncio.sleep(PAUSE_S)
        return attempt


async def believe(_store: Any, lost: Any, _marker: bytes, _session_id: int | None) -> bool:
    await lost.connection.invalidate()
    COMMITS_AMBIGUOUS.labels("believed").inc()
    return True


def install(way: str) -> None:
    if way == "early":
        BatchRunner._attempt = answer_and_then_commit  # type: ignore[method-assign]
    else:
        commit._was_committed = believe
