"""Which revision of the schema a database has, and which is the newest. What changes schemas is `migrations.py`.

Every process asks this when it starts, so it does without Alembic, which takes longer to load than all it is asked
takes: a file of `migrations/versions` begins with the number of its revision, which a test holds it to.
"""

from functools import lru_cache
from pathlib import Path

from service.database.store import Store

DIRECTORY = Path(__file__).resolve().parents[2] / "migrations"

UPGRADE_COMMAND = "holdfast db upgrade"
"""What to run where the schema is not current."""

SQL_HAS_VERSIONS = {
    "sqlite": "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'",
    "mysql": "SELECT COUNT(*) FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_name = 'alembic_version'",
}


class MigrationError(RuntimeError):
    """The schema cannot be upgraded; the message says why and what to do."""


async def current(store: Store) -> str | None:
    """The database's revision; None where it has no schema yet."""
    async with store.read() as reader:
        if not (await reader.rows(SQL_HAS_VERSIONS[store.dialect.name]))[0][0]:
            return None
        found = await reader.rows("SELECT version_num FROM alembic_version")
    return str(found[0][0]) if found else None


async def is_current(store: Store) -> bool:
    return await current(store) == head()


@lru_cache(maxsize=1)
def head() -> str:
    """The newest revision that this version of the service knows."""
    return max(path.name.partition("_")[0] for path in (DIRECTORY / "versions").glob("[0-9]*_*.py"))
