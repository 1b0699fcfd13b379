"""A wait that is too long ends as a lost connection; every other end of a wait is left alone."""

import asyncio

import pytest

from service.database.errors import Disconnected
from service.database.silence import Silence


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def after(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "answer"


async def test_answer_in_time_is_given() -> None:
    assert await Silence(5).bound(after(0)) == "answer"


async def test_silence_counts_as_a_lost_connection_and_cancels_nobody() -> None:
    with pytest.raises(Disconnected, match=r"no answer in 0\.02 s"):
        await Silence(0.02).bound(never())
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_each_wait_has_all_the_time_however_late_it_begins() -> None:
    silence = Silence(0.2)
    for _ in range(3):  # the timer of the first wait goes off in the second one
        assert await silence.bound(after(0.12)) == "answer"


async def test_later_wait_is_ended_in_its_turn() -> None:
    silence = Silence(0.05)
    assert await silence.bound(after(0.03)) == "answer"
    with pytest.raises(Disconnected):
        await silence.bound(never())


async def test_cancelling_the_task_is_no_silence() -> None:
    task = asyncio.create_task(Silence(5).bound(never()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_task_that_is_cancelled_in_the_same_moment_stays_cancelled() -> None:
    silence = Silence(5)
    task = asyncio.create_task(silence.bound(never()))
    await asyncio.sleep(0)
    silence._since -= 10
    silence._look()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_without_a_bound_nothing_is_timed() -> None:
    silence = Silence(None)
    assert await silence.bound(after(0.01)) == "answer"
    assert silence._timer is None


async def test_after_the_end_no_timer_is_left() -> None:
    silence = Silence(5)
    await silence.bound(after(0))
    silence.end()
    assert silence._timer is None
