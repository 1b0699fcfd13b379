"""Several processes on one database, and callers that are spread over them.

MySQL family: two servers and two workers. SQLite: the one server there may be, which sweeps too, and a worker process.
Each test has an account of its own, and the auditor looks at the whole database after each.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import NamedTuple

import pytest

from tests.accounts import Account, new_account
from tests.conftest import MysqlServer
from tests.races.databases import StoreName, audit_now, database, mysql_database
from tests.running import RunningService, audit, start_service, start_worker

# Rows become hot after two lost races: the lock of hot rows takes part in every race. (There is no Redis here.)
ENVIRONMENT = {"HOLDFAST_HOT_ROW_CONFLICTS": "2", "HOLDFAST_SWEEP_INTERVAL_MS": "200", "HOLDFAST_LOG_LEVEL": "warning"}


class Processes(NamedTuple):
    """Server processes on one database."""

    database_url: str
    services: tuple[RunningService, ...]


@pytest.fixture(scope="session", params=["sqlite", "mysql"])
def processes(request: pytest.FixtureRequest) -> Iterator[Processes]:
    """The processes of all race tests."""
    store: StoreName = request.param
    with ExitStack() as stack:
        url = stack.enter_context(database(store, request.getfixturevalue("mysql_server")))
        many = 1 if store == "sqlite" else 2
        services = tuple(stack.enter_context(start_service(url, env=ENVIRONMENT)) for _ in range(many))
        for _ in range(many):
            stack.enter_context(start_worker(url, env=ENVIRONMENT))
        yield Processes(url, services)
        audit(url)


@pytest.fixture
def account(processes: Processes) -> Iterator[Account]:
    """A new account, at the first server; the database is audited after its test."""
    with closing(new_account(processes.services[0].url, processes.database_url)) as account:
        yield account
    audit_now(processes.database_url)


@pytest.fixture
def unswept(mysql_server: MysqlServer) -> Iterator[Account]:
    """A new account at one server of the MySQL family without a worker: nothing is swept but by the test."""
    with (
        mysql_database(mysql_server) as url,
        start_service(url) as service,
        closing(new_account(service.url, url)) as account,
    ):
        yield account


@pytest.fixture
def callers(account: Account, processes: Processes) -> list[Account]:
    """The account at each server process: the caller with number n calls at `callers[n % len(callers)]`."""
    return [account, *(account.at(service.url) for service in processes.services[1:])]
