"""The race tests can fail: without the version checks, and without what stands behind them, the same race oversells.

Two servers with a pause between reading and writing, on a database whose unique keys and CHECKs are gone. With the
version checks alone nothing is oversold; without them it is, and both the test's own count and the auditor see it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from tests.accounts import Account, new_account
from tests.api.audited import unguard
from tests.api.reading import stock_counts
from tests.conftest import MysqlServer
from tests.make import SEATS, hold, put_event, put_stock
from tests.races.crowd import crowd
from tests.races.databases import verdict
from tests.races.launched import launch_service
from tests.running import upgrade

LAUNCHER = "tests.races.unguarded"
CALLERS = 20
ON_HAND = 3


@contextmanager
def two_servers(server: MysqlServer, unguarded: str) -> Iterator[list[Account]]:
    """An account at each of two servers on a database without constraints."""
    url = server.new_database()
    upgrade(url)
    unguard(url)
    with ExitStack() as stack:
        stack.callback(server.drop_database, url)
        env = {"HOLDFAST_TEST_UNGUARDED": unguarded}
        first, second = (stack.enter_context(launch_service(LAUNCHER, url, env)) for _ in range(2))
        account = stack.enter_context(closing(new_account(first.url, url)))
        yield [account, account.at(second.url)]


def race(callers: list[Account]) -> tuple[int, int]:
    """How many units were sold of ON_HAND, and how often the one seat was."""
    put_stock(callers[0], on_hand=ON_HAND)
    put_event(callers[0])
    unit = crowd(callers, CALLERS, lambda caller, _: hold(caller, [{"sku": "NW-001", "quantity": 1}]))
    seat = crowd(callers, CALLERS, lambda caller, _: hold(caller, [{"event": "final", "seats": [SEATS[0]]}]))
    return sum(answer.status_code == 201 for answer in unit), sum(answer.status_code == 201 for answer in seat)


def test_with_version_checks_alone_nothing_is_oversold(mysql_server: MysqlServer) -> None:
    with two_servers(mysql_server, unguarded="0") as callers:
        assert race(callers) == (ON_HAND, 1)
        assert stock_counts(callers[0]) == (ON_HAND, 0, 0)
        assert verdict(callers[0].database_url).clean


def test_without_version_checks_the_race_oversells_and_the_auditor_says_so(mysql_server: MysqlServer) -> None:
    with two_servers(mysql_server, unguarded="1") as callers:
        units, seats = race(callers)
        assert units > ON_HAND, "two processes that check nothing did not oversell: then the races prove nothing"
        assert seats > 1
        broken = {check.invariant for check in verdict(callers[0].database_url).checks if check.total}
        assert {"R1", "R2"} <= broken
