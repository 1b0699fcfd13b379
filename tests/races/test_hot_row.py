"""Two processes hammer one stock row: with the Redis lock, without Redis, and with the lock broken on purpose.

The lock only saves work (R9): whether it is there, lost, or taken away over and over, nothing is oversold.
Rows that are not hot cost Redis nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from redis import Redis

from tests.accounts import Account, new_account
from tests.api.reading import held, stock_counts
from tests.conftest import MysqlServer
from tests.make import act, hold, put_stock, wait_until
from tests.races.conftest import Processes
from tests.races.crowd import crowd
from tests.races.databases import audit_now, mysql_database
from tests.races.metrics import counted
from tests.running import RunningService, start_service
from tests.servers import private_redis
from tests.servers.find import PrivateRedis

THREADS = 30
CALLS_EACH = 8
ON_HAND = 100
ROUNDS_MAX = 8
TOLD_S = 5.0
"""A process tells every two seconds, and for seconds after the fight."""


class Pair:
    """Two servers with one Redis, and an account at each."""

    def __init__(self, services: list[RunningService], redis: PrivateRedis, account: Account) -> None:
        self.services = services
        self.redis = redis
        self.callers = [account, account.at(services[1].url)]

    def commands(self) -> dict[str, int]:
        """How often Redis has been sent each command since it was started, but for those of this test."""
        with Redis.from_url(self.redis.url) as client:
            found = client.info("commandstats")
        ours = {"info", "client|setinfo", "hello", "ping"}
        return {
            name: facts["calls"]
            for key, facts in found.items()
            if (name := key.removeprefix("cmdstat_").lower()) not in ours
        }

    def locks(self, kind: str, result: str) -> float:
        name = "holdfast_hot_row_locks_total"
        return sum(counted(service, name, kind=kind, result=result) for service in self.services)


@pytest.fixture(scope="module")
def pair(mysql_server: MysqlServer) -> Iterator[Pair]:
    with ExitStack() as stack:
        url = stack.enter_context(mysql_database(mysql_server))
        redis = stack.enter_context(closing(private_redis()))
        env = {
            "HOLDFAST_REDIS_URL": redis.url,
            "HOLDFAST_HOT_ROW_CONFLICTS": "2",
            "HOLDFAST_HOT_ROW_LOCK_MS": "200",
            "HOLDFAST_LOG_LEVEL": "warning",
        }
        services = [stack.enter_context(start_service(url, env=env)) for _ in range(2)]
        account = stack.enter_context(closing(new_account(services[0].url, url)))
        yield Pair(services, redis, account)


def hammer(callers: list[Account], sku: str) -> None:
    """More callers than units, in both processes; each gives a third of what it got back. Nothing is oversold."""
    put_stock(callers[0], sku=sku, on_hand=ON_HAND)

    def call(caller: Account, _: int) -> int:
        kept = 0
        for number in range(CALLS_EACH):
            answer = hold(caller, [{"sku": sku, "quantity": 1}])
            assert answer.status_code in {201, 409}, answer.text
            if answer.status_code == 201:
                kept += 1
                if number % 3 == 0:
                    assert act(caller, answer.json()["reference"], "release").status_code == 200
                    kept -= 1
        return kept

    kept = sum(crowd(callers, THREADS, call))
    assert stock_counts(callers[0], sku) == (kept, 0, ON_HAND - kept)
    assert kept > ON_HAND // 2
    audit_now(callers[0].database_url)


def hammer_until(callers: list[Account], name: str, was_seen: Callable[[], bool]) -> None:
    """Hammers rows one after the other, until what the test is about has been seen to happen."""
    for number in range(ROUNDS_MAX):
        hammer(callers, f"{name}-{number}")
        if was_seen():
            return
    raise AssertionError(f"{ROUNDS_MAX} rounds, and the row did not become hot as the test wants it")


def test_cold_traffic_costs_redis_nothing(pair: Pair) -> None:
    for number in range(20):
        put_stock(pair.callers[0], sku=f"cold-{number}", on_hand=10)
    before = pair.commands()
    for number in range(20):
        for caller in pair.callers:
            reference = held(caller, [{"sku": f"cold-{number}", "quantity": 1}])["reference"]
            assert act(caller, reference, "confirm").status_code == 200
    assert pair.commands() == before == {}
    assert pair.locks("redis", "granted") == pair.locks("for_update", "asked") == 0


def test_hot_row_is_locked_by_redis_and_not_oversold(pair: Pair) -> None:
    hammer_until(pair.callers, "redis", lambda: pair.locks("redis", "granted") > 0)
    assert pair.commands()["set"] > 0


def test_both_processes_tell_of_the_row_that_they_fight_for(pair: Pair) -> None:
    def told() -> list[dict[str, Any]]:
        asked = pair.callers[0].http.get("/v1/hot-rows")
        assert asked.status_code == 200, asked.text
        return [row for row in asked.json()["hot_rows"] if row["sku"] is not None and row["sku"].startswith("told-")]

    def by_both() -> bool:
        try:
            wait_until(lambda: len({row["process"] for row in told() if row["locks"]}) == len(pair.services), TOLD_S)
        except AssertionError:  # one of them lost no race, or seldom
            return False
        return True

    hammer_until(pair.callers, "told", by_both)
    pids = {row["process"].rpartition(":")[2] for row in told()}
    assert pids == {str(service.process.pid) for service in pair.services}
    assert {row["kind"] for row in told()} == {"stock"}
    assert all(row["conflicts"] > 0 for row in told())


def test_row_11_hot_row_whose_locks_vanish_all_the_time_is_not_oversold(pair: Pair) -> None:
    with breaking(pair.redis, lambda client: client.flushall()):
        hammer_until(pair.callers, "flushed", lambda: pair.locks("redis", "granted") > 0)


def test_row_11_hot_row_whose_locks_belong_to_somebody_else_is_not_oversold(pair: Pair) -> None:
    """Every lock is deleted and taken by a stranger who never gives it back."""

    def steal(client: Redis) -> None:
        for name in client.scan_iter("holdfast:hot:*"):
            client.set(name, "stranger", px=50)

    with breaking(pair.redis, steal):
        hammer_until(pair.callers, "stolen", lambda: pair.locks("redis", "granted") > 0)


def test_hot_row_without_redis_is_locked_by_the_database_and_not_oversold(
    processes: Processes, callers: list[Account]
) -> None:
    def was_locked() -> bool:
        name = "holdfast_hot_row_locks_total"
        asked = sum(counted(service, name, kind="for_update", result="asked") for service in processes.services)
        # The one server process that SQLite has never loses a race.
        return asked > 0 or len(processes.services) == 1

    hammer_until(callers, "for-update", was_locked)


@contextmanager
def breaking(redis: PrivateRedis, hurt: Callable[[Redis], object]) -> Iterator[None]:
    """`hurt` is done to Redis over and over while the block runs."""
    over = Event()

    def run() -> None:
        with Redis.from_url(redis.url) as client:
            while not over.is_set():
                hurt(client)

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
