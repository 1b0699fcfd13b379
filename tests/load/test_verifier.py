"""The verifier finds every offence that is planted in a real run's ledger or database, and none in the run itself."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtests.ledger import Asked, Ledger, Told, read_ledger
from tests.api.audited import unguard
from tests.load.small_run import Run, finished_run
from tests.running import ROOT


@pytest.fixture(scope="module")
def finished() -> Iterator[Run]:
    with finished_run() as run:
        yield run


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


def test_markers_may_be_purged(run: Run) -> None:
    """Then the positions of the outbox say what was first."""
    run.plant("DELETE FROM batches")
    assert run.verdict().is_clean
    run.plant(IN_DATABASE["a seat was taken by two at one time"][1])
    assert run.verdict().oversold


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
    "a stock item is not at the version of its last message": (
        "untrue",
        "UPDATE stock_items SET definition_version = definition_version + 1",
    ),
    "a stock item's version is missing": ("untrue", "UPDATE messages SET version = 9 WHERE action = x'61646A757374'"),
    "a message is of no reservation": (
        "untrue",
        (
            "INSERT INTO messages SELECT batch_id, 99, account_id, randomblob(16), version, type, reference, "
            f"from_state, to_state, action, actor, reason, at, body FROM messages WHERE subject_id = {RESERVATION}"
        ),
    ),
}


def assert_found(run: Run, kind: str) -> None:
    """The verifier counts an offence of this kind, and so the run is not clean."""
    verdict = run.verdict()
    assert getattr(verdict, kind) > 0, verdict.offences
    assert not verdict.is_clean


@pytest.mark.parametrize("offence", IN_DATABASE)
def test_offence_in_the_database_is_found(run: Run, offence: str) -> None:
    kind, statement = IN_DATABASE[offence]
    run.plant(statement)
    assert_found(run, kind)


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
    assert_found(run, kind)


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
