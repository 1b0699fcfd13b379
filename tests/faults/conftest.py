"""Stands for faults: a service whose database can be cut off, one whose database can be killed, one a store.

Deadlines are short so that a fault outlives them, and long enough for a busy machine. Each test has an account of its
own; the auditor looks at the whole database after each, when everything that was broken is whole again.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import NamedTuple

import httpx
import pytest
from sqlalchemy import make_url

from service.demo.tcp_proxy import TcpProxy
from tests.accounts import Account, new_account
from tests.conftest import MysqlServer
from tests.polling import wait_until
from tests.races.databases import audit_now, mysql_database
from tests.running import RunningService, start_service
from tests.servers import private_mysql
from tests.servers.find import PrivateMysql

ENVIRONMENT = {
    "HOLDFAST_DEADLINE_SECONDS": "4",
    "HOLDFAST_LOCK_WAIT_SECONDS": "1",
    "HOLDFAST_SWEEP_INTERVAL_MS": "200",
    "HOLDFAST_LOG_LEVEL": "warning",
}
DEADLINE_S = 4.0


class CutOff(NamedTuple):
    """A service, the database as only it sees it, and the same database past the proxy."""

    service: RunningService
    proxy: TcpProxy
    database_url: str


@pytest.fixture(scope="session")
def cut_off_service(mysql_server: MysqlServer) -> Iterator[CutOff]:
    """A server that reaches the shared MySQL-family server through a proxy."""
    with ExitStack() as stack:
        url = stack.enter_context(mysql_database(mysql_server))
        parts = make_url(url)
        proxy = stack.enter_context(TcpProxy(parts.port or 3306, parts.host or "127.0.0.1"))
        through = parts.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        yield CutOff(stack.enter_context(start_service(through, env=ENVIRONMENT)), proxy, url)


@pytest.fixture
def cut_off(cut_off_service: CutOff) -> Iterator[CutOff]:
    """The same; healed and audited after the test."""
    yield cut_off_service
    cut_off_service.proxy.heal()
    cut_off_service.proxy.cut_now()
    audit_now(cut_off_service.database_url)


@pytest.fixture
def customer(cut_off: CutOff) -> Iterator[Account]:
    """A new account of that service, which has got over what happened to its connections before."""
    with closing(new_account(cut_off.service.url, cut_off.database_url)) as account:
        wait_until(lambda: account.http.get("/v1/me").status_code == httpx.codes.OK, 30, "the service answers again")
        yield account


@pytest.fixture(scope="session")
def mortal_mysql() -> Iterator[PrivateMysql]:
    """A MySQL-family server that may be killed."""
    with closing(private_mysql()) as server:
        yield server
