"""Which server the tests get: the order of the package's docstring, as code.

`shared_…` gives the server that a test run shares, which may be somebody else's. `private_…` gives one that a fault
test may kill: never the one of an environment variable. Both are running when they are returned; `close` ends them.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

from tests.servers.containers import (
    ContainerMysql,
    ContainerRedis,
    UnavailableError,
    start_mysql_container,
    start_redis_container,
)
from tests.servers.mysql import PROGRAMS as MYSQL_PROGRAMS
from tests.servers.mysql import ExistingMysql, LocalMysql, find_program
from tests.servers.redis import PROGRAMS as REDIS_PROGRAMS
from tests.servers.redis import ExistingRedis, LocalRedis

MYSQL_URL = "HOLDFAST_TEST_MYSQL_URL"
MYSQLD_ROOT = "HOLDFAST_TEST_MYSQLD_ROOT"
REDIS_URL = "HOLDFAST_TEST_REDIS_URL"

MysqlServer: TypeAlias = ExistingMysql | ContainerMysql | LocalMysql
PrivateMysql: TypeAlias = ContainerMysql | LocalMysql
RedisServer: TypeAlias = ExistingRedis | ContainerRedis | LocalRedis
PrivateRedis: TypeAlias = ContainerRedis | LocalRedis
Note: TypeAlias = Callable[[str], None]
Local = TypeVar("Local", LocalMysql, LocalRedis)


class ServerNotFoundError(Exception):
    """There is no such server and no way to start one; the message says what to install."""

    def __init__(self, kind: str, variable: str, package: str) -> None:
        super().__init__(
            f"The tests need a {kind} server. Any one of these is enough:\n"
            f"  - {variable} set to the URL of a running one\n"
            f"  - a running Docker engine\n"
            f"  - its program on this machine; on Debian and Ubuntu: apt-get install {package}\n"
            f"    (`make test` as root does that by itself)"
        )


def shared_mysql(note: Note = print) -> MysqlServer:
    """The MySQL-family server of a test run. Raises ServerNotFoundError."""
    url = os.environ.get(MYSQL_URL)
    if url:
        return ExistingMysql(url, origin=f"from {MYSQL_URL}")
    return private_mysql(note)


def private_mysql(note: Note = print) -> PrivateMysql:
    """A MySQL-family server of the caller's own. Raises ServerNotFoundError."""
    root = os.environ.get(MYSQLD_ROOT)
    if root:
        return _running(LocalMysql("mysqld", Path(root)))
    try:
        return start_mysql_container()
    except UnavailableError as error:
        note(f"MySQL: {error}; looking for a program on this machine")
    program = find_program(MYSQL_PROGRAMS)
    if program is None:
        raise ServerNotFoundError("MySQL or MariaDB", MYSQL_URL, "mariadb-server")
    return _running(LocalMysql(program))


def shared_redis(note: Note = print) -> RedisServer:
    """The Redis server of a test run. Raises ServerNotFoundError."""
    url = os.environ.get(REDIS_URL)
    if url:
        return ExistingRedis(url, origin=f"from {REDIS_URL}")
    return private_redis(note)


def private_redis(note: Note = print) -> PrivateRedis:
    """A Redis server of the caller's own. Raises ServerNotFoundError."""
    try:
        return start_redis_container()
    except UnavailableError as error:
        note(f"Redis: {error}; looking for a program on this machine")
    program = find_program(REDIS_PROGRAMS)
    if program is None:
        raise ServerNotFoundError("Redis", REDIS_URL, "redis-server")
    return _running(LocalRedis(program))


def _running(server: Local) -> Local:
    try:
        server.start()
    except BaseException:
        server.close()
        raise
    return server
