"""Databases of the race and fault tests, and the auditor's verdict on them.

`audit_now` is the same auditor as `holdfast audit`, asked in this process: after each of many short tests a new
interpreter would take longer than the test. The command itself judges the databases of the races.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from service.audit import Report
from service.audit import audit as examine
from tests.accounts import on_store
from tests.process import make_directory, remove_directory
from tests.running import upgrade
from tests.servers.mysql import MysqlDatabases

StoreName: TypeAlias = Literal["sqlite", "mysql"]


@contextmanager
def sqlite_database() -> Iterator[str]:
    """URL of a new embedded database with the newest schema; audited at the end."""
    directory = make_directory("sqlite")
    try:
        url = f"sqlite+aiosqlite:///{directory}/holdfast.sqlite3"
        upgrade(url)
        yield url
        audit_now(url)
    finally:
        remove_directory(directory)


@contextmanager
def mysql_database(server: MysqlDatabases) -> Iterator[str]:
    """URL of a new database of the server with the newest schema; audited at the end."""
    url = server.new_database()
    try:
        upgrade(url)
        yield url
        audit_now(url)
    finally:
        server.drop_database(url)


@contextmanager
def database(store: StoreName, server: MysqlDatabases) -> Iterator[str]:
    """Either of them."""
    with sqlite_database() if store == "sqlite" else mysql_database(server) as url:
        yield url


def verdict(database_url: str) -> Report:
    """What the auditor says of the database as it is now."""
    return on_store(database_url, examine)


def audit_now(database_url: str) -> None:
    """AssertionError naming the first offenders if there are any."""
    report = verdict(database_url)
    offenders = {f"{check.invariant} {check.name}": check.offenders for check in report.checks if check.total}
    assert report.clean, offenders
