"""Sessions on the MySQL family: what each connection must have set, and that a start is refused where it is not so.

The settings are part of the proof (no lost update, no silent cut of a text, no lock kept for hours), so each is changed
in a real session, as a proxy or an administrator would, and must be found out.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace

import msgspec
import pytest
from sqlalchemy import AsyncAdaptedQueuePool

from service.database import dialects
from service.database.errors import Conflict, StoreError
from service.database.session import SessionError, verify_session
from service.database.store import Store, open_store
from service.database.transaction import Transaction
from service.ids import new_id
from service.settings import Settings
from tests.api.rewriting_proxy import rewriting_proxy
from tests.servers import MysqlServer

WANTED = {
    "innodb_lock_wait_timeout": "7",
    "time_zone": "+00:00",
    "wait_timeout": "30",
}


@pytest.fixture
async def store(mysql_server: MysqlServer) -> AsyncIterator[Store]:
    """A store on an empty database, which waits for locks for as long as nobody waits by default."""
    url = mysql_server.new_database()
    settings = msgspec.structs.replace(Settings(), database_url=url, lock_wait_seconds=7)
    opened = await open_store(settings)
    yield opened
    await opened.close()
    mysql_server.drop_database(url)


async def variables(session: Transaction) -> dict[str, str]:
    rows = await session.rows("SHOW SESSION VARIABLES")
    return {_text(name): _text(value) for name, value in rows}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def isolation(found: dict[str, str]) -> str:
    """MariaDB before 11.1 has only the older name."""
    return found.get("transaction_isolation") or found["tx_isolation"]


async def test_every_connection_has_the_settings_that_the_design_relies_on(store: Store) -> None:
    async with store.begin(new_id()) as writer:
        of_writer = await variables(writer)
    async with store.read() as reader:
        of_reader = await variables(reader)
    for found in (of_writer, of_reader):
        assert {name: found[name] for name in WANTED} == WANTED
        assert "STRICT_TRANS_TABLES" in found["sql_mode"].split(",")
    assert (isolation(of_writer), of_writer["autocommit"]) == ("READ-COMMITTED", "OFF")
    assert of_reader["autocommit"] == "ON", "a reader that keeps a snapshot never sees what is new"


async def test_connection_in_use_lives_on_and_one_that_was_silent_is_made_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(dialects, "time", SimpleNamespace(monotonic=lambda: now))

    async def session_id() -> int | None:
        async with store.read() as reader:
            await reader.rows("SELECT 1")
            return reader.driver.session_id

    first = await session_id()
    for _ in range(10):
        now += dialects.BELIEVED_SECONDS
        assert await session_id() == first
    now += dialects.BELIEVED_SECONDS + 1
    second = await session_id()
    assert second != first
    assert await session_id() == second


WRONG = {
    "innodb_lock_wait_timeout": "50",
    "time_zone": "'+02:00'",
    "wait_timeout": "28800",
    "sql_mode": "'NO_ENGINE_SUBSTITUTION'",
}


@pytest.mark.parametrize(("name", "value"), WRONG.items(), ids=WRONG)
async def test_session_with_another_setting_is_refused_by_its_name(store: Store, name: str, value: str) -> None:
    async with store.write_session() as session:
        await verify_session(session, store.settings)
        await session.rows(f"SET SESSION {name} = {value}")
        with pytest.raises(SessionError, match=f"{name} is .*, must"):
            await verify_session(session, store.settings)


async def test_session_that_would_keep_an_old_snapshot_is_refused(store: Store) -> None:
    async with store.write_session() as session:
        await session.rows("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with pytest.raises(SessionError, match="transaction_isolation is 'REPEATABLE-READ', must be 'READ-COMMITTED'"):
            await verify_session(session, store.settings)


async def connection_id(session: Transaction) -> int:
    return int((await session.rows("SELECT CONNECTION_ID()"))[0][0])


async def end(session: Transaction) -> None:
    """The server ends it."""
    own = await connection_id(session)
    with pytest.raises(StoreError):
        await session.change(f"KILL {own}")


async def test_session_that_dies_gives_its_place_in_the_pool_back(store: Store) -> None:
    """Without it, a few dead connections in the wrong moment would leave none for anybody."""
    ways: list[Callable[[], AbstractAsyncContextManager[Transaction]]] = [
        store.write_session,
        store.read,
        store.snapshot,
        lambda: store.begin(new_id()),
    ]
    kept: list[BaseException] = []  # with their frames, which hold whatever was not closed
    for way in ways:
        try:
            async with way() as session:
                await end(session)
                await session.rows("SELECT 1")
        except StoreError as error:
            kept.append(error)
        try:
            async with way() as session:
                await end(session)
        except StoreError as error:
            kept.append(error)
        pools = [engine.sync_engine.pool for engine in (store._writers, store._readers)]
        assert [pool.checkedout() for pool in pools if isinstance(pool, AsyncAdaptedQueuePool)] == [0, 0], way
    assert len(kept) >= len(ways)


async def cancelled_in_its_rollback(store: Store, ids: list[int]) -> None:
    async with store.begin(new_id()) as session:
        ids.append(await connection_id(session))
        task = asyncio.current_task()
        assert task is not None
        task.cancel()  # felt where it waits next
        raise Conflict("another was first")


async def test_transaction_cancelled_in_its_rollback_is_not_given_to_the_next(store: Store) -> None:
    """Its connection is not reset on the way back: what is open or unread in it would be the next one's."""
    ids: list[int] = []
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(cancelled_in_its_rollback(store, ids))
    async with store.begin(new_id()) as session:
        ids.append(await connection_id(session))
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("said", "made_of_it", "words"),
    [
        (b"wait_timeout = 30", b"wait_timeout = 99", "wait_timeout is '99', must be '30'"),
        (b"'+00:00'", b"'+02:00'", "time_zone is '+02:00', must be '+00:00'"),
        (b"STRICT_TRANS_TABLES,", b"HIGH_NOT_PRECEDENCE,", "must contain STRICT_TRANS_TABLES"),
        (b"READ COMMITTED", b"SERIALIZABLE  ", "transaction_isolation is 'SERIALIZABLE', must be 'READ-COMMITTED'"),
    ],
)
async def test_store_behind_a_proxy_that_changes_its_sessions_is_not_opened(
    mysql_server: MysqlServer, said: bytes, made_of_it: bytes, words: str
) -> None:
    url = mysql_server.new_database()
    async with rewriting_proxy(url, said, made_of_it) as proxied:
        with pytest.raises(SessionError, match=re.escape(words)):
            await open_store(msgspec.structs.replace(Settings(), database_url=proxied))
    mysql_server.drop_database(url)


async def test_url_cannot_undo_what_the_service_asks_of_its_sessions(mysql_server: MysqlServer) -> None:
    url = mysql_server.new_database()
    settings = msgspec.structs.replace(Settings(), database_url=f"{url}?init_command=SET%20SESSION%20wait_timeout=99")
    opened = await open_store(settings)
    async with opened.write_session() as session:
        await verify_session(session, settings)
    await opened.close()
    mysql_server.drop_database(url)
