"""The verifier finds every offence that is planted in a real run's ledger or database, and none in the run itself."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from loadtests.insist import Insisting, Reply, Wish, act, create
from loadtests.ledger import Asked, Ledger, Told, read_ledger
from loadtests.verifier import Verdict, verify
from tests.accounts import Account, new_account
from tests.api.audited import unguard
from tests.make import put_event, put_stock
from tests.polling import wait_until
from tests.process import make_directory, remove_directory
from tests.running import ROOT, start_service, upgrade


class Run(NamedTuple):
    """A ledger and the database that belongs to it."""

    ledger: Path
    database: Path
    account_id: bytes
    account: str
    references: dict[str, str]

    @property
    def url(self) -> str:
        return f"sqlite+aiosqlite:///{self.database}"

    def verdict(self) -> Verdict:
        return verify([self.ledger], self.url, self.account_id)

    def plant(self, *statements: str) -> None:
        """Does something to the database that the service never does. `{held}` is a literal of that reference."""
        known = {name: f"x'{text.replace('-', '').encode().hex()}'" for name, text in self.references.items()}
        with sqlite3.connect(self.database) as database:
            for statement in statements:
                changed = database.execute(statement.format(**known, account=f"x'{self.account_id.hex()}'")).rowcount
                assert changed > 0, statement
        database.close()

    def rewrite(self, change: Callable[[Asked | Told], list[Asked | Told]]) -> None:
        """Every entry of the ledger becomes those that `change` gives for it."""
        entries = [new for entry in read_ledger(self.ledger) for new in change(entry)]
        self.ledger.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))


def must_not_wait(seconds: float) -> None:
    raise AssertionError(f"asked to come back in {seconds} s, and nobody else is there")


class Client:
    """Carries out operations by name and remembers the references that came of them."""

    def __init__(self, account: Account, ledger: Ledger) -> None:
        self._http = account.http
        self._client = Insisting(ledger, "one", sleep=must_not_wait)
        self.references: dict[str, str] = {}

    def send(self, wish: Wish) -> Reply | None:
        try:
            answer = self._http.request(wish.method, wish.path, content=wish.body, headers=wish.headers)
        except httpx.TransportError:
            return None
        return Reply(answer.status_code, answer.text, {name.lower(): text for name, text in answer.headers.items()})

    def hold(self, name: str, lines: list[dict[str, Any]], status: int = 201, **body: Any) -> None:
        wish = create(name, lines, **body)
        reply = self._client.ask_and_insist(wish, self.send)
        assert reply.status == status, reply
        if reply.is_success:
            self.references[name] = reply.json()["reference"]

    def act(self, name: str, action: str, status: int = 200, times: int = 1, **body: Any) -> None:
        wish = act(f"{action}-{name}", self.references[name], action, **body)
        self._client.ask(wish)
        for _ in range(times):
            assert self._client.insist(wish, self.send).status == status


def seats(*numbers: int) -> dict[str, Any]:
    return {"event": "final", "seats": [f"101-A-{number}" for number in numbers]}


def units(quantity: int) -> dict[str, Any]:
    return {"sku": "few", "quantity": quantity}


def everything_that_can_be_asked(client: Client, account: Account) -> None:
    put_event(account)
    put_stock(account, sku="few", on_hand=10)
    client.hold("held", [seats(1, 2), units(2)])
    client.hold("short", [seats(3)], hold_seconds=1)
    client.hold("late", [units(1)], hold_seconds=1)
    client.hold("confirmed", [{"event": "final", "best_available": {"quantity": 2, "section": "101"}}, units(1)])
    client.act("confirmed", "confirm", times=3)
    client.hold("part", [seats(6, 7)])
    client.act("part", "release", lines=[2])
    client.act("part", "extend", hold_seconds=900)
    client.act("part", "cancel", status=409)
    client.hold("released", [units(5)])
    client.act("released", "release")
    client.hold("cancelled", [seats(8)])
    client.act("cancelled", "confirm")
    client.act("cancelled", "cancel")
    client.hold("refused", [units(50)], status=409)
    client.hold("pending", [units(9)], status=202, wait=True)

    def has_ended(name: str) -> bool:
        shown = account.http.get(f"/v1/reservations/{client.references[name]}").json()
        return bool(shown["state"] == "expired")

    wait_until(lambda: has_ended("short") and has_ended("late"), 20, "two holds expired")
    client.act("short", "confirm", status=410)
    client.act("late", "confirm", late="if_available")


@pytest.fixture(scope="module")
def finished() -> Iterator[Run]:
    """A run with every kind of operation, at rest."""
    directory = make_directory("verifier")
    database, path = directory / "holdfast.sqlite3", directory / "ledger.jsonl"
    url = f"sqlite+aiosqlite:///{database}"
    upgrade(url)
    with Ledger(path) as ledger, start_service(url, env={"HOLDFAST_SWEEP_INTERVAL_MS": "100"}) as service:
        account = new_account(service.url, url)
        client = Client(account, ledger)
        everything_that_can_be_asked(client, account)
        account.close()
    yield Run(path, database, account.id, account.name, client.references)
    remove_directory(directory)


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    """A copy that may be doctored, its database without unique keys and CHECKs."""
    ledger, database = tmp_path / "ledger.jsonl", tmp_path / "holdfast.sqlite3"
    shutil.copy(finished.ledger, ledger)
    shutil.copy(finished.database, database)
    copy = finished._replace(ledger=ledger, database=database)
    unguard(copy.url)
    return copy


def test_run_without_offence_is_clean(finished: Run) -> None:
    verdict = finished.verdict()
    assert verdict.is_clean, verdict.offences
    assert (verdict.operations, verdict.acknowledged, verdict.unacknowledged) == (18, 18, 0)
    assert (verdict.reservations, verdict.successes, verdict.refusals) == (8, 15, 3)
    assert (verdict.told, verdict.tries, verdict.replays) == (20, 20, 2)


def test_copy_without_constraints_is_clean_too(run: Run) -> None:
    assert run.verdict().is_clean


OF_HELD = "FROM reservations WHERE reference = {held}"
RESERVATION = "(SELECT id " + OF_HELD + ")"
COPIED = (
    "SELECT randomblob(16), account_id, x'30313233343536373839', NULL, customer, state, version, hold_seconds, \
hold_seconds_max, lapses_at, created_at, held_at, confirmed_at, ended_at, metadata, wanted "
    + OF_HELD
)

IN_DATABASE = {
    "a reservation is gone": ("lost", "DELETE " + OF_HELD),
    "a reservation is there twice": ("doubled", "INSERT INTO reservations " + COPIED),
    "a reservation is another customer's": (
        "untrue",
        "UPDATE reservations SET customer = x'616E79' WHERE reference = {held}",
    ),
    "a reservation is of a refused operation": (
        "untrue",
        "UPDATE reservations SET customer = x'72656675736564' WHERE reference = {held}",
    ),
    "a message is gone": (
        "lost",
        f"DELETE FROM messages WHERE subject_id = {RESERVATION}",
    ),
    "a message says something else than was told": (
        "untrue",
        (
            "UPDATE messages SET body = CAST(REPLACE(body, '\"version\":1', '\"version\": 1') AS BLOB) "
            f"WHERE subject_id = {RESERVATION}"
        ),
    ),
    "a version is missing": (
        "untrue",
        f"UPDATE messages SET version = 2 WHERE subject_id = {RESERVATION}",
    ),
    "a version is from another state than the one before": (
        "untrue",
        "UPDATE messages SET from_state = x'70656E64696E67' WHERE action = x'63616E63656C'",
    ),
    "a reservation is in a state that nobody was told": (
        "untrue",
        "UPDATE reservations SET state = x'72656C6561736564' WHERE reference = {held}",
    ),
    "a line has another number of units": (
        "untrue",
        f"UPDATE reservation_lines SET quantity = 3 WHERE reservation_id = {RESERVATION} AND seat_id IS NULL",
    ),
    "a line is gone": ("untrue", f"DELETE FROM reservation_lines WHERE reservation_id = {RESERVATION} AND line = 1"),
    "a line claims nothing": (
        "untrue",
        f"UPDATE reservation_lines SET live = NULL WHERE reservation_id = {RESERVATION} AND line = 1",
    ),
    "a count is wrong": ("untrue", "UPDATE stock_items SET held = held + 1"),
    "more is claimed than there is": ("oversold", "UPDATE stock_items SET on_hand = 2"),
    "a claimed seat says that it is free": ("untrue", "UPDATE seats SET state = 0 WHERE seat = x'3130312D412D31'"),
    "a free seat says that it is taken": ("untrue", "UPDATE seats SET state = 2 WHERE seat = x'3130312D432D39'"),
    "a seat is taken by two now": (
        "oversold",
        (
            "UPDATE reservation_lines SET live = 1, seat_id = (SELECT id FROM seats WHERE seat = x'3130312D412D31') "
            "WHERE reservation_id = (SELECT id FROM reservations WHERE reference = {part}) AND line = 1"
        ),
    ),
    "a seat was taken by two at one time": (
        "oversold",
        "UPDATE messages SET body = CAST(REPLACE(body, '101-A-8', '101-A-1') AS BLOB)",
    ),
    "stock was oversold for a time": (
        "oversold",
        "UPDATE messages SET body = CAST(REPLACE(body, '\"quantity\":5', '\"quantity\":9') AS BLOB)",
    ),
    "a message is of no reservation": (
        "untrue",
        (
            "INSERT INTO messages SELECT batch_id, 99, account_id, randomblob(16), version, type, reference, "
            f"from_state, to_state, action, actor, reason, at, body FROM messages WHERE subject_id = {RESERVATION}"
        ),
    ),
}


@pytest.mark.parametrize("offence", IN_DATABASE)
def test_offence_in_the_database_is_found(run: Run, offence: str) -> None:
    kind, statement = IN_DATABASE[offence]
    run.plant(statement)
    verdict = run.verdict()
    assert getattr(verdict, kind) > 0, verdict.offences
    assert not verdict.is_clean


def told_again(entry: Asked | Told, **changed: Any) -> list[Asked | Told]:
    """The same, and where `held` was told something once more, changed."""
    if isinstance(entry, Told) and entry.operation == "held":
        return [entry, msgspec.structs.replace(entry, **changed)]
    return [entry]


X = "00000-00000"
NOWHERE = msgspec.json.encode({"reference": X, "version": 1, "state": "held", "lines": []}).decode()

IN_LEDGER: dict[str, tuple[str, Callable[[Asked | Told], list[Asked | Told]]]] = {
    "an operation was carried out twice": ("doubled", told_again),
    "a replay has another status": ("untrue", lambda e: told_again(e, replayed=True, status=200)),
    "a replay has another body": ("untrue", lambda e: told_again(e, replayed=True, body="{}")),
    "a replay has another ETag": ("untrue", lambda e: told_again(e, replayed=True, etag='"2"')),
    "a replay has another Location": ("untrue", lambda e: told_again(e, replayed=True, location=None)),
    "an answer is a failure": (
        "untrue",
        lambda e: [
            e,
            Asked(0, "bad", "k", "c", "POST", "/v1/reservations", "{}"),
            Told(0, "bad", 500, None, "", None, None, 1),
        ],
    ),
    "nobody asked for a reservation": ("untrue", lambda e: [] if e.operation == "held" else [e]),
    "an answer was told to nobody's question": (
        "untrue",
        lambda e: [] if isinstance(e, Asked) and e.operation == "held" else [e],
    ),
    "an action happened that nobody asked for": (
        "doubled",
        lambda e: [] if e.operation == "confirm-confirmed" else [e],
    ),
    "an action happened though it was refused": (
        "doubled",
        lambda e: (
            [msgspec.structs.replace(e, status=409, body="{}", etag=None)]
            if isinstance(e, Told) and e.operation == "extend-part"
            else [e]
        ),
    ),
    "a success is nowhere": (
        "lost",
        lambda e: (
            [msgspec.structs.replace(e, status=201, body=NOWHERE, etag='"1"', location=f"/v1/reservations/{X}")]
            if isinstance(e, Told) and e.operation == "refused"
            else [e]
        ),
    ),
    "other units were given than were asked for": (
        "untrue",
        lambda e: (
            [msgspec.structs.replace(e, body=e.body.replace("101-A-2", "101-A-9"))]
            if isinstance(e, Asked) and e.operation == "held"
            else [e]
        ),
    ),
}


@pytest.mark.parametrize("offence", IN_LEDGER)
def test_offence_in_the_ledger_is_found(run: Run, offence: str) -> None:
    kind, change = IN_LEDGER[offence]
    run.rewrite(change)
    verdict = run.verdict()
    assert getattr(verdict, kind) > 0, verdict.offences
    assert not verdict.is_clean


def test_operation_without_an_answer_may_have_happened(run: Run) -> None:
    run.rewrite(lambda e: [e] if isinstance(e, Asked) or e.operation not in {"held", "extend-part"} else [])
    verdict = run.verdict()
    assert verdict.is_clean, verdict.offences
    assert verdict.unacknowledged == 2


def test_failure_that_the_test_ordered_is_no_offence(run: Run) -> None:
    bad = Asked(0, "bad", "k", "c", "POST", "/v1/reservations", "{}", expects_failure=True)
    told = Told(0, "bad", 500, None, "", None, None, 1)
    run.rewrite(lambda e: [bad, told, e] if isinstance(e, Asked) and e.operation == "held" else [e])
    verdict = run.verdict()
    assert verdict.is_clean, verdict.offences
    assert verdict.failures_expected == 1


def test_command_says_by_its_status_whether_it_is_clean(run: Run) -> None:
    command = [sys.executable, "-m", "loadtests.verifier", str(run.ledger), "--database-url", run.url]
    command += ["--account", run.account, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert msgspec.json.decode(done.stdout)["lost"] == 0
    run.plant("UPDATE stock_items SET held = held + 1")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert msgspec.json.decode(done.stdout)["untrue"] == 1


def test_line_that_was_never_finished_is_cut_off_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.asked("one", key="k", client="c", method="POST", path="/", body="x" * 100_000)
    with path.open("ab") as file:
        file.write(b'{"type":"told","at":' + b"1" * 100_000)
    assert [entry.operation for entry in read_ledger(path)] == ["one"]
    with Ledger(path) as ledger:
        ledger.asked("two", key="k", client="c", method="POST", path="/", body="")
    assert [entry.operation for entry in read_ledger(path)] == ["one", "two"]
