"""Fixtures that every test may use. All of them give real things: databases, processes, accounts.

store_url      each store in turn, `sqlite` and `mysql`, schema built by the migrations; audited when its tests are over
service        the real server on that store, with a worker; shared by all tests of a run
account        a new account with a key of every scope, the unit of isolation; `other_account` is another one
fresh_database each store in turn, a database of the module's own
new_store      makes databases of the test's own, each audited at its end
mysql_server   the shared MySQL-family server; `redis_server` the shared Redis
"""

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, TypeAlias

import pytest

from tests.accounts import Account, new_account
from tests.process import make_directory, remove_directory
from tests.races.databases import StoreName, database
from tests.running import RunningService, audit, start_service, start_worker, upgrade
from tests.searching import register_soak
from tests.servers import MysqlServer, RedisServer, shared_mysql, shared_redis
from tests.side_by_side import SideBySide

register_soak()

NewStore: TypeAlias = Callable[[StoreName], str]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SideBySide:
    """With `--numprocesses` only."""
    return SideBySide(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the server said last."""
    report = yield
    service = getattr(item, "funcargs", {}).get("service")
    if report.failed and isinstance(service, RunningService):
        report.sections.append(("end of the server's log", service.process.log_tail()))
    return report


@pytest.fixture(scope="session")
def note(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line that the person at the terminal sees, even of a test that passes."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def show(text: str) -> None:
        with ExitStack() as visible:
            if capture is not None:
                visible.enter_context(capture.global_and_fixture_disabled())
            # Not stdout, on which the processes of a run side by side speak to each other.
            sys.stderr.write(f"\n{text}\n")
            sys.stderr.flush()

    return show


@pytest.fixture(scope="session")
def mysql_server(note: Callable[[str], None]) -> Iterator[MysqlServer]:
    """The MySQL-family server of the run. Tests that would hurt it start a `private_mysql` of their own."""
    server = shared_mysql(note)
    note(f"MySQL family: {server.origin}")
    yield server
    server.close()


@pytest.fixture(scope="session")
def redis_server(note: Callable[[str], None]) -> Iterator[RedisServer]:
    """The Redis server of the run. Tests that would hurt it start a `private_redis` of their own."""
    server = shared_redis(note)
    note(f"Redis: {server.origin}")
    yield server
    server.close()


@contextmanager
def _store_maker(request: pytest.FixtureRequest) -> Iterator[NewStore]:
    with ExitStack() as at_end:

        def make(name: StoreName) -> str:
            if name == "sqlite":
                directory = make_directory("sqlite")
                at_end.callback(remove_directory, directory)
                url = f"sqlite+aiosqlite:///{directory}/holdfast.sqlite3"
            else:
                server: MysqlServer = request.getfixturevalue("mysql_server")
                url = server.new_database()
                at_end.callback(server.drop_database, url)
            upgrade(url)
            at_end.callback(audit, url)
            return url

        yield make


@pytest.fixture(scope="session", params=["sqlite", "mysql"])
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a database with the newest schema, shared by all tests of a run; audited at the end."""
    with _store_maker(request) as make:
        yield make(request.param)


@pytest.fixture
def new_store(request: pytest.FixtureRequest) -> Iterator[NewStore]:
    """`new_store("mysql")` is the URL of a database of the test's own; audited when the test is over."""
    with _store_maker(request) as make:
        yield make


@pytest.fixture(scope="session")
def service(store_url: str) -> Iterator[RunningService]:
    """A running server on `store_url`; on MySQL a worker process beside it."""
    with ExitStack() as processes:
        service = processes.enter_context(start_service(store_url))
        if service.store == "mysql":
            processes.enter_context(start_worker(store_url))
        yield service


@pytest.fixture
def account(service: RunningService) -> Iterator[Account]:
    """A new account of `service`."""
    with closing(new_account(service.url, service.database_url)) as account:
        yield account


@pytest.fixture
def other_account(service: RunningService) -> Iterator[Account]:
    """Another one, which must never see or move anything of `account`."""
    with closing(new_account(service.url, service.database_url)) as account:
        yield account


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def fresh_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of the module's own, of each store."""
    store: StoreName = request.param
    with database(store, request.getfixturevalue("mysql_server")) as url:
        yield url
