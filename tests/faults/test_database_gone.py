"""Rows 6 and 7: the database refuses, dies, stops, falls silent. 503 meanwhile; afterwards all works without a restart.

Never fail open: nothing is promised that is not in the database.
"""

import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from service.demo.tcp_proxy import Direction
from tests.accounts import Account, new_account
from tests.api.contract import EVENT, refused
from tests.api.reading import at_once, references, stock_counts
from tests.faults.conftest import DEADLINE_S, ENVIRONMENT, CutOff
from tests.faults.patient import Customers, is_retryable
from tests.make import hold, new_idempotency_key, put_stock, wait_until
from tests.races.databases import audit_now, mysql_database
from tests.running import RunningService, start_service
from tests.servers.find import PrivateMysql

UNIT = [{"sku": "NW-001", "quantity": 1}]
# A busy machine may be slow to tell that a time is over.
LATE_S = 3.0


@pytest.fixture(scope="module")
def mortal_service(mortal_mysql: PrivateMysql) -> Iterator[RunningService]:
    """A server on a database server that may be killed."""
    with mysql_database(mortal_mysql) as url, start_service(url, env=ENVIRONMENT) as service:
        yield service


@pytest.fixture
def victim(mortal_service: RunningService) -> Iterator[Account]:
    """A new account there; afterwards the database is up and clean."""
    with closing(new_account(mortal_service.url, mortal_service.database_url)) as account:
        wait_until(lambda: account.http.get("/v1/me").status_code == httpx.codes.OK, 30, "the service answers again")
        yield account
    audit_now(mortal_service.database_url)


def answered_at_last(account: Account, key: str) -> httpx.Response:
    """The first final answer to the hold of one unit."""
    answers = [hold(account, UNIT, key=key)]
    wait_until(lambda: not is_retryable(answers[-1]) or answers.append(hold(account, UNIT, key=key)), 60)
    return answers[-1]


def assert_refused_for_now(account: Account, key: str) -> None:
    """Everything is refused with 503 in time, the process lives, and it says that it is not ready."""
    began = time.monotonic()
    answers = at_once(
        [
            lambda: hold(account, UNIT, key=key),
            lambda: account.http.get("/v1/stock/NW-001"),
            lambda: account.http.get("/v1/reservations"),
            lambda: account.http.put("/v1/events/final", json=EVENT),
            lambda: account.http.get("/readyz"),
        ]
    )
    assert time.monotonic() - began < DEADLINE_S + LATE_S
    for answer in answers:
        assert refused(answer, "store-unavailable")["retry_after_s"] == int(answer.headers["Retry-After"]) >= 1
    assert account.http.get("/healthz").status_code == 200


def assert_one_effect(account: Account, answer: httpx.Response) -> None:
    assert answer.status_code == 201, answer.text
    assert references(account) == [answer.json()["reference"]]
    assert stock_counts(account) == (1, 0, 9)


def test_row_06_database_that_was_stopped_is_503_and_later_executes_once(
    victim: Account, mortal_mysql: PrivateMysql
) -> None:
    put_stock(victim, on_hand=10)
    key = new_idempotency_key()
    mortal_mysql.stop()
    try:
        assert_refused_for_now(victim, key)
    finally:
        mortal_mysql.start()
    answer = answered_at_last(victim, key)
    assert answer.headers["Idempotent-Replayed"] == "false", "nothing was stored while it was down"
    assert_one_effect(victim, answer)
    wait_until(lambda: victim.http.get("/readyz").status_code == 200, 30)


def test_row_07_database_killed_again_and_again_under_load_loses_and_doubles_nothing(
    victim: Account, mortal_mysql: PrivateMysql
) -> None:
    with Customers([victim]) as customers:
        for more in (15, 25):
            customers.wait_for(more)
            before = customers.tries_refused
            mortal_mysql.kill()
            wait_until(lambda seen=before: customers.tries_refused > seen, 30, "a refusal while the database is gone")
            mortal_mysql.start()
        customers.wait_for(15)
    customers.settle()


def test_row_07_database_paused_past_the_deadline_is_503_and_goes_on(
    victim: Account, mortal_mysql: PrivateMysql
) -> None:
    put_stock(victim, on_hand=10)
    key = new_idempotency_key()
    mortal_mysql.pause()
    try:
        assert_refused_for_now(victim, key)
    finally:
        mortal_mysql.resume()
    assert_one_effect(victim, answered_at_last(victim, key))


def test_row_06_refused_connections_are_503_and_later_executes_once(cut_off: CutOff, customer: Account) -> None:
    put_stock(customer, on_hand=10)
    key = new_idempotency_key()
    cut_off.proxy.refuse()
    cut_off.proxy.cut_now()
    assert_refused_for_now(customer, key)
    cut_off.proxy.heal()
    answer = answered_at_last(customer, key)
    assert answer.headers["Idempotent-Replayed"] == "false"
    assert_one_effect(customer, answer)


def test_row_07_idle_connections_that_died_cost_no_command(cut_off: CutOff, customer: Account) -> None:
    put_stock(customer, on_hand=10)
    for taken in range(1, 4):
        # The key is known: nothing but the command itself needs the database.
        assert customer.http.get("/v1/me").status_code == 200
        cut_off.proxy.cut_now()
        answer = hold(customer, UNIT)
        assert answer.status_code == 201, answer.text
        wait_until(lambda: customer.http.get("/v1/stock/NW-001").status_code == 200)
        assert stock_counts(customer)[0] == taken


@pytest.mark.parametrize("silent", [Direction.TO_SERVER, Direction.TO_CLIENT])
def test_row_07_connections_that_fall_silent_for_ever_are_given_up(
    cut_off: CutOff, customer: Account, silent: Direction
) -> None:
    """As when the database's host vanishes: no packet comes any more, not even one that says so."""
    put_stock(customer, on_hand=10)
    key = new_idempotency_key()
    cut_off.proxy.swallow(silent)
    assert_refused_for_now(customer, key)
    # New connections work again; those that were open stay silent, since what was swallowed is lost.
    cut_off.proxy.heal()
    began = time.monotonic()
    assert_one_effect(customer, answered_at_last(customer, key))
    assert time.monotonic() - began < DEADLINE_S + LATE_S


def test_rows_06_and_07_database_cut_off_in_every_way_under_load_loses_and_doubles_nothing(
    cut_off: CutOff, customer: Account
) -> None:
    with Customers([customer]) as customers:
        customers.wait_for(10)
        cut_off.proxy.cut_now()
        customers.wait_for(10)
        cut_off.proxy.cut_at_byte(Direction.TO_CLIENT, skip=1000, times=5).wait_until_done(30)
        cut_off.proxy.cut_at_byte(Direction.TO_SERVER, skip=1000, times=5).wait_until_done(30)
        customers.wait_for(10)
        cut_off.proxy.refuse()
        cut_off.proxy.cut_now()
        wait_until(lambda: customers.tries_refused > 0, 30)
        cut_off.proxy.heal()
        customers.wait_for(10)
    customers.settle()
