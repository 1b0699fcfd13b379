"""What waits in several lanes: few leave in one batch and alone, many side by side, never one lane twice at once."""

import random
from itertools import count

import pytest

from service.engine.queues import FEW, Queues
from service.engine.waiting import Waiting
from service.settings import Settings

Made = Queues[int, int]


def queues(lanes: int = 2, **given: int) -> Made:
    return Queues(lanes, Settings(**given))  # type: ignore[arg-type] - numbers alone


def put(made: Made, lane: int, *commands: int) -> list[bool]:
    """Commands are numbered in the order of their arrival."""
    return [made.put(lane, command_waiting(command)) for command in commands]


def command_waiting(command: int) -> Waiting[int, int]:
    return Waiting(command, account_id=b"", lane_key="", weight=1, size=1, deadline=float(command))


def taken(made: Made, lane: int) -> list[int]:
    batch = made.take(lane)
    return [] if batch is None else [waiting.command for waiting in batch.waiting]


async def test_few_of_all_lanes_leave_together_in_order_of_arrival() -> None:
    made = queues(3)
    put(made, 2, 1, 4)
    put(made, 0, 2, 3, 5)
    assert taken(made, 1) == [1, 2, 3, 4, 5]
    assert taken(made, 0) == []


async def test_beside_a_batch_of_few_nothing_runs_while_few_wait() -> None:
    made = queues()
    put(made, 0, 1)
    batch = made.take(0)
    put(made, 1, 2)
    put(made, 0, 3)
    assert made.take(1) is None
    assert batch is not None
    made.end(batch)
    assert taken(made, 1) == [2, 3]


async def test_lanes_run_side_by_side_from_the_moment_that_many_wait() -> None:
    made = queues()
    put(made, 0, 0)
    assert taken(made, 0) == [0]
    waiting = range(1, FEW + 2)
    assert put(made, 1, *waiting) == [False] * FEW + [True]
    assert taken(made, 0) == [], "its own queue is empty, and the other lane's is not its"
    assert taken(made, 1) == list(waiting)


async def test_lane_whose_commands_run_in_a_batch_of_few_waits_for_its_end() -> None:
    made = queues()
    put(made, 0, 1)
    put(made, 1, 2)
    both = made.take(0)
    put(made, 0, *range(3, FEW + 3))
    put(made, 1, *range(100, FEW + 100))
    assert made.take(0) is made.take(1) is None
    assert both is not None
    made.end(both)
    assert taken(made, 0) == list(range(3, FEW + 3))


async def test_bounds_hold_over_all_lanes() -> None:
    made = queues(batch_commands_max=3)
    put(made, 0, 1, 3)
    put(made, 1, 2, 4)
    first = made.take(0)
    assert first is not None
    made.end(first)
    assert [waiting.command for waiting in first.waiting] == [1, 2, 3]
    assert taken(made, 0) == [4]


async def test_what_is_taken_out_at_the_end_is_all_that_waits() -> None:
    made = queues()
    put(made, 0, 1, 2)
    put(made, 1, 3)
    assert sorted(waiting.command for waiting in made.empty()) == [1, 2, 3]
    assert made.take(0) is made.take(1) is None


@pytest.mark.parametrize("seed", range(30))
async def test_no_command_is_lost_doubled_or_overtaken_in_its_lane(seed: int) -> None:
    """Any order of arrivals and ends; whoever may run is asked, as lanes are after each end."""
    draw = random.Random(seed)
    lanes = draw.randint(1, 4)
    made = queues(lanes, batch_commands_max=draw.choice([1, 7, 256]))
    lane_of: dict[int, int] = {}
    numbers, running, ran = count(), [], []
    for _ in range(600):
        if draw.random() < 0.7:
            lane, number = draw.randrange(lanes), next(numbers)
            lane_of[number] = lane
            put(made, lane, number)
        if running and draw.random() < 0.15:
            made.end(running.pop(draw.randrange(len(running))))
        batch = made.take(draw.randrange(lanes))
        if batch is not None:
            assert not any(batch.lanes & other.lanes for other in running)
            running.append(batch)
            ran += [waiting.command for waiting in batch.waiting]
            assert {lane_of[waiting.command] for waiting in batch.waiting} <= batch.lanes
    for batch in running:
        made.end(batch)
    while batch := next(filter(None, map(made.take, range(lanes))), None):
        made.end(batch)
        ran += [waiting.command for waiting in batch.waiting]
    for lane in range(lanes):
        mine = [number for number in ran if lane_of[number] == lane]
        assert mine == sorted(mine)
    assert sorted(ran) == sorted(lane_of)
