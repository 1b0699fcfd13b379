"""`kill -9` of a repair in the middle: what it had mended stays, with one message; the next one mends the rest."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from service.database.store import Store
from service.ids import new_id
from tests.accounts import on_store
from tests.api.audited import fill, literals
from tests.api.reading import at_once
from tests.conftest import MysqlServer
from tests.faults.fuse import COMMITTED, READ, WRITTEN
from tests.faults.fused import LAUNCHER, Fuse, fuse
from tests.process import make_directory, remove_directory
from tests.races.databases import StoreName, database, verdict
from tests.running import ROOT, run_cli, service_environment

SPOILT = (
    "UPDATE stock_items SET held = held + 1, waiters = 5 WHERE id = {stock}",
    "UPDATE event_categories SET waiters = 6 WHERE id = {category}",
    "UPDATE seats SET state = 2 WHERE id = {held_seat}",
    "UPDATE seats SET state = 0 WHERE id = {confirmed_seat}",
)
MENDED = {"stock.mended": 1, "category.mended": 1, "seat.mended": 2}


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def filled(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with a reservation of every kind."""
    store: StoreName = request.param
    with ExitStack() as stack:
        server: MysqlServer = request.getfixturevalue("mysql_server")
        url = stack.enter_context(database(store, server))
        directory = make_directory("repair")
        stack.callback(remove_directory, directory)
        on_store(url, lambda store: fill(store, directory))
        yield url


def spoil(url: str) -> None:
    async def change(store: Store) -> None:
        async with store.begin(new_id()) as transaction:
            known = await literals(transaction)
            for sql in SPOILT:
                assert await transaction.change(sql.format(**known)) == 1

    on_store(url, change)


def told(url: str) -> dict[str, int]:
    """How many messages of mends there are, by type."""

    async def count(store: Store) -> dict[str, int]:
        async with store.read() as reader:
            rows = await reader.rows("SELECT type, COUNT(*) FROM messages WHERE action = x'6D656E64' GROUP BY type")
        return {row[0].decode(): row[1] for row in rows}

    return on_store(url, count)


def killed(url: str, its_fuse: Fuse) -> subprocess.CompletedProcess[bytes]:
    """A repair that ends where its fuse says."""
    return subprocess.run(
        [sys.executable, "-m", LAUNCHER, "audit", "--repair", "--yes"],
        cwd=ROOT,
        env=service_environment(url, its_fuse.environment),
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("place", "command"), [(READ, "MendCategory"), (WRITTEN, "MendSeat"), (COMMITTED, "MendStock")]
)
def test_repair_that_was_killed_is_ended_by_the_next_one(filled: str, place: str, command: str) -> None:
    before = told(filled)
    spoil(filled)
    with fuse() as its_fuse:
        its_fuse.lay(place, signal.SIGKILL, command)
        assert killed(filled, its_fuse).returncode == -signal.SIGKILL
        assert its_fuse.has_burnt
    assert not verdict(filled).clean
    ended = run_cli("audit", "--repair", "--yes", database_url=filled)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    after = told(filled)
    assert {kind: after[kind] - before.get(kind, 0) for kind in after} == MENDED


def test_two_repairs_at_once_mend_each_row_once(filled: str) -> None:
    before = told(filled)
    spoil(filled)
    both = at_once([lambda: run_cli("audit", "--repair", "--yes", database_url=filled) for _ in range(2)])
    assert [done.returncode for done in both] == [0, 0], [done.stdout + done.stderr for done in both]
    after = told(filled)
    assert {kind: after[kind] - before.get(kind, 0) for kind in after} == MENDED
