"""Refuses to start on sessions that did not take their settings.

Isolation, strictness, UTC and time-outs are part of the proof.
"""

from service.database.dialects import IDLE_SECONDS
from service.database.transaction import Transaction
from service.settings import Settings


class SessionError(RuntimeError):
    """The server did not accept a session setting; the message names it, its value and what it must be."""


SQL_VARIABLES = (
    "SHOW SESSION VARIABLES WHERE Variable_name IN "
    "('sql_mode', 'time_zone', 'wait_timeout', 'innodb_lock_wait_timeout', 'version', "
    "'tx_isolation', 'transaction_isolation')"
)

MARIADB_OLDEST = (10, 6)
MYSQL_OLDEST = (8, 0, 16)  # the first whose CHECK constraints are enforced


async def verify_session(reader: Transaction, settings: Settings) -> None:
    """Raises SessionError at the first setting that is not what every connection asked for."""
    for deviation in await session_deviations(reader, settings):
        raise SessionError(deviation)


async def session_deviations(reader: Transaction, settings: Settings) -> list[str]:
    """Every setting of this session that is not what every connection asked for, and a server that is too old."""
    if settings.is_sqlite:
        mode = (await reader.rows("PRAGMA journal_mode"))[0][0]
        if mode in {"wal", "delete"}:  # a new file is switched to WAL by its first writer
            return []
        return [f"journal_mode is {mode}, must be wal: is the file on a network drive?"]
    found = {_text(name): _text(value) for name, value in await reader.rows(SQL_VARIABLES)}
    wanted = {
        "time_zone": "+00:00",
        "wait_timeout": str(IDLE_SECONDS),
        "innodb_lock_wait_timeout": str(settings.lock_wait_seconds),
    }
    # MariaDB before 11.1 calls it tx_isolation.
    found.setdefault("transaction_isolation", found.get("tx_isolation", "unknown"))
    wanted["transaction_isolation"] = "READ-COMMITTED"
    deviations = too_old(found["version"])
    deviations += [
        f"{name} is {found.get(name)!r}, must be {value!r}: does a proxy between drop session settings?"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    if "STRICT_TRANS_TABLES" not in found["sql_mode"]:
        deviations.append(f"sql_mode is {found['sql_mode']!r}, must contain STRICT_TRANS_TABLES")
    return deviations


def too_old(version: str) -> list[str]:
    """What is wrong with a server of the MySQL family of this version, if anything."""
    numbers = tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:3])
    oldest = MARIADB_OLDEST if "mariadb" in version.lower() else MYSQL_OLDEST
    if numbers < oldest:
        return [f"the server is version {version}, must be at least {'.'.join(map(str, oldest))}"]
    return []


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
