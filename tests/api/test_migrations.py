"""The schema is built by the migrations alone: from empty, once, by one or several at a time, and without drift."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from alembic.script import ScriptDirectory

from service.database import migrations, revisions
from service.database.store import Store, open_store
from service.demo.ports import free_port
from service.ids import new_id
from service.settings import Settings
from tests.process import make_directory, remove_directory
from tests.running import run_cli
from tests.servers import MysqlServer

NEWEST = revisions.head()
COUNTING = "ix_seats__event_id_section_category_id_state"


@pytest.fixture(params=["sqlite", "mysql"])
def empty_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a database without a single table."""
    with ExitStack() as at_end:
        if request.param == "sqlite":
            directory = make_directory("sqlite")
            at_end.callback(remove_directory, directory)
            yield f"sqlite+aiosqlite:///{directory}/holdfast.sqlite3"
        else:
            server: MysqlServer = request.getfixturevalue("mysql_server")
            url = server.new_database()
            at_end.callback(server.drop_database, url)
            yield url


def settings_of(url: str) -> Settings:
    return Settings.from_environment({"HOLDFAST_DATABASE_URL": url})


async def test_migrated_schema_is_exactly_the_declared_tables(store_url: str) -> None:
    store = await open_store(settings_of(store_url))
    try:
        assert await migrations.check(store) == []
        assert await revisions.is_current(store)
    finally:
        await store.close()


def test_newest_revision_by_the_files_is_the_newest_by_their_chain() -> None:
    scripts = ScriptDirectory(str(revisions.DIRECTORY))
    assert scripts.get_current_head() == NEWEST
    assert {script.revision for script in scripts.walk_revisions()} == {
        path.name.partition("_")[0] for path in (revisions.DIRECTORY / "versions").glob("*.py")
    }


DRIFTS = [
    ("DROP TABLE waiters", "add table: waiters"),
    ("ALTER TABLE accounts ADD COLUMN extra INTEGER", "remove column: accounts"),
    ("DROP INDEX {index}", f"add index: seats.{COUNTING}"),
]


@pytest.mark.parametrize(("statement", "words"), DRIFTS)
async def test_drift_is_named(empty_url: str, statement: str, words: str) -> None:
    settings = settings_of(empty_url)
    await migrations.upgrade(settings)
    store = await open_store(settings)
    index = COUNTING if store.is_sqlite else f"{COUNTING} ON seats"
    try:
        await change(store, statement.format(index=index))
        assert any(difference.startswith(words) for difference in await migrations.check(store))
    finally:
        await store.close()


async def test_upgrade_of_an_empty_database_is_done_once(empty_url: str) -> None:
    settings = settings_of(empty_url)
    store = await open_store(settings)
    try:
        assert await revisions.current(store) is None
        await migrations.upgrade(settings)
        assert await revisions.current(store) == NEWEST
        await migrations.upgrade(settings)
        assert await revisions.current(store) == NEWEST
        async with store.read() as reader:
            assert [row[0] for row in await reader.rows("SELECT id FROM outbox_sequencer")] == [1]
    finally:
        await store.close()


async def test_upgrade_that_was_interrupted_is_continued(empty_url: str) -> None:
    """As after a kill between two statements: some tables are there, no revision is."""
    settings = settings_of(empty_url)
    await migrations.upgrade(settings)
    store = await open_store(settings)
    try:
        for statement in ("DELETE FROM alembic_version", "DROP TABLE outbox", "DELETE FROM outbox_sequencer"):
            await change(store, statement)
        await migrations.upgrade(settings)
        assert await revisions.current(store) == NEWEST
        assert await migrations.check(store) == []
        async with store.read() as reader:
            assert len(await reader.rows("SELECT id FROM outbox_sequencer")) == 1
    finally:
        await store.close()


async def test_upgrade_of_the_first_revision_changes_its_index(empty_url: str) -> None:
    settings = settings_of(empty_url)
    await migrations.upgrade(settings)
    store = await open_store(settings)
    try:
        for statement in (
            f"DROP INDEX {COUNTING}" if store.is_sqlite else f"DROP INDEX {COUNTING} ON seats",
            "CREATE INDEX ix_seats__event_id_section ON seats (event_id, section)",
            "UPDATE alembic_version SET version_num = '0001'",
        ):
            await change(store, statement)
        await migrations.upgrade(settings)
        assert await revisions.current(store) == NEWEST
        assert await migrations.check(store) == []
    finally:
        await store.close()


def test_upgrades_at_the_same_time_all_succeed(empty_url: str) -> None:
    def upgrade(_: int) -> subprocess.CompletedProcess[str]:
        return run_cli("db", "upgrade", "--json", database_url=empty_url)

    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(upgrade, range(3)))
    assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]
    assert {json.loads(one.stdout)["revision"] for one in done} == {NEWEST}
    assert run_cli("db", "check", database_url=empty_url).returncode == 0


REFUSALS: list[tuple[str, ...]] = [("serve", "none"), ("serve", "old"), ("worker", "old"), ("audit", "none")]


@pytest.mark.parametrize(("command", "schema"), REFUSALS)
async def test_command_on_a_schema_that_is_not_current_names_the_upgrade(
    empty_url: str, command: str, schema: str
) -> None:
    if schema == "old":
        await make_old(empty_url)
    done = run_cli(command, database_url=empty_url, env={"HOLDFAST_PORT": str(free_port())})
    assert done.returncode == 1, done.stderr
    assert "Run `holdfast db upgrade`" in done.stderr
    assert done.stdout == ""


async def make_old(url: str) -> None:
    """A revision from before all that this version knows."""
    settings = settings_of(url)
    await migrations.upgrade(settings)
    store = await open_store(settings)
    try:
        await change(store, "UPDATE alembic_version SET version_num = '0000'")
    finally:
        await store.close()


async def test_revision_of_a_newer_version_is_refused(empty_url: str) -> None:
    settings = settings_of(empty_url)
    await migrations.upgrade(settings)
    store = await open_store(settings)
    try:
        await change(store, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(migrations.MigrationError, match="9999"):
            await migrations.upgrade(settings)
        assert await revisions.current(store) == "9999"
    finally:
        await store.close()


def test_db_current_tells_the_revision(empty_url: str) -> None:
    def current(*options: str) -> subprocess.CompletedProcess[str]:
        return run_cli("db", "current", *options, database_url=empty_url)

    before = current("--json")
    assert before.returncode == 1
    assert json.loads(before.stdout) == {"revision": None, "head": NEWEST, "current": False}
    assert run_cli("db", "upgrade", database_url=empty_url).returncode == 0
    after = current()
    assert (after.returncode, after.stdout) == (0, f"The schema is at revision {NEWEST}, the newest.\n")


async def change(store: Store, statement: str) -> None:
    async with store.begin(new_id()) as transaction:
        await transaction.change(statement)
