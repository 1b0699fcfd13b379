"""Lanes: what waits becomes one batch, within bounds; full queues refuse; ending finishes what was begun."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from service.metrics import QUEUE_DEPTH
from service.refusals import Overloaded, StoreUnavailable
from tests.unit.scratch_domain import Engine, engine

OTHER = b"account-00000002"


def sizes(made: Engine) -> list[int]:
    return [len(attempt) for attempt in made.domain.attempts]


async def behind_a_busy_lane(made: Engine, commands: list[dict[str, Any]]) -> list[int]:
    """The answers of commands that all came while the lane ran one."""
    made.domain.gate.clear()
    first = made.submit("a")
    await made.domain.begun.wait()
    later = [made.submit(**command) for command in commands]
    made.domain.gate.set()
    return list(await asyncio.gather(first, *later))


async def test_command_alone_leaves_at_once_and_those_who_wait_meanwhile_make_one_batch(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        answers = await behind_a_busy_lane(made, [{"counter": "a"}] * 9 + [{"counter": "b"}])
        assert answers == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1]
        assert sizes(made) == [1, 10]
        assert made.domain.committed_answers == 11


@pytest.mark.parametrize(
    ("bounds", "commands", "expected"),
    [
        pytest.param({"batch_commands_max": 4}, [{}] * 10, [1, 4, 4, 2], id="commands"),
        pytest.param({"batch_rows_max": 100}, [{"weight": 40}] * 5, [1, 2, 2, 1], id="rows"),
        pytest.param({"batch_bytes_max": 1000}, [{"size": 300}] * 7, [1, 3, 3, 1], id="bytes"),
        pytest.param({"batch_rows_max": 100}, [{"weight": 300}, {}, {}], [1, 1, 2], id="one above the bound is alone"),
        pytest.param({"batch_rows_max": 100}, [{}, {"weight": 99}, {}], [1, 2, 1], id="up to the bound"),
    ],
)
async def test_batch_is_bounded(
    tmp_path: Path, bounds: dict[str, int], commands: list[dict[str, int]], expected: list[int]
) -> None:
    async with engine(tmp_path, **bounds) as made:
        answers = await behind_a_busy_lane(made, [{"counter": "a", **command} for command in commands])
        assert sizes(made) == expected
        assert answers == list(range(1, len(commands) + 2)), "in order of arrival"


async def test_full_queue_refuses_at_once_and_has_room_again_after(tmp_path: Path) -> None:
    async with engine(tmp_path, queue_commands_max=16) as made:
        made.domain.gate.clear()
        inside = [made.submit("a", account_id=b"account-%08d" % (number % 4)) for number in range(16)]
        with pytest.raises(Overloaded) as refused:
            made.submit("a", account_id=b"account-00000009")
        assert refused.value.retry_after_s == 1
        made.domain.gate.set()
        assert max(await asyncio.gather(*inside)) == 16
        assert await made.submit("a") == 17


async def test_one_account_fills_no_more_than_half_of_the_queue(tmp_path: Path) -> None:
    async with engine(tmp_path, queue_commands_max=16) as made:
        made.domain.gate.clear()
        inside = [made.submit("a") for _ in range(8)]
        with pytest.raises(Overloaded):
            made.submit("a")
        inside.append(made.submit("a", account_id=OTHER))
        made.domain.gate.set()
        await asyncio.gather(*inside)
        assert await made.submit("a") == 10, "what is answered counts no more"


async def test_client_that_goes_cancels_nothing(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        made.domain.gate.clear()
        answer = made.submit("a")
        client = asyncio.create_task(asyncio.wait([answer]))
        await made.domain.begun.wait()
        client.cancel()
        made.domain.gate.set()
        assert await answer == 1
        assert (await made.values())["a"] == 1


async def test_drain_finishes_what_is_inside_and_takes_no_more(tmp_path: Path) -> None:
    async with engine(tmp_path, batch_commands_max=2) as made:
        made.domain.gate.clear()
        inside = [made.submit("a") for _ in range(5)]
        await made.domain.begun.wait()
        draining = asyncio.create_task(made.lanes.drain())
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            made.submit("a")
        made.domain.gate.set()
        await draining
        assert [answer.result() for answer in inside] == [1, 2, 3, 4, 5]
        assert (await made.values())["a"] == 5


async def test_drain_past_its_time_tells_those_inside_to_come_again(tmp_path: Path) -> None:
    async with engine(tmp_path, batch_commands_max=2, drain_seconds=0.02) as made:
        made.domain.gate.clear()
        inside = [made.submit("a") for _ in range(5)]
        await made.domain.begun.wait()
        await made.lanes.drain()
        assert {type(answer.exception()) for answer in inside} == {StoreUnavailable}
        assert (await made.values())["a"] == 0


async def test_drain_ends_though_a_commit_outlives_its_cancelling(tmp_path: Path) -> None:
    """As a lost COMMIT does that is looked up: it is told, and nothing is begun after it."""
    async with engine(tmp_path, batch_commands_max=2, drain_seconds=0.02) as made:
        made.domain.gate.clear()
        made.domain.ends_anyway = True
        inside = [made.submit("a") for _ in range(5)]
        await made.domain.begun.wait()
        async with asyncio.timeout(5):
            await made.lanes.drain()
        assert [answer.result() for answer in inside[:2]] == [1, 2]
        assert {type(answer.exception()) for answer in inside[2:]} == {StoreUnavailable}
        assert sizes(made) == [2]


async def test_depth_of_the_queue_is_nothing_when_all_are_answered(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        await behind_a_busy_lane(made, [{"counter": "a"}] * 3)
        await made.submit("a")
        await asyncio.sleep(0)
        assert QUEUE_DEPTH._value.get() == 0


async def test_hundred_clients_at_once_each_get_their_own_answer(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        answers = await asyncio.gather(*(made.submit("abcd"[number % 4]) for number in range(100)))
        assert sorted(answers) == sorted(list(range(1, 26)) * 4)
        assert await made.values() == dict.fromkeys("abcd", 25)
