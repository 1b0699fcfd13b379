"""Row 10: Redis stopped, paused, emptied, started again, while two processes need it for a hot row (R9).

Nothing is doubled or lost, nothing is refused for it, and no request waits past its deadline for a lock.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests.accounts import Account, new_account
from tests.conftest import MysqlServer
from tests.faults.conftest import ENVIRONMENT
from tests.faults.patient import Customers
from tests.make import wait_until
from tests.races.databases import audit_now, mysql_database
from tests.races.metrics import counted
from tests.running import RunningService, start_service
from tests.servers import private_redis
from tests.servers.find import PrivateRedis

LOCKS = "holdfast_hot_row_locks_total"


@pytest.fixture(scope="module")
def mortal_redis() -> Iterator[PrivateRedis]:
    with closing(private_redis()) as redis:
        yield redis


@pytest.fixture(scope="module")
def pair(mysql_server: MysqlServer, mortal_redis: PrivateRedis) -> Iterator[tuple[RunningService, RunningService]]:
    """Two servers whose rows become hot after two lost races."""
    env = ENVIRONMENT | {"HOLDFAST_REDIS_URL": mortal_redis.url, "HOLDFAST_HOT_ROW_CONFLICTS": "2"}
    with ExitStack() as stack:
        url = stack.enter_context(mysql_database(mysql_server))
        yield stack.enter_context(start_service(url, env=env)), stack.enter_context(start_service(url, env=env))


@pytest.fixture
def callers(pair: tuple[RunningService, RunningService], mortal_redis: PrivateRedis) -> Iterator[list[Account]]:
    """An account at both; Redis runs before, and the database is clean after."""
    if not mortal_redis.answers():
        mortal_redis.start()
    with closing(new_account(pair[0].url, pair[0].database_url)) as account:
        yield [account, account.at(pair[1].url)]
    audit_now(pair[0].database_url)


def locks(services: tuple[RunningService, ...], kind: str, result: str) -> float:
    return sum(counted(service, LOCKS, kind=kind, result=result) for service in services)


def stop(redis: PrivateRedis) -> None:
    redis.stop()


def kill(redis: PrivateRedis) -> None:
    redis.kill()


def pause(redis: PrivateRedis) -> None:
    redis.pause()


FAULTS: dict[str, tuple[Callable[[PrivateRedis], None], Callable[[PrivateRedis], None]]] = {
    "stopped": (stop, lambda redis: redis.start()),
    "killed": (kill, lambda redis: redis.start()),
    "paused": (pause, lambda redis: redis.resume()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_row_10_redis_gone_while_a_row_is_hot_costs_nobody_anything(
    pair: tuple[RunningService, RunningService], callers: list[Account], mortal_redis: PrivateRedis, fault: str
) -> None:
    hurt, mend = FAULTS[fault]
    before = locks(pair, "redis", "granted")
    with Customers(callers) as customers:
        wait_until(lambda: locks(pair, "redis", "granted") > before, 60, "the row is hot and locked by Redis")
        asked, failed = locks(pair, "for_update", "asked"), locks(pair, "redis", "failed")
        hurt(mortal_redis)
        try:
            wait_until(lambda: locks(pair, "redis", "failed") > failed, 60, "the outage is noticed")
            wait_until(lambda: locks(pair, "for_update", "asked") > asked, 60, "the database locks in its place")
            customers.wait_for(20)
        finally:
            mend(mortal_redis)
        granted = locks(pair, "redis", "granted")
        wait_until(lambda: locks(pair, "redis", "granted") > granted, 60, "Redis is used again")
    assert customers.tries_refused == customers.tries_lost == 0, "somebody felt it"
    customers.settle()
