"""The schema's revisions: bring a database up to the newest, say where it stands, find drift between it and the tables.

The revisions lie in `migrations/`, beside the package in the repository as in an installed wheel; `migrations/env.py`
knows the tables, this module knows none. On SQLite an upgrade is one transaction under the writers' lock. On the
MySQL family each DDL statement commits by itself, so every step of a revision can be repeated: an interrupted upgrade
is continued by the next one, and two at once help each other along instead of breaking.
One process runs one upgrade or check at a time: Alembic's context is global.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import structlog
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from service.database import dialects
from service.database.errors import (
    MYSQL_CONFLICTS,
    MYSQL_DUPLICATES,
    StoreError,
    StoreUnreachable,
    error_code,
    translate,
)
from service.database.file_lock import FileLock
from service.database.revisions import DIRECTORY, UPGRADE_COMMAND, MigrationError, head
from service.database.store import Store
from service.settings import Settings

log = structlog.get_logger(__name__)

TURN = "schema_upgrade"
"""On the MySQL family a table of one row, which an upgrade keeps locked from its begin to its end.

DDL commits by itself, and of two upgrades that overlap one would write a revision into a schema that is further on.
The lock ends with its connection, whatever ends that.
"""

TAKE_TURN = (
    f"CREATE TABLE IF NOT EXISTS {TURN} (id SMALLINT PRIMARY KEY) ENGINE=InnoDB",
    f"INSERT IGNORE INTO {TURN} VALUES (1)",  # noqa: S608 - a name of ours
    "SET SESSION wait_timeout = 86400",  # it says nothing while the other connection builds indexes
    "BEGIN",
    f"SELECT id FROM {TURN} WHERE id = 1 FOR UPDATE",  # noqa: S608
)

ATTEMPTS = 40
RACES = MYSQL_CONFLICTS | MYSQL_DUPLICATES | {1050, 1061, 1684}
"""Codes that say another upgrade was first: table exists, index exists, table is being altered."""


async def upgrade(settings: Settings) -> None:
    """Bring the database to the newest revision, if it is not there already. Raises MigrationError, StoreError."""
    for attempt in range(ATTEMPTS):
        try:
            async with _migrating(settings) as connection:
                await connection.run_sync(_upgrade_to_head)
                await connection.commit()
        except DBAPIError as error:
            if error_code(error.orig) not in RACES:
                raise _meaning(error) from error
            log.info("upgrade_meets_another", attempt=attempt, code=error_code(error.orig))
            await asyncio.sleep(random.uniform(0.05, 0.25))  # noqa: S311 - jitter
        else:
            return
    raise MigrationError(f"another upgrade of this database is running and does not end; run `{UPGRADE_COMMAND}` again")


def is_known(revision: str) -> bool:
    """Whether this version of the service has that revision."""
    return any(script.revision == revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


async def check(store: Store) -> list[str]:
    """Every difference between the declared tables and the database, as a line of text; empty: none."""
    try:
        async with _connected(store.settings, readonly=True) as connection:
            return await connection.run_sync(_differences)
    except DBAPIError as error:
        raise _meaning(error) from error


@asynccontextmanager
async def _connected(settings: Settings, *, readonly: bool = False) -> AsyncIterator[AsyncConnection]:
    """One connection outside every pool."""
    if settings.is_sqlite:
        engine = dialects.create_sqlite_engine(settings, readonly=readonly)
    else:
        engine = dialects.create_mysql_engine(settings, autocommit=False)
    try:
        connection = await _connect(engine)
        try:
            yield connection
        finally:
            await connection.rollback()
            await connection.close()
    finally:
        await engine.dispose()


async def _connect(engine: AsyncEngine) -> AsyncConnection:
    try:
        return await engine.connect()
    except Exception as error:
        raise StoreUnreachable(str(translate(error))) from error


@asynccontextmanager
async def _migrating(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """A connection for an upgrade: on SQLite in one transaction, under the lock that every writer of the file holds."""
    if not settings.is_sqlite:
        with _without_key_names():
            async with _connected(settings) as turn, _connected(settings) as connection:
                for statement in TAKE_TURN:
                    await turn.exec_driver_sql(statement)
                yield connection
        return
    lock = _writers_lock(settings)
    await lock.acquire()
    try:
        async with _connected(settings) as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
    finally:
        lock.release()
        lock.close()


@contextmanager
def _without_key_names() -> Iterator[None]:
    """MariaDB warns, and the driver logs, for every table that the name of its primary key is ignored."""

    def is_news(record: logging.LogRecord) -> bool:
        return "ignored for PRIMARY key" not in record.getMessage()

    driver = logging.getLogger("asyncmy")
    driver.addFilter(is_news)
    try:
        yield
    finally:
        driver.removeFilter(is_news)


def _writers_lock(settings: Settings) -> FileLock:
    path = Path(make_url(settings.database_url).database or "").absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path.with_name(f"{path.name}.lock"), settings.deadline_seconds)


def _config() -> Config:
    config = Config()
    # `%` begins an interpolation in Alembic's options, and a directory may be named anything.
    config.set_main_option("script_location", str(DIRECTORY).replace("%", "%%"))
    return config


def _run(connection: Connection, step: Callable[[Any, MigrationContext], Any], *, mutate: bool) -> None:
    """Run `migrations/env.py` on the connection, with `step` choosing the revisions to run."""
    config = _config()
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, scripts, fn=step, destination_rev="head", dont_mutate=not mutate):
        scripts.run_env()


def _upgrade_to_head(connection: Connection) -> None:
    scripts = ScriptDirectory.from_config(_config())
    try:
        # The way of Alembic's own `upgrade`, which has no public name.
        _run(connection, lambda revision, _context: scripts._upgrade_revs("head", revision), mutate=True)  # noqa: SLF001
    except CommandError as error:
        known = f"this version of Holdfast knows revisions up to {head()}"
        raise MigrationError(f"the database's revision is not one of ours ({error}); {known}") from error


def _differences(connection: Connection) -> list[str]:
    found: list[str] = []

    def compare(_revision: object, context: MigrationContext) -> list[Any]:
        declared = context.opts["target_metadata"]
        differences = compare_metadata(context, declared)
        found.extend(_in_words(difference) for difference in differences if not _is_turn(difference))
        return []

    _run(connection, compare, mutate=False)
    return found


def _is_turn(difference: Any) -> bool:  # noqa: ANN401 - as below
    return bool(difference[0] == "remove_table" and difference[1].name == TURN)


def _in_words(difference: Any) -> str:  # noqa: ANN401 - a tuple whose shape depends on its first word, or a list of them
    if isinstance(difference, list):
        return "; ".join(_in_words(one) for one in difference)
    kind, *parts = difference
    return f"{kind.replace('_', ' ')}: {' '.join(_subject(part) for part in parts if _is_told(part))}"


def _is_told(part: object) -> bool:
    return part is not None and not isinstance(part, dict)


def _subject(part: object) -> str:
    if isinstance(part, TypeEngine):
        return repr(part)
    name = getattr(part, "name", None)
    if not isinstance(part, SchemaItem) or name is None:
        return str(part)
    table = getattr(part, "table", None)
    return str(name) if table is None else f"{table.name}.{name}"


def _meaning(error: DBAPIError) -> Exception:
    meant = translate(error)
    return meant if isinstance(meant, StoreError) else MigrationError(f"the database refused a step: {error.orig}")
