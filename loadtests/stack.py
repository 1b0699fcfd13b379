"""The whole service for one run of load: a database of its own, API processes, a worker, Redis, an account.

Everything is a real process on loopback, started with the tests' own means, and ended with the block that it was
started for. In front of each API process there may be a proxy that hurts its connections; a launcher, which stands
outside production code, may be run in the place of the real command.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from service.demo.tcp_proxy import TcpProxy
from tests.accounts import Account, new_account
from tests.api.audited import unguard
from tests.races.launched import launch_service
from tests.running import RunningService, RunningWorker, start_service, start_worker, upgrade
from tests.servers import private_mysql, private_redis
from tests.servers.find import PrivateMysql, PrivateRedis
from tests.servers.mysql import ExistingMysql

SETTINGS = {"HOLDFAST_LOG_LEVEL": "warning", "HOLDFAST_RATE_LIMIT_REQUESTS": "0"}
"""The load itself is the limit here, not the account's rate."""


@dataclass(frozen=True)
class Shape:
    """What to start. `hurt` is told to every proxy; without it there are none.

    `is_guarded`: the database has its unique keys and CHECKs.
    """

    processes: int = 2
    has_redis: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    hurt: Callable[[TcpProxy], None] | None = None
    launcher: str = ""
    is_guarded: bool = True

    def of(self, processes: int) -> "Shape":
        """The same with another number of API processes."""
        return replace(self, processes=processes)


@dataclass(frozen=True)
class Stack:
    """What is running. `urls` are where clients go: the proxies if there are any, else the API processes."""

    database_url: str
    services: list[RunningService]
    worker: RunningWorker
    proxies: list[TcpProxy]
    redis: PrivateRedis | None
    account: Account

    @property
    def urls(self) -> list[str]:
        if self.proxies:
            return [f"http://127.0.0.1:{proxy.port}" for proxy in self.proxies]
        return [service.url for service in self.services]

    def logs(self) -> dict[str, str]:
        """What every process of the service has written, by a name for it."""
        named = {f"api-{number}": service.log() for number, service in enumerate(self.services, 1)}
        return named | {"worker": self.worker.log()}


def _quietly(_: str) -> None:
    """How a server was found is for those who set up the tests."""


@contextmanager
def database_server(url: str | None = None) -> Iterator[PrivateMysql | ExistingMysql]:
    """The server at this URL, on which databases may be made; without one a private server, as durable as any."""
    server = ExistingMysql(url, "as told") if url else private_mysql(_quietly)
    with closing(server):
        yield server


@contextmanager
def run_stack(server: PrivateMysql | ExistingMysql, shape: Shape) -> Iterator[Stack]:
    """All of it, ready; with a new database and a new account."""
    with ExitStack() as running:
        database_url = server.new_database()
        running.callback(server.drop_database, database_url)
        upgrade(database_url)
        if not shape.is_guarded:
            unguard(database_url)
        settings = {**SETTINGS, **shape.settings}
        redis = running.enter_context(closing(private_redis(_quietly))) if shape.has_redis else None
        if redis is not None:
            settings["HOLDFAST_REDIS_URL"] = redis.url
        starts: list[Callable[[], RunningService | RunningWorker]] = [
            partial(_start_api, shape.launcher, database_url, settings) for _ in range(shape.processes)
        ]
        starts.append(partial(start_worker, database_url, env=settings))
        *services, worker = _start_together(starts, running)
        assert isinstance(worker, RunningWorker)
        apis = [service for service in services if isinstance(service, RunningService)]
        proxies = [running.enter_context(_proxy(service, shape.hurt)) for service in apis if shape.hurt]
        account = running.enter_context(closing(new_account(apis[0].url, database_url)))
        yield Stack(database_url, apis, worker, proxies, redis, account)


def _start_api(launcher: str, database_url: str, settings: Mapping[str, str]) -> RunningService:
    if launcher:
        return launch_service(launcher, database_url, settings)
    return start_service(database_url, env=settings)


def _start_together(
    starts: list[Callable[[], RunningService | RunningWorker]], running: ExitStack
) -> list[RunningService | RunningWorker]:
    """Starts all at once; each that came up is ended with `running`, also where another one did not."""
    with ThreadPoolExecutor(len(starts)) as threads:
        futures: list[Future[RunningService | RunningWorker]] = [threads.submit(start) for start in starts]
    started = [running.enter_context(future.result()) for future in futures if future.exception() is None]
    for future in futures:
        future.result()
    return started


@contextmanager
def _proxy(service: RunningService, hurt: Callable[[TcpProxy], None]) -> Iterator[TcpProxy]:
    with TcpProxy(int(service.url.rpartition(":")[2])) as proxy:
        hurt(proxy)
        yield proxy
