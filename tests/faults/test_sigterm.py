"""Row 15: SIGTERM under load. What runs is answered or can be retried; exit code 0 within the grace time."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from service.demo.tcp_proxy import Direction
from tests.accounts import Account, new_account
from tests.api.foreign_locks import stock_locked
from tests.api.reading import stock_counts
from tests.conftest import MysqlServer
from tests.faults.conftest import ENVIRONMENT, CutOff
from tests.faults.patient import Customers, is_listened_to
from tests.make import hold, new_idempotency_key, put_stock, wait_until
from tests.races.databases import audit_now, mysql_database
from tests.races.metrics import counted
from tests.running import RunningService, start_service

UNIT = [{"sku": "NW-001", "quantity": 1}]
GRACE_S = 8
# Starting and ending an interpreter on a busy machine.
LATE_S = 8.0
SETTINGS = ENVIRONMENT | {"HOLDFAST_DRAIN_SECONDS": str(GRACE_S)}


@pytest.fixture(scope="module")
def leaving(fresh_database: str) -> Iterator[RunningService]:
    """A server that is told to end over and over."""
    with start_service(fresh_database, env=SETTINGS) as service:
        yield service


@pytest.fixture
def account(leaving: RunningService) -> Iterator[Account]:
    with closing(new_account(leaving.url, leaving.database_url)) as account:
        yield account
    audit_now(leaving.database_url)


def leave(service: RunningService) -> None:
    """SIGTERM; exit code 0, within the grace time."""
    began = time.monotonic()
    assert service.stop() == 0, service.process.log_tail()
    assert time.monotonic() - began < GRACE_S + LATE_S


def test_row_15_told_to_end_under_load_it_leaves_with_0_and_loses_and_doubles_nothing(
    leaving: RunningService, account: Account
) -> None:
    with Customers([account]) as customers:
        customers.wait_for(25)
        leave(leaving)
        leaving.start()
        customers.wait_for(10)
    customers.settle()


def test_row_15_request_that_runs_is_finished_and_answered_first(leaving: RunningService, account: Account) -> None:
    put_stock(account, on_hand=5)
    key = new_idempotency_key()
    query = {"key": key, "method": "POST", "route": "/v1/reservations"}
    with ThreadPoolExecutor(max_workers=2) as threads:
        with stock_locked(account):
            running = threads.submit(hold, account, UNIT, key)
            wait_until(
                lambda: account.http.get("/v1/idempotency-keys", params=query).json()["state"] == "in_progress", 10
            )
            ended = threads.submit(leave, leaving)
            # It takes no more requests from now on.
            wait_until(lambda: not is_listened_to(account.url), 10)
        assert running.result().status_code == 201, running.result().text
        ended.result()
    leaving.start()
    again = hold(account, UNIT, key=key)
    assert again.content == running.result().content
    assert stock_counts(account) == (1, 0, 4)


def test_row_15_several_processes_told_to_end_under_load_leave_with_0(mysql_server: MysqlServer) -> None:
    with (
        mysql_database(mysql_server) as url,
        start_service(url, env=SETTINGS, workers=2) as service,
        closing(new_account(service.url, url)) as account,
    ):
        with Customers([account]) as customers:
            customers.wait_for(20)
            leave(service)
            service.start()
            customers.wait_for(10)
        customers.settle()


def test_row_15_told_to_end_while_the_database_is_silent_it_leaves_all_the_same(
    cut_off: CutOff, customer: Account
) -> None:
    put_stock(customer, on_hand=5)
    key = new_idempotency_key()
    with ThreadPoolExecutor(max_workers=1) as thread:
        cut_off.proxy.swallow(Direction.TO_CLIENT)
        running = thread.submit(hold, customer, UNIT, key)
        wait_until(lambda: counted(cut_off.service, "holdfast_queue_depth") == 1, 10)
        assert cut_off.service.stop() == 0, cut_off.service.process.log_tail()
        assert running.result().status_code == 503, running.result().text
    cut_off.proxy.heal()
    cut_off.service.start()
    answers = [hold(customer, UNIT, key=key)]
    wait_until(lambda: answers[-1].status_code == 201 or answers.append(hold(customer, UNIT, key=key)), 30)
    assert stock_counts(customer) == (1, 0, 4)
