"""Everything that the soak hurts: a database server, Redis, API processes between proxies, workers. All its own.

MySQL family: two API processes, each behind a proxy towards its clients and before one towards the database; one
of them on a host whose clock is six hours fast. Two workers, one of them six hours slow. SQLite: the one process there
may be.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url

from service.demo.tcp_proxy import TcpProxy
from tests.faults.fused import Fuse, fuse
from tests.faults.small_disk import SmallDisk, mysql_on_small_disk
from tests.faults.soak import control as controls
from tests.process import make_directory, remove_directory
from tests.races.databases import StoreName
from tests.races.launched import launch_service, launch_worker
from tests.running import RunningProcess, RunningService, RunningWorker, upgrade
from tests.servers import private_mysql, private_redis
from tests.servers.find import MYSQLD_ROOT, Note, PrivateMysql, PrivateRedis
from tests.servers.mysql import PROGRAMS, find_program

LAUNCHER = "tests.faults.soak.launcher"
CLOCK = "HOLDFAST_TEST_CLOCK_OFFSET_S"
HOURS_6 = 6 * 3600
DEADLINE_S, GRACE_S = 2, 8
SETTINGS = {
    "HOLDFAST_DEADLINE_SECONDS": str(DEADLINE_S),
    "HOLDFAST_DRAIN_SECONDS": str(GRACE_S),
    "HOLDFAST_LOCK_WAIT_SECONDS": "1",
    "HOLDFAST_SWEEP_INTERVAL_MS": "100",
    "HOLDFAST_HOT_ROW_CONFLICTS": "2",
    "HOLDFAST_RATE_LIMIT_REQUESTS": "0",
    "HOLDFAST_LOG_LEVEL": "warning",
}


@dataclass
class Api:
    """An API process: `front` is where its clients connect, `back` (MySQL family) where it finds the database."""

    name: str
    process: RunningService
    fuse: Fuse
    front: TcpProxy
    back: TcpProxy | None

    @property
    def url(self) -> str:
        """As clients know it."""
        return f"http://127.0.0.1:{self.front.port}"


@dataclass
class Worker:
    """A worker process."""

    name: str
    process: RunningWorker
    fuse: Fuse


@dataclass
class Stack:
    """`database_url` is the database as nobody can cut it off."""

    store: StoreName
    database_url: str
    apis: list[Api] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    database: PrivateMysql | None = None
    disk: SmallDisk | None = None
    redis: PrivateRedis | None = None

    @property
    def members(self) -> list[Api | Worker]:
        return [*self.apis, *self.workers]

    def logs(self) -> dict[str, Path]:
        """The log of each process by its name, of the database's server too."""
        found = {member.name: member.process.log_path for member in self.members}
        process = getattr(self.database, "process", None)
        return found if process is None else found | {"database": process.log_path}


def set_environment(process: RunningProcess, changes: dict[str, str | None]) -> None:
    """What the process is given at its next start; None takes a variable away."""
    given = {**(process.process.environment or {}), **changes}
    process.process.environment = {name: value for name, value in given.items() if value is not None}


@contextmanager
def start_stack(store: StoreName, control: str | None, note: Note) -> Iterator[Stack]:
    """The whole of it, ready. `control`: a way in which the API processes are broken on purpose.

    `note` is told where the servers come from.
    """
    settings = SETTINGS | ({controls.VARIABLE: control} if control else {})
    with ExitStack() as at_end:
        stack = _sqlite(at_end, settings) if store == "sqlite" else _mysql(at_end, settings, note)
        yield stack


def _sqlite(at_end: ExitStack, settings: dict[str, str]) -> Stack:
    directory = make_directory("soak-sqlite")
    at_end.callback(remove_directory, directory)
    stack = Stack("sqlite", f"sqlite+aiosqlite:///{directory}/holdfast.sqlite3")
    upgrade(stack.database_url)
    stack.apis.append(_api(at_end, "api-1", stack.database_url, settings | {CLOCK: "0"}, None))
    return stack


def _mysql(at_end: ExitStack, settings: dict[str, str], note: Note) -> Stack:
    database, disk = _database(at_end, note)
    stack = Stack("mysql", database.new_database(), database=database, disk=disk)
    upgrade(stack.database_url)
    stack.redis = at_end.enter_context(closing(private_redis(note)))
    settings = settings | {"HOLDFAST_REDIS_URL": stack.redis.url}
    parts = make_url(stack.database_url)
    for name, offset in (("api-1", 0), ("api-2", HOURS_6)):
        back = at_end.enter_context(TcpProxy(parts.port or 3306, parts.host or "127.0.0.1"))
        through = parts.set(host="127.0.0.1", port=back.port).render_as_string(hide_password=False)
        stack.apis.append(_api(at_end, name, through, settings | {CLOCK: str(offset)}, back))
    for name, offset in (("worker-1", 0), ("worker-2", -HOURS_6)):
        its_fuse = at_end.enter_context(fuse())
        env = settings | its_fuse.environment | {CLOCK: str(offset)}
        process = at_end.enter_context(launch_worker(LAUNCHER, stack.database_url, env))
        stack.workers.append(Worker(name, process, its_fuse))
    return stack


def _database(at_end: ExitStack, note: Note) -> tuple[PrivateMysql, SmallDisk | None]:
    """A server that keeps its data when it is killed; its disk, where that can be made full, too."""
    if MYSQLD_ROOT not in os.environ and find_program(PROGRAMS) is None:
        return at_end.enter_context(closing(private_mysql(note))), None
    return at_end.enter_context(mysql_on_small_disk())


def _api(at_end: ExitStack, name: str, url: str, settings: dict[str, str], back: TcpProxy | None) -> Api:
    its_fuse = at_end.enter_context(fuse())
    process = at_end.enter_context(launch_service(LAUNCHER, url, settings | its_fuse.environment))
    front = at_end.enter_context(TcpProxy(urlsplit(process.url).port or 80))
    return Api(name, process, its_fuse, front, back)
