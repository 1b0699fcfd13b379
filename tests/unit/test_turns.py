"""Turns of accounts' use cases: a command waits for one of them and no more, who may wait is bounded, waits end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.database.errors import Conflict
from service.database.store import Store
from service.database.transaction import Transaction
from service.database.transactional import transactional
from service.database.turns import Turns
from service.ids import new_id
from service.refusals import Overloaded, StoreUnavailable
from service.settings import Settings
from tests.unit.builders import ACCOUNT

OTHER = b"account-00000002"
MYSQL_URL = "mysql+asyncmy://db/holdfast"


class Uploads:
    """Plain use cases that wait inside their transactions; `began` and `done` are their numbers in that order."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.done: list[int | str] = []
        self.first_began = asyncio.Event()
        self.gate = asyncio.Event()

    async def run(self, number: int) -> None:
        self.began.append(number)
        self.first_began.set()
        await self.gate.wait()
        self.done.append(number)


@transactional
async def upload(_transaction: Transaction, account_id: bytes, uploads: Uploads, number: int) -> bytes:
    await uploads.run(number)
    return account_id


@transactional
async def purge(_transaction: Transaction, uploads: Uploads, number: int) -> None:
    await uploads.run(number)


@asynccontextmanager
async def store_in(directory: Path, **given: int) -> AsyncIterator[Store]:
    store = Store(Settings(database_url=f"sqlite+aiosqlite:///{directory / 'turns.sqlite3'}", **given))
    try:
        yield store
    finally:
        await store.close()


async def test_command_waits_for_one_plain_use_case_however_many_there_are(tmp_path: Path) -> None:
    async with store_in(tmp_path) as store:
        uploads = Uploads()
        tasks = [asyncio.create_task(upload(store, ACCOUNT, uploads, number)) for number in range(20)]
        await uploads.first_began.wait()

        async def command() -> None:
            async with store.begin(new_id()):
                uploads.done.append("command")

        tasks.append(asyncio.create_task(command()))
        await asyncio.sleep(0)
        assert uploads.began == [0]
        uploads.gate.set()
        await asyncio.gather(*tasks)
        assert uploads.done == [0, "command", *range(1, 20)]


async def test_too_many_are_refused_at_once_and_have_room_again_after(tmp_path: Path) -> None:
    async with store_in(tmp_path, queue_commands_max=256) as store:
        uploads = Uploads()
        inside = [asyncio.create_task(upload(store, b"account-%08d" % number, uploads, number)) for number in range(5)]
        await uploads.first_began.wait()
        with pytest.raises(Overloaded) as refused:
            await upload(store, ACCOUNT, uploads, 5)
        assert refused.value.retry_after_s == 1
        uploads.gate.set()
        await asyncio.gather(*inside)
        assert await upload(store, ACCOUNT, uploads, 6) == ACCOUNT
        assert uploads.done == [0, 1, 2, 3, 4, 6]


async def test_one_account_fills_no_more_than_half_of_the_queue(tmp_path: Path) -> None:
    async with store_in(tmp_path, queue_commands_max=256) as store:
        uploads = Uploads()
        inside = [asyncio.create_task(upload(store, ACCOUNT, uploads, number)) for number in range(3)]
        await uploads.first_began.wait()
        with pytest.raises(Overloaded):
            await upload(store, account_id=ACCOUNT, uploads=uploads, number=3)
        inside += [asyncio.create_task(upload(store, OTHER, uploads, number)) for number in (4, 5)]
        uploads.gate.set()
        await asyncio.gather(*inside)
        assert uploads.done == [0, 1, 2, 4, 5]


async def test_what_is_for_no_account_is_not_refused_and_takes_nobodys_room(tmp_path: Path) -> None:
    async with store_in(tmp_path, queue_commands_max=128) as store:
        uploads = Uploads()
        inside = [asyncio.create_task(purge(store, uploads, number)) for number in range(3)]
        await uploads.first_began.wait()
        # One has a turn, and each of the two accounts has one that waits: as many as if nothing else were done.
        inside += [asyncio.create_task(upload(store, account, uploads, 3)) for account in (ACCOUNT, ACCOUNT, OTHER)]
        await asyncio.sleep(0)
        for account in (ACCOUNT, OTHER):
            with pytest.raises(Overloaded):
                await upload(store, account, uploads, 4)
        inside.append(asyncio.create_task(purge(store, uploads, 5)))
        uploads.gate.set()
        await asyncio.gather(*inside)
        assert uploads.done == [0, 1, 2, 3, 5, 3, 3]


async def test_wait_for_a_turn_ends_at_the_deadline_and_leaves_no_trace(tmp_path: Path) -> None:
    async with store_in(tmp_path, deadline_seconds=1) as store:
        uploads = Uploads()
        first = asyncio.create_task(upload(store, ACCOUNT, uploads, 0))
        await uploads.first_began.wait()
        with pytest.raises(Overloaded):
            await upload(store, ACCOUNT, uploads, 1)
        uploads.gate.set()
        await first
        await upload(store, ACCOUNT, uploads, 2)
        assert uploads.done == [0, 2]


async def test_turn_is_given_back_by_what_fails(tmp_path: Path) -> None:
    @transactional
    async def always_second(_transaction: Transaction) -> None:
        raise Conflict("another was first")

    async with store_in(tmp_path) as store:
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await always_second(store)
        waiting = asyncio.create_task(upload(store, ACCOUNT, Uploads(), 0))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        uploads = Uploads()
        uploads.gate.set()
        await upload(store, ACCOUNT, uploads, 1)
        assert uploads.done == [1]


@pytest.mark.parametrize(
    ("url", "pool", "lanes", "at_once"),
    [
        pytest.param(MYSQL_URL, 12, 2, 8, id="all but the lanes' and two"),
        pytest.param(MYSQL_URL, 4, 2, 1, id="the smallest pool"),
        pytest.param("sqlite+aiosqlite:///a.sqlite3", 12, 2, 1, id="SQLite has one writer"),
    ],
)
def test_lanes_keep_their_connections(url: str, pool: int, lanes: int, at_once: int) -> None:
    assert Turns(Settings(database_url=url, pool_connections=pool, lanes=lanes)).at_once == at_once
