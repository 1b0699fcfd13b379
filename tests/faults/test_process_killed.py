"""Rows 2 and 3: `kill -9` of the server at every point of a transaction, and at any moment of a busy day.

The retry finds nothing to unlock and no lease to wait for: it executes at once, or replays.
"""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest

from service.demo.tcp_proxy import Direction, TcpProxy
from tests.accounts import Account, new_account
from tests.api.foreign_locks import sqlite_path
from tests.api.reading import read, references, stock_counts
from tests.faults.conftest import DEADLINE_S, ENVIRONMENT
from tests.faults.fused import Fuse, fused_service, wait_until_dead
from tests.faults.patient import Customers
from tests.make import act, hold, new_idempotency_key, put_stock, wait_until
from tests.races.databases import audit_now
from tests.running import RunningService

UNIT = [{"sku": "NW-001", "quantity": 1}]
PLACES = {"before-the-writes": "read", "before-commit": "written", "after-commit": "committed"}


@pytest.fixture(scope="module")
def mortal(fresh_database: str) -> Iterator[tuple[RunningService, Fuse]]:
    """A server that can be made to kill itself at one exact place."""
    with fused_service(fresh_database, ENVIRONMENT) as service_and_fuse:
        yield service_and_fuse


@pytest.fixture
def service(mortal: tuple[RunningService, Fuse]) -> RunningService:
    return mortal[0]


@pytest.fixture
def fuse(mortal: tuple[RunningService, Fuse]) -> Fuse:
    return mortal[1]


@pytest.fixture
def account(service: RunningService) -> Iterator[Account]:
    """A new account; afterwards its database is whole and clean."""
    with closing(new_account(service.url, service.database_url)) as account:
        yield account
    audit_now(service.database_url)
    if service.store == "sqlite":
        with closing(sqlite3.connect(sqlite_path(service.database_url))) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("place", PLACES)
def test_rows_02_and_03_server_killed_at_one_place_then_retried_has_one_effect(
    service: RunningService, fuse: Fuse, account: Account, place: str
) -> None:
    put_stock(account, on_hand=10)
    key = new_idempotency_key()
    fuse.lay(PLACES[place], signal.SIGKILL)
    with pytest.raises(httpx.TransportError):
        hold(account, UNIT, key=key)
    wait_until_dead(service)
    service.start()
    answer = hold(account, UNIT, key=key)
    assert answer.status_code == 201, answer.text
    assert answer.elapsed.total_seconds() < DEADLINE_S
    assert answer.headers["Idempotent-Replayed"] == ("true" if place == "after-commit" else "false")
    assert references(account) == [answer.json()["reference"]]
    assert stock_counts(account) == (1, 0, 9)


def test_row_02_server_killed_in_an_action_then_retried_is_one_version(
    service: RunningService, fuse: Fuse, account: Account
) -> None:
    put_stock(account, on_hand=10)
    reference = hold(account, UNIT).json()["reference"]
    fuse.lay("written", signal.SIGKILL, "ConfirmReservation")
    with pytest.raises(httpx.TransportError):
        act(account, reference, "confirm")
    wait_until_dead(service)
    service.start()
    # Without a key: it is safe to repeat by itself.
    answer = act(account, reference, "confirm")
    assert answer.status_code == 200, answer.text
    assert read(account, reference)["version"] == 2
    assert stock_counts(account) == (0, 1, 9)


def test_row_03_server_killed_while_its_answer_is_on_its_way_replays(service: RunningService, account: Account) -> None:
    put_stock(account, on_hand=10)
    key = new_idempotency_key()
    with TcpProxy(urlsplit(service.url).port or 80) as proxy:
        far = account.at(f"http://127.0.0.1:{proxy.port}")
        far.http.timeout = httpx.Timeout(1.0)
        proxy.swallow(Direction.TO_CLIENT)
        with pytest.raises(httpx.ReadTimeout):
            hold(far, UNIT, key=key)
    query = {"key": key, "method": "POST", "route": "/v1/reservations"}
    wait_until(lambda: account.http.get("/v1/idempotency-keys", params=query).json()["state"] == "completed")
    service.kill()
    service.start()
    answer = hold(account, UNIT, key=key)
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "true")
    assert stock_counts(account) == (1, 0, 9)


def test_row_02_server_killed_again_and_again_under_load_loses_and_doubles_nothing(
    service: RunningService, account: Account
) -> None:
    with Customers([account]) as customers:
        for more in (11, 17, 23):
            customers.wait_for(more)
            service.kill()
            service.start()
        customers.wait_for(10)
    assert customers.tries_lost > 0
    customers.settle()
