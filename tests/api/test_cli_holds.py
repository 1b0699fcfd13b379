"""`holdfast holds` through its real entry point, on the database: list, release, extend."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.accounts import Account, new_account
from tests.api.reading import done, held, history, moment, read, seconds_since
from tests.make import put_event, put_stock, wait_until
from tests.races.databases import audit_now
from tests.running import RunningService, run_cli, start_service
from tests.shell import NOWHERE, Operator

Json = dict[str, Any]
UNIT = [{"sku": "NW-001", "quantity": 1}]
SEAT = [{"event": "final", "best_available": {"quantity": 1}}]
NO_SWEEP = {"HOLDFAST_SWEEP_INTERVAL_MS": "60000"}


@pytest.fixture(scope="module")
def unswept(fresh_database: str) -> Iterator[RunningService]:
    """A server on each store, where for a minute nobody ends what is over."""
    with start_service(fresh_database, env=NO_SWEEP) as service:
        yield service
    audit_now(fresh_database)


@pytest.fixture
def shop(unswept: RunningService) -> Iterator[Account]:
    with closing(new_account(unswept.url, unswept.database_url)) as account:
        put_event(account)
        put_stock(account, on_hand=400)
        yield account


@pytest.fixture
def operator(shop: Account) -> Operator:
    return Operator(shop.name, shop.database_url)


def stale(account: Account, lines: list[Json], count: int, **body: object) -> list[str]:
    """References of holds whose time is over."""
    holds = [held(account, lines, hold_seconds=1, **body) for _ in range(count)]
    over = max(moment(each["hold_expires_at"]) for each in holds)
    wait_until(lambda: datetime.now(UTC) > over)
    return [each["reference"] for each in holds]


def test_stale_holds_are_listed_and_released_and_live_ones_are_not(shop: Account, operator: Operator) -> None:
    live = held(shop, SEAT)["reference"]
    over = stale(shop, UNIT, 3, customer="c-77")

    found = operator.shown("holds", "list", "--stale")
    assert (found["count"], found["exact"]) == (3, True)
    assert [each["reference"] for each in found["holds"]] == over, "oldest first"
    table = operator.told("holds", "list")
    assert all(reference in table for reference in (live, *over))
    assert "over for" in table
    assert "c-77" in table

    dry = operator.shown("holds", "release", "--stale", "--dry-run")
    assert (dry["dry_run"], dry["matched"], dry["released"]) == (True, 3, 0)
    assert sorted(each["reference"] for each in dry["first"]) == sorted(over)
    asked = operator.told("holds", "release", "--stale", code=2)
    assert "3 holds (3 stale, none of them live)" in asked
    assert "say --yes" in asked, "nobody can be asked"
    both = operator.told("holds", "release", "--older-than", "1s", "--dry-run")
    assert "4 holds (3 stale, 1 LIVE: their customers lose them)" in both
    assert {read(shop, each)["state"] for each in over} == {"held"}

    did = operator.shown("holds", "release", "--stale", "--yes", "--reason", "the worker was down")
    assert (did["matched"], did["released"], sum(did["left_alone"].values())) == (3, 3, 0)
    for reference in over:
        last = history(shop, reference)[-1]
        assert (last["action"], last["to"], last["reason"]) == ("release", "released", "the worker was down")
        assert last["actor"] == "operator:ann"
    assert read(shop, live)["state"] == "held"

    again = operator.shown("holds", "release", "--stale", "--yes")
    assert (again["matched"], again["released"]) == (0, 0)
    assert "nothing to release" in operator.told("holds", "release", "--stale")


def test_holds_are_narrowed_by_what_they_are(shop: Account, operator: Operator) -> None:
    put_event(shop, "semi")
    seat, semi = (
        held(shop, SEAT, customer="c-1"),
        held(shop, [{"event": "semi", "seats": ["101-A-1"]}], hold_seconds=90),
    )
    unit = held(shop, UNIT, customer="c-2")

    def listed(*options: str) -> list[str]:
        return [each["reference"] for each in operator.shown("holds", "list", *options)["holds"]]

    assert listed() == [seat["reference"], semi["reference"], unit["reference"]]
    assert listed("--event", "semi") == [semi["reference"]]
    assert listed("--customer", "c-1") == [seat["reference"]]
    assert listed("--expires-in", "2m") == [semi["reference"]]
    wait_until(lambda: seconds_since(unit["created_at"]) > 1)
    did = operator.shown("holds", "release", "--older-than", "1s", "--event", "final", "--limit", "5", "--yes")
    assert (did["matched"], did["released"]) == (1, 1)
    assert listed() == [semi["reference"], unit["reference"]]


def test_named_holds_are_released_and_what_is_confirmed_is_left_alone(shop: Account, operator: Operator) -> None:
    first, second, confirmed = (held(shop, UNIT)["reference"] for _ in range(3))
    done(shop, confirmed, "confirm")
    assert "Release 2 reservations" in operator.told("holds", "release", first, second, code=2), "two are asked for"
    assert read(shop, first)["state"] == "held"
    told = operator.told("holds", "release", first.lower())
    assert f"{first} is released." in told, "one is not asked for"
    rows = operator.shown("holds", "release", first, second, confirmed, "--yes", code=1)["reservations"]
    assert {each["reference"]: (each["state"], each["released"]) for each in rows} == {
        first: ("released", False),
        second: ("released", True),
        confirmed: ("confirmed", False),
    }
    assert [len(history(shop, each)) for each in (first, second, confirmed)] == [2, 2, 2]
    assert "was released before" in operator.told("holds", "release", first), "safe to repeat"


def test_reference_that_is_not_there_stops_the_whole_command(shop: Account, operator: Operator) -> None:
    reference = held(shop, UNIT)["reference"]
    missing = operator.told("holds", "release", reference, "K7QX2-9PMD8", "--yes", code=1)
    assert "There is no reservation K7QX2-9PMD8" in missing
    assert "check" in operator.told("holds", "release", reference, "K7QX2-9PMDA", "--yes", code=2)
    assert read(shop, reference)["state"] == "held"


def test_hold_is_extended_and_never_shortened(shop: Account, operator: Operator) -> None:
    reference = held(shop, SEAT)["reference"]
    before = read(shop, reference)
    would = operator.shown("holds", "extend", reference, "--for", "20m", "--dry-run")
    assert (would["dry_run"], would["changed"]) == (True, True)
    assert would["ends_at"] == would["asked_until"]
    assert read(shop, reference) | {"hold_remaining_s": 0} == before | {"hold_remaining_s": 0}
    did = operator.shown("holds", "extend", reference, "--for", "20m", "--reason", "slow payment")
    assert (did["changed"], did["reservation"]["version"]) == (True, 2)
    assert did["ends_at"] == read(shop, reference)["hold_expires_at"] > before["hold_expires_at"]
    assert history(shop, reference)[-1]["reason"] == "slow payment"
    assert "Nothing was changed" in operator.told("holds", "extend", reference, "--for", "5m")
    (over,) = stale(shop, UNIT, 1)
    assert "The hold ended at" in operator.told("holds", "extend", over, "--for", "5m", code=1)
    assert "does not allow extend" in operator.told("holds", "extend", over, "--for", "5m", "--dry-run", code=1)


def test_hold_that_gets_less_than_was_asked_for_is_told_so(shop: Account, operator: Operator) -> None:
    reference = held(shop, SEAT)["reference"]
    would = operator.shown("holds", "extend", reference, "--for", "2h", "--dry-run", code=1)
    told = operator.told("holds", "extend", reference, "--for", "2h", code=1)
    assert "That is the longest it may; you asked for" in told
    assert would["ends_at"] == read(shop, reference)["hold_expires_at"] < would["asked_until"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("holds", "release"), "say which holds"),
        (("holds", "release", "--event", "final"), "say which holds"),
        (("holds", "release", "K7QX2-9PMD8", "--stale"), "not both"),
        (("holds", "release", "--older-than", "soon"), "--older-than 'soon' is no span of time"),
        (("holds", "release", "--older-than", "0m"), "is no span of time"),
        (("holds", "release", "--stale", "--batch", "501"), "--batch"),
        (("holds", "release", "--stale", "--limit", "0"), "--limit"),
        (("holds", "release", "--stale", "--reason", "x" * 201), "--reason takes up to 200 characters"),
        (("holds", "release", "--stale", "--as", "\n"), "--as takes 1 to 60 characters"),
        (("holds", "list", "--expires-in", "5"), "--expires-in '5' is no span of time"),
        (("holds", "extend", "K7QX2-9PMD8"), "--for"),
        (("holds", "list", "--url", "nonsense", "--key", "hf_x"), "is no URL"),
        (("holds", "list", "--url", "http://127.0.0.1:9"), "HOLDFAST_API_KEY"),
        (("holds", "list", "--key", "hf_x"), "--key is for --url"),
        (("holds", "list", "--url", "http://127.0.0.1:9", "--key", "hf_x", "--account", "a"), "--account"),
    ],
)
def test_bad_command_line_names_the_option_before_anything_is_opened(arguments: tuple[str, ...], words: str) -> None:
    done = run_cli(*arguments, database_url=NOWHERE)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.replace("│", " ").split())
