"""Reads shared by all who ask at once: none is older than its request, one runs at a time, nobody spoils another's."""

import asyncio

import pytest

from service.inventory.availability import SharedReads

ACCOUNT = b"a" * 16


class Numbered:
    """Answers with the number of the read; a read ends when the test lets it."""

    def __init__(self) -> None:
        self.begun = 0
        self.running = 0
        self.running_most = 0
        self.gate = asyncio.Event()
        self.fails = False

    async def read(self, _account_id: bytes, name: str) -> bytes:
        self.begun += 1
        number = self.begun
        self.running += 1
        self.running_most = max(self.running, self.running_most)
        await self.gate.wait()
        self.running -= 1
        if self.fails:
            raise ValueError(name)
        return b"%d" % number


async def asked(shared: SharedReads, name: str = "final") -> asyncio.Task[bytes]:
    """A request that has come as far as it can."""
    task = asyncio.create_task(shared.get(ACCOUNT, name))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_requests_of_one_moment_share_one_read() -> None:
    reads = Numbered()
    shared = SharedReads(reads.read)
    reads.gate.set()
    assert await asyncio.gather(*(shared.get(ACCOUNT, "final") for _ in range(20))) == [b"1"] * 20


async def test_requests_that_come_while_a_read_runs_share_the_next_one() -> None:
    reads = Numbered()
    shared = SharedReads(reads.read)
    first = await asked(shared)
    later = [await asked(shared) for _ in range(5)]
    assert reads.begun == 1
    reads.gate.set()
    assert await first == b"1"
    assert await asyncio.gather(*later) == [b"2"] * 5
    assert (reads.begun, reads.running_most) == (2, 1)


async def test_request_after_the_last_read_gets_a_new_one() -> None:
    reads = Numbered()
    shared = SharedReads(reads.read)
    reads.gate.set()
    assert [await shared.get(ACCOUNT, "final") for _ in range(3)] == [b"1", b"2", b"3"]


async def test_reads_of_two_names_run_side_by_side() -> None:
    reads = Numbered()
    shared = SharedReads(reads.read)
    tasks = [await asked(shared, name) for name in ("final", "semifinal")]
    assert reads.running == 2
    reads.gate.set()
    assert sorted(await asyncio.gather(*tasks)) == [b"1", b"2"]


async def test_who_stops_waiting_ends_nothing_for_the_others() -> None:
    reads = Numbered()
    shared = SharedReads(reads.read)
    impatient = await asked(shared)
    waiting = [await asked(shared), await asked(shared)]
    impatient.cancel()
    waiting[0].cancel()
    reads.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert await waiting[1] == b"2"


async def test_failure_reaches_all_who_share_it_and_nobody_after() -> None:
    reads = Numbered()
    reads.fails = True
    shared = SharedReads(reads.read)
    first = await asked(shared)
    second = await asked(shared)
    reads.gate.set()
    for task in (first, second):
        with pytest.raises(ValueError, match="final"):
            await task
    reads.fails = False
    assert await shared.get(ACCOUNT, "final") == b"3"
