"""Duplicates in one process: one execution, the same answer for all who ask the same, judgement after it for others."""

import asyncio
from collections.abc import Callable

import pytest

from service.engine.waiting import CommandPoisoned
from service.idempotency.in_flight import InFlight, Patience
from service.idempotency.records import KeyedRequest, StoredAnswer
from service.refusals import IdempotencyInProgress, Overloaded, StoreUnavailable

Answer = "asyncio.Future[StoredAnswer]"
FIRST = StoredAnswer(status=201, body=b"first", location="/v1/reservations/R", etag='"1"', expires_at=7)


def request(body: bytes = b"b", key: bytes = b"k") -> KeyedRequest:
    return KeyedRequest(b"account-00000001", key * 32, b"p" * 32 + b"q" * 32 + body * 32, 1000)


class Executions:
    """Every execution that was begun; the test ends them."""

    def __init__(self) -> None:
        self.begun: list[asyncio.Future[StoredAnswer]] = []

    def __call__(self) -> "asyncio.Future[StoredAnswer]":
        self.begun.append(asyncio.get_running_loop().create_future())
        return self.begun[-1]


async def asked(in_flight: InFlight, asks: KeyedRequest, execute: Callable[[], Answer]) -> "asyncio.Task[StoredAnswer]":
    """A request that has come as far as it can."""
    task = asyncio.create_task(in_flight.once(asks, execute))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_duplicates_are_one_execution_with_one_answer() -> None:
    in_flight, executions = InFlight(Patience(5)), Executions()
    tasks = [await asked(in_flight, request(), executions) for _ in range(50)]
    assert len(executions.begun) == 1
    executions.begun[0].set_result(FIRST)
    first, *joined = await asyncio.gather(*tasks)
    assert (first, first.replayed) == (FIRST, False)
    assert {(answer.status, answer.body, answer.location, answer.etag) for answer in joined} == {
        (201, b"first", "/v1/reservations/R", '"1"')
    }
    assert all(answer.replayed for answer in joined)


async def test_other_keys_do_not_wait() -> None:
    in_flight, executions = InFlight(Patience(5)), Executions()
    tasks = [await asked(in_flight, request(key=key), executions) for key in (b"k", b"l")]
    assert len(executions.begun) == 2
    for number, future in enumerate(executions.begun):
        future.set_result(StoredAnswer(status=200 + number, body=b""))
    assert [answer.status for answer in await asyncio.gather(*tasks)] == [200, 201]


async def test_key_is_free_again_when_its_execution_has_ended() -> None:
    in_flight, executions = InFlight(Patience(5)), Executions()
    for body in (b"one", b"two"):
        task = await asked(in_flight, request(), executions)
        executions.begun[-1].set_result(StoredAnswer(status=200, body=body))
        assert (await task).body == body
    assert in_flight.first_seen_at(request().scope_hash) is None
    assert len(executions.begun) == 2


async def test_joiners_get_the_failure_of_the_first_one() -> None:
    in_flight, executions = InFlight(Patience(5)), Executions()
    tasks = [await asked(in_flight, request(), executions) for _ in range(3)]
    executions.begun[0].set_exception(CommandPoisoned("KeyError"))
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [CommandPoisoned] * 3


@pytest.mark.parametrize("fails", [False, True])
async def test_another_body_waits_for_the_first_one_and_is_then_judged_by_itself(fails: bool) -> None:
    in_flight, executions = InFlight(Patience(5)), Executions()
    first = await asked(in_flight, request(), executions)
    other = await asked(in_flight, request(b"c"), executions)
    assert len(executions.begun) == 1
    if fails:
        executions.begun[0].set_exception(StoreUnavailable(retry_after_s=1))
    else:
        executions.begun[0].set_result(FIRST)
    await asyncio.wait([first])
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(executions.begun) == 2
    executions.begun[1].set_result(StoredAnswer(status=409, body=b"reused"))
    assert (await other).body == b"reused"
    assert isinstance(first.exception(), StoreUnavailable) == fails


async def test_another_body_that_comes_at_the_very_end_of_the_first_one_does_not_spin() -> None:
    """The answer is there and its callbacks have not run: the process must not wait for itself."""
    in_flight, executions = InFlight(Patience(5)), Executions()
    first = await asked(in_flight, request(), executions)
    other = asyncio.create_task(in_flight.once(request(b"c"), executions))
    executions.begun[0].set_result(FIRST)
    await first
    assert len(executions.begun) == 2
    executions.begun[1].set_result(StoredAnswer(status=409, body=b"reused"))
    assert (await other).body == b"reused"


async def test_same_request_at_the_very_end_of_the_first_one_joins_it() -> None:
    in_flight, executions = InFlight(Patience(5)), Executions()
    first = await asked(in_flight, request(), executions)
    again = asyncio.create_task(in_flight.once(request(), executions))
    executions.begun[0].set_result(FIRST)
    assert ((await first).replayed, (await again).replayed) == (False, True)
    assert len(executions.begun) == 1


async def test_three_bodies_under_one_key_run_one_after_the_other() -> None:
    in_flight, executions = InFlight(Patience(5)), Executions()
    tasks = [await asked(in_flight, request(body), executions) for body in (b"b", b"c", b"d", b"c")]
    for number in range(3):
        assert len(executions.begun) == number + 1
        executions.begun[number].set_result(StoredAnswer(status=200 + number, body=b""))
        for _ in range(10):
            await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks)
    assert len(executions.begun) == 3
    assert answers[1].status == answers[3].status
    assert len({answer.status for answer in answers}) == 3


@pytest.mark.parametrize("body", [b"b", b"c"])
async def test_past_the_deadline_a_duplicate_is_told_that_the_first_one_still_runs(body: bytes) -> None:
    in_flight, executions = InFlight(Patience(0.02)), Executions()
    first = await asked(in_flight, request(), executions)
    seen = in_flight.first_seen_at(request().scope_hash)
    with pytest.raises(IdempotencyInProgress) as refused:
        await in_flight.once(request(body), executions)
    assert refused.value.first_seen_at_ms == seen
    with pytest.raises(StoreUnavailable):
        await first
    executions.begun[0].set_result(FIRST)


async def test_first_one_that_gives_up_leaves_its_work_running_for_those_who_come_again() -> None:
    in_flight, executions = InFlight(Patience(5)), Executions()
    first = await asked(in_flight, request(), executions)
    first.cancel()
    await asyncio.wait([first])
    again = await asked(in_flight, request(), executions)
    assert len(executions.begun) == 1
    executions.begun[0].set_result(FIRST)
    assert (await again).body == b"first"


async def test_request_that_is_refused_by_the_queue_leaves_its_key_free() -> None:
    in_flight, executions = InFlight(Patience(5)), Executions()

    def full() -> "asyncio.Future[StoredAnswer]":
        raise Overloaded(retry_after_s=1)

    with pytest.raises(Overloaded):
        await in_flight.once(request(), full)
    assert in_flight.first_seen_at(request().scope_hash) is None
    task = await asked(in_flight, request(), executions)
    executions.begun[0].set_result(FIRST)
    assert await task == FIRST


async def test_waiting_for_an_answer_cancels_nothing() -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[StoredAnswer] = loop.create_future()
    with pytest.raises(StoreUnavailable):
        await Patience(5).answer(answer, loop.time() + 0.01)
    assert not answer.cancelled()
    answer.set_result(FIRST)
    assert await Patience(5).answer(answer, loop.time()) == FIRST
