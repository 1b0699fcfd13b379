"""Faults of the database server, its disk and locks, of Redis, and of old records: rows 6, 7, 9, 10, 11, 17 and 19."""

import os
import signal
from collections.abc import Callable
from contextlib import closing
from threading import Event, Thread

import asyncmy
from redis import Redis

from service.clock import now_ms
from tests.accounts import Account, new_account
from tests.api.contract import refused
from tests.api.foreign_locks import file_locked, rows_locked
from tests.api.reading import references
from tests.faults.patient import is_retryable
from tests.faults.small_disk import is_started_again
from tests.faults.soak.scene import Scene
from tests.faults.soak.stack import DEADLINE_S
from tests.make import hold, new_idempotency_key, put_stock
from tests.races.crowd import crowd
from tests.races.purging import age_records, purge_until
from tests.servers.find import PrivateMysql, PrivateRedis
from tests.servers.mysql import execute

LOCKS = "holdfast_hot_row_locks_total"
UNIT = [{"sku": "NW-001", "quantity": 1}]
ORDERS = 12
STOLEN = 3
NO_SUCH_SESSION = 1094


def database_of(scene: Scene) -> PrivateMysql:
    assert scene.stack.database is not None, "SQLite has no server"
    return scene.stack.database


def redis_of(scene: Scene) -> PrivateRedis:
    assert scene.stack.redis is not None, "SQLite needs no Redis"
    return scene.stack.redis


def stop_database(scene: Scene) -> str:
    return _while_gone(scene, database_of(scene).stop)


def kill_database(scene: Scene) -> str:
    return _while_gone(scene, database_of(scene).kill)


def _while_gone(scene: Scene, end: Callable[[], object]) -> str:
    before = scene.crowd.counts["refused"]
    end()
    try:
        scene.until(lambda: scene.crowd.counts["refused"] > before, "a customer is told to come again")
        scene.last(0, 4)
    finally:
        database_of(scene).start()
    return f"{scene.crowd.counts['refused'] - before} tries refused"


def pause_database(scene: Scene) -> str:
    database_of(scene).pause()
    try:
        scene.until_more("refused", 1, "a customer is told to come again")
        scene.last(1, 2 * DEADLINE_S)
    finally:
        database_of(scene).resume()
    return "past every deadline"


def end_sessions(scene: Scene) -> str:
    """An administrator ends every session of the service."""
    admin = database_of(scene).admin_url
    # In ASCII the server makes statements readable that are not UTF-8.
    sessions = [row[0] for row in execute(admin, "SET NAMES ascii", "SHOW PROCESSLIST") if row[1] == "holdfast"]
    ended = 0
    for session in sessions:
        ended += _is_ended(admin, session)
    assert ended, "there was none"
    return f"{ended} of them"


def _is_ended(admin: str, session: object) -> bool:
    """False where it had ended by itself."""
    try:
        execute(admin, f"KILL {session}")
    except asyncmy.errors.Error as error:
        if error.args[0] != NO_SUCH_SESSION:
            raise
        return False
    return True


def lock_rows(scene: Scene) -> str:
    """Somebody else's session locks the crowd's rows for longer than a lock wait."""
    retries = "holdfast_batch_retries_total"
    account = f"x'{scene.crowd.account.id.hex()}'"
    table = scene.random.choice(("stock_items", "seats"))
    before = sum(scene.counted(api, retries) for api in scene.stack.apis)
    with rows_locked(scene.stack.database_url, f"SELECT id FROM {table} WHERE account_id = {account}"):
        scene.until(
            lambda: sum(scene.counted(api, retries) for api in scene.stack.apis) > before, "a lock wait was too long"
        )
        scene.last(0, 4)
    return f"all of its {table}"


def lock_file(scene: Scene) -> str:
    """A program that knows nothing of the service's lock file writes to the SQLite database."""
    api = scene.any_api()
    with file_locked(scene.stack.database_url):
        scene.until(lambda: scene.counted(api, "holdfast_queue_depth") >= 1, "a command waits")
        scene.last(0.5, 2 * DEADLINE_S)
    return "by another program"


def stop_redis(scene: Scene) -> str:
    redis = redis_of(scene)
    end, words = scene.random.choice([(redis.stop, "stopped"), (redis.kill, "killed")])
    _while_missed(scene, end, redis.start)
    return words


def pause_redis(scene: Scene) -> str:
    _while_missed(scene, redis_of(scene).pause, redis_of(scene).resume, longest=10)
    return "past every time-out"


def _while_missed(scene: Scene, end: Callable[[], object], mend: Callable[[], object], longest: float = 5) -> None:
    before = _locks(scene, "failed")
    _until_hot(scene)
    end()
    try:
        scene.until(lambda: _locks(scene, "failed") > before, "a process misses Redis")
        scene.last(0, longest)
    finally:
        mend()


def _locks(scene: Scene, result: str) -> float:
    return sum(scene.counted(api, LOCKS, kind="redis", result=result) for api in scene.stack.apis)


def _until_hot(scene: Scene) -> None:
    before = _locks(scene, "granted")
    scene.until(lambda: _locks(scene, "granted") > before, "a row is hot")


def empty_redis(scene: Scene) -> str:
    """FLUSHALL, until it took locks with it that somebody held."""
    taken = 0
    _until_hot(scene)
    with Redis.from_url(redis_of(scene).url) as client:

        def is_emptied() -> bool:
            nonlocal taken
            held = int(client.dbsize())
            client.flushall()
            taken += held
            return taken >= STOLEN

        scene.until(is_emptied, "locks were there to take")
    return f"with {taken} locks"


def steal_locks(scene: Scene) -> str:
    """Locks are given to a stranger while their holders are at work."""
    stolen = 0
    _until_hot(scene)
    with Redis.from_url(redis_of(scene).url) as client:

        def is_stolen() -> bool:
            nonlocal stolen
            for name in client.scan_iter("holdfast:hot:*"):
                client.set(name, "stranger", px=50)
                stolen += 1
            return stolen >= STOLEN

        scene.until(is_stolen, "locks were there to take")
    return f"{stolen} of them"


def fill_disk(scene: Scene) -> str:
    """The database's disk is full, until somebody makes room."""
    before = scene.crowd.counts["refused"]
    fill, make_room = _disk(scene)
    fill()
    try:
        scene.until(lambda: scene.crowd.counts["refused"] > before, "a customer is told to come again")
        scene.last(0.5, 6)
    finally:
        make_room()
    refused_tries = scene.crowd.counts["refused"] - before
    gave_up = False

    def is_served(answered: int = scene.crowd.counts["acknowledged"]) -> bool:
        nonlocal gave_up
        gave_up |= scene.stack.database is not None and is_started_again(scene.stack.database)
        return scene.crowd.counts["acknowledged"] > answered

    scene.until(is_served, "customers are served again")
    return f"{refused_tries} tries refused{', and the server had ended itself' if gave_up else ''}"


def _disk(scene: Scene) -> tuple[Callable[[], object], Callable[[], object]]:
    disk, pid = scene.stack.disk, scene.stack.apis[0].process.process.pid
    if scene.stack.store == "sqlite":
        return lambda: os.kill(pid, signal.SIGUSR1), lambda: os.kill(pid, signal.SIGUSR2)
    assert disk is not None
    return disk.fill, disk.make_room


def purge_records(scene: Scene) -> str:
    """Records past their time are purged while their requests are sent again; the natural key is all that is left."""
    api = scene.any_api()
    with closing(new_account(api.process.url, scene.stack.database_url)) as account:
        put_stock(account, on_hand=1000)
        callers = [account.at(api.url) for api in scene.stack.apis]
        keys = [new_idempotency_key() for _ in range(ORDERS)]
        made = [answer["reference"] for answer in crowd(callers, ORDERS, lambda caller, n: _order(caller, keys[n], n))]
        age_records(account)
        past = f"FROM idempotency_records WHERE account_id = x'{account.id.hex()}' AND expires_at < {now_ms()}"
        assert scene.stored(f"SELECT COUNT(*) {past}") == ORDERS
        over, purged = Event(), list[int]()
        purge = Thread(target=purge_until, args=(over, account, purged))
        purge.start()
        try:
            while scene.stored(f"SELECT COUNT(*) {past}"):
                again = crowd(callers, ORDERS, lambda caller, n: _order(caller, keys[n], n))
                assert [answer["reference"] for answer in again] == made
        finally:
            over.set()
            purge.join()
        assert sorted(references(account, limit=500)) == sorted(made)
    return f"{ORDERS} of them"


def _order(caller: Account, key: str, number: int) -> dict[str, object]:
    """The reservation or the refusal that names it; the third thing there may be is none."""
    answer = hold(caller, UNIT, key=key, external_reference=f"order-{number}")
    while is_retryable(answer):
        answer = hold(caller, UNIT, key=key, external_reference=f"order-{number}")
    return answer.json() if answer.status_code == 201 else refused(answer, "external-reference-exists")
