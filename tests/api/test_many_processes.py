"""Several server processes on one database: one key is one effect in all of them, and they start and end together.

`holdfast serve --workers 2` has them behind one port, so it is chance which of them answers on a connection; where a
test must know, it asks the metrics that each of them writes.
"""

import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from prometheus_client.multiprocess import MultiProcessCollector

from service.database.store import Store
from service.database.transaction import Transaction
from service.database.transactional import transactional
from tests.accounts import Account, http_client, new_account, on_store
from tests.api.contract import refused
from tests.api.foreign_locks import stock_locked
from tests.api.reading import at_once, history, message_types, references, stock_counts
from tests.make import hold, new_idempotency_key, put_stock, wait_until
from tests.races.databases import mysql_database
from tests.running import RunningService, start_service
from tests.servers import MysqlServer

UNIT = [{"sku": "NW-001", "quantity": 1}]
STOCK = 500
DUPLICATES = 50

Note = Callable[[str], None]


@pytest.fixture(scope="module")
def database_url(mysql_server: MysqlServer) -> Iterator[str]:
    with mysql_database(mysql_server) as url:
        yield url


@pytest.fixture(scope="module")
def pair(database_url: str, note: Note) -> Iterator[RunningService]:
    """Two processes behind one port."""
    began = time.monotonic()
    with start_service(database_url, workers=2) as service:
        note(f"two server processes were ready after {time.monotonic() - began:.1f} s")
        yield service


@pytest.fixture
def account(pair: RunningService) -> Iterator[Account]:
    with closing(new_account(pair.url, pair.database_url)) as account:
        put_stock(account, on_hand=STOCK)
        yield account


def on_a_new_connection(account: Account, key: str) -> httpx.Response:
    """A hold of one unit, by whichever process takes the connection."""
    with http_client(account.url, account.key) as client:
        body = {"lines": UNIT}
        return client.post("/v1/reservations", json=body, headers={"Idempotency-Key": key})


def environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(entry.partition("=")[::2] for entry in entries if entry)


def processes_of(service: RunningService) -> list[int]:
    """The server processes under the supervisor."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    return sorted(int(pid) for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text())


def answered_by(service: RunningService) -> dict[int, float]:
    """How many requests for a hold each process has answered."""
    processes = processes_of(service)
    directory = Path(environment_of(processes[0])["PROMETHEUS_MULTIPROC_DIR"])
    counts = dict.fromkeys(processes, 0.0)
    for pid in processes:
        for family in MultiProcessCollector.merge([str(path) for path in directory.glob(f"counter_{pid}.db")]):
            for sample in family.samples:
                if sample.name == "holdfast_requests_total" and sample.labels["route"] == "/v1/reservations":
                    counts[pid] += sample.value
    return counts


def test_answer_of_one_process_is_replayed_by_the_other(account: Account, pair: RunningService) -> None:
    before = answered_by(pair)
    key = new_idempotency_key()
    first = on_a_new_connection(account, key)
    assert (first.status_code, first.headers["Idempotent-Replayed"]) == (201, "false"), first.text

    def both_have_answered() -> bool:
        for again in at_once([lambda: on_a_new_connection(account, key)] * 6):
            assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true"), again.text
            for name in ("Location", "ETag", "Idempotency-Expires"):
                assert again.headers[name] == first.headers[name]
            assert again.content == first.content
        return all(count > before[pid] for pid, count in answered_by(pair).items())

    wait_until(both_have_answered, 30, "each of two processes takes a connection")
    assert stock_counts(account) == (1, 0, STOCK - 1)
    assert len(history(account, first.json()["reference"])) == 1
    other = [{"sku": "NW-001", "quantity": 2}]
    for _ in range(10):
        with http_client(account.url, account.key) as client:
            headers = {"Idempotency-Key": key}
            refused(client.post("/v1/reservations", json={"lines": other}, headers=headers), "idempotency-key-reused")


def test_duplicates_at_once_over_both_processes_are_one_effect(account: Account) -> None:
    key = new_idempotency_key()
    answers = at_once([lambda: on_a_new_connection(account, key)] * DUPLICATES)
    assert {answer.status_code for answer in answers} == {201}, sorted(answer.status_code for answer in answers)
    assert len({answer.content for answer in answers}) == 1, "replies differ"
    assert [answer.headers["Idempotent-Replayed"] for answer in answers].count("false") == 1
    assert references(account) == [answers[0].json()["reference"]]
    assert stock_counts(account) == (1, 0, STOCK - 1)


def test_last_units_over_both_processes_go_to_one_caller_each(account: Account) -> None:
    put_stock(account, on_hand=5)
    answers = at_once([lambda: on_a_new_connection(account, new_idempotency_key())] * 40)
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(409)) == (5, 35), statuses
    assert stock_counts(account) == (5, 0, 0)


def test_metrics_tell_the_same_whichever_process_is_asked(account: Account, pair: RunningService) -> None:
    before = sum(answered_by(pair).values())
    for _ in range(10):
        assert on_a_new_connection(account, new_idempotency_key()).status_code == 201

    def shown() -> float:
        with http_client(pair.url) as nobody:
            text = nobody.get("/metrics").text
        pattern = r'^holdfast_requests_total\{[^}]*route="/v1/reservations"[^}]*\} (\S+)$'
        return sum(float(value) for value in re.findall(pattern, text, re.MULTILINE))

    # A request is counted when its last byte is out.
    wait_until(lambda: sum(answered_by(pair).values()) >= before + 10)
    assert {shown() for _ in range(10)} == {sum(answered_by(pair).values())}


@transactional
async def _with_another_fingerprint(transaction: Transaction, account_id: bytes, version: int) -> int:
    sql = "UPDATE idempotency_records SET fingerprint_version = ?, fingerprint = ? WHERE account_id = ?"
    return await transaction.change(sql, (version, bytes(96), account_id))


@pytest.mark.parametrize("version", [0, 2])
def test_record_of_a_version_that_made_fingerprints_otherwise_is_replayed(account: Account, version: int) -> None:
    """During a deploy both versions run: a key that the other one has answered must not look like a reused one."""
    key = new_idempotency_key()
    first = hold(account, UNIT, key=key)

    async def change(store: Store) -> int:
        return await _with_another_fingerprint(store, account.id, version)

    assert on_store(account.database_url, change) > 0
    again = hold(account, UNIT, key=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true"), again.text
    assert again.content == first.content
    assert message_types(account, first.json()["reference"], 1) == ["reservation.held"]


def test_server_that_joins_replays_what_the_others_have_answered(account: Account, note: Note) -> None:
    key = new_idempotency_key()
    first = on_a_new_connection(account, key)
    began = time.monotonic()
    with start_service(account.database_url) as another:
        note(f"one server process was ready after {time.monotonic() - began:.1f} s")
        again = hold(account.at(another.url), UNIT, key=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true"), again.text
    assert again.content == first.content


def test_sigterm_ends_all_processes_after_what_they_had_begun(database_url: str) -> None:
    # They wait for the lock, however long the test takes, and not for a time-out.
    env = {"HOLDFAST_DEADLINE_SECONDS": "60", "HOLDFAST_LOCK_WAIT_SECONDS": "50"}
    with (
        start_service(database_url, env=env, workers=2) as service,
        closing(new_account(service.url, database_url)) as account,
        ThreadPoolExecutor(8) as threads,
    ):
        put_stock(account, on_hand=STOCK)
        processes = processes_of(service)
        assert len(processes) == 2
        keys = [new_idempotency_key() for _ in range(8)]
        with stock_locked(account):
            calls = [threads.submit(on_a_new_connection, account, key) for key in keys]
            wait_until(lambda: waiting_in_all(service) == len(keys), 30, "all have begun")
            service.process.send(signal.SIGTERM)
            wait_until(lambda: not listens(service), 30, "nobody is let in any more")
        answers = [call.result() for call in calls]
        assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
        assert service.stop() == 0
        assert [pid for pid in processes if Path(f"/proc/{pid}").exists()] == []


def waiting_in_all(service: RunningService) -> float:
    """Commands that wait in any of the processes; whichever is asked tells of all."""
    with http_client(service.url) as nobody:
        found = re.search(r"^holdfast_queue_depth (\S+)$", nobody.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0


def listens(service: RunningService) -> bool:
    with http_client(service.url) as client:
        try:
            client.get("/healthz", timeout=2)
        except httpx.TransportError:
            return False
    return True
