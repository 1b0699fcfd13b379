"""`holdfast audit --repair`: counters that were spoilt in the database are mended, each once, with its message."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from service.database.store import Store
from service.ids import new_id
from tests.accounts import Account, on_store
from tests.api.reading import done, held, messages, pending, seat_states, stock_counts
from tests.make import put_event, put_stock
from tests.running import ROOT, RunningService, run_cli, service_environment

SEATS = [f"101-A-{number}" for number in range(1, 7)]
UNITS = "sku = x'4E572D303031' AND account_id = ?"
OF_SEAT = "seat = ? AND account_id = ?"


def spoil(account: Account, *changes: tuple[str, tuple[Any, ...]], rows: int = 1) -> None:
    """UPDATEs around the engine; the account's id is their last value."""

    async def change(store: Store) -> None:
        async with store.begin(new_id()) as transaction:
            for sql, values in changes:
                assert await transaction.change(sql, (*values, account.id)) == rows, sql

    on_store(account.database_url, change)


def spoil_seat(account: Account, label: str, state: int) -> None:
    spoil(account, (f"UPDATE seats SET state = ? WHERE {OF_SEAT}", (state, label.encode())))


def written(account: Account) -> list[tuple[str, str, str | None, int]]:
    """The account's messages of mends as they are stored: type, actor, reason, version."""

    async def read(store: Store) -> list[tuple[str, str, str | None, int]]:
        async with store.read() as reader:
            rows = await reader.rows(
                "SELECT type, actor, reason, version FROM messages WHERE account_id = ? AND action = ?",
                (account.id, b"mend"),
            )
        return sorted((row[0].decode(), row[1].decode(), row[2] and row[2].decode(), row[3]) for row in rows)

    return on_store(account.database_url, read)


def repair(account: Account, *options: str, **given: Any) -> subprocess.CompletedProcess[str]:
    return run_cli("audit", "--repair", *options, database_url=account.database_url, **given)


@pytest.fixture
def sold(account: Account) -> Account:
    """Seats 1 held, 2 confirmed, 3 blocked, the others free; 3 units held, 2 confirmed; one waits for seat and stock.

    Nothing is freed, so the worker leaves all of it alone.
    """
    put_event(account, seats=SEATS)
    put_stock(account, on_hand=10)
    held(account, [{"event": "final", "seats": SEATS[:1]}, {"sku": "NW-001", "quantity": 3}])
    second = held(account, [{"event": "final", "seats": SEATS[1:2]}, {"sku": "NW-001", "quantity": 2}])
    done(account, second["reference"], "confirm")
    blocked = account.http.post("/v1/events/final/blocks", json={"seats": [SEATS[2]], "reason": "camera"})
    assert blocked.status_code == 200, blocked.text
    pending(account, [{"event": "final", "seats": SEATS[:1]}, {"sku": "NW-001", "quantity": 9}])
    return account


def spoil_all(account: Account) -> None:
    spoil(
        account,
        (f"UPDATE stock_items SET held = 1, confirmed = 6, waiters = 4 WHERE {UNITS}", ()),
        ("UPDATE event_categories SET waiters = 0 WHERE account_id = ?", ()),
        (f"UPDATE seats SET state = 0 WHERE {OF_SEAT}", (SEATS[0].encode(),)),
        (f"UPDATE seats SET state = 3 WHERE {OF_SEAT}", (SEATS[1].encode(),)),
        (f"UPDATE seats SET state = 1 WHERE {OF_SEAT}", (SEATS[3].encode(),)),
        (f"UPDATE seats SET state = 2 WHERE {OF_SEAT}", (SEATS[4].encode(),)),
    )


def test_spoilt_counters_are_shown_then_mended_then_left_alone(sold: Account) -> None:
    told, right = len(messages(sold)), (stock_counts(sold), seat_states(sold))
    spoil_all(sold)
    wrong = (stock_counts(sold), seat_states(sold))

    rehearsed = repair(sold, "--dry-run")
    assert rehearsed.returncode == 1, rehearsed.stderr
    shown = [" ".join(line.split()) for line in rehearsed.stdout.splitlines()]
    for line in (
        "stock item NW-001 at default held 1 3",
        "stock item NW-001 at default confirmed 6 2",
        "stock item NW-001 at default waiters 4 1",
        "category 1 of final waiters 0 1",
        "seat 101-A-1 of final state available held",
        "seat 101-A-2 of final state blocked confirmed",
        "seat 101-A-4 of final state held available",
        "seat 101-A-5 of final state confirmed available",
    ):
        assert f"{sold.name} {line}" in shown
    nobody_asked = repair(sold, input="")
    assert nobody_asked.returncode == 2
    assert nobody_asked.stderr.strip().endswith("or --dry-run to see what would be done.")
    assert (stock_counts(sold), seat_states(sold)) == wrong
    assert len(messages(sold)) == told

    mended = repair(sold, "--yes", "--json", "--as", "anna", "--reason", "after the crash")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    report = json.loads(mended.stdout)
    assert (report["dry_run"], report["to_mend"], report["left"]["clean"]) == (False, {"total": 0, "first": []}, True)
    assert report["not_mendable"] == {"counters": {"total": 0, "first": []}, "others": []}
    assert report["mended"]["total"] == 6
    assert {
        "account": sold.name,
        "what": "stock item",
        "name": "NW-001 at default",
        "changes": [
            {"counter": "held", "now": 1, "should_be": 3},
            {"counter": "confirmed", "now": 6, "should_be": 2},
            {"counter": "waiters", "now": 4, "should_be": 1},
        ],
    } in report["mended"]["first"]
    assert (stock_counts(sold), seat_states(sold)) == right
    by_type = [(kind, actor, reason) for kind, actor, reason, _ in written(sold)]
    assert by_type == [
        (kind, "operator:anna", "after the crash")
        for kind in ("category.mended", "seat.mended", "seat.mended", "seat.mended", "seat.mended", "stock.mended")
    ]

    again = repair(sold, "--yes")
    assert again.returncode == 0, again.stdout
    assert again.stdout.startswith("Every counter that can be mended is right.\n")
    assert len(messages(sold)) == told + 6, "and nothing is written where nothing is wrong"


def test_messages_of_mends_show_what_was_mended(sold: Account) -> None:
    before = sold.http.get("/v1/stock/NW-001")
    spoil_all(sold)
    assert repair(sold, "--yes").returncode == 0
    told = [message for message in messages(sold) if message["type"].endswith(".mended")]
    assert all(message["reference"] is None and "reservation" not in message for message in told)
    (stock,) = (message for message in told if message["type"] == "stock.mended")
    assert stock["stock"] == before.json() | {"version": 2}
    assert stock["version"] == 2
    after = sold.http.get("/v1/stock/NW-001")
    assert (after.headers["ETag"], after.json()) == ('"2"', stock["stock"])
    (category,) = (message for message in told if message["type"] == "category.mended")
    shown = category["category"]
    assert shown == {"event": "final", "category": "1", "waiting": 1, "version": category["version"]}
    seats = {message["seat"]["seat"]: message for message in told if message["type"] == "seat.mended"}
    assert {label: message["seat"]["state"] for label, message in seats.items()} == {
        SEATS[0]: "held", SEATS[1]: "confirmed", SEATS[3]: "available", SEATS[4]: "available",
    }  # fmt: skip
    for message in seats.values():
        assert message["seat"].keys() == {"event", "seat", "category", "state", "version"}
        assert message["version"] == message["seat"]["version"]
    # Mended twice, it has a second message, of a higher version; the first one stays.
    spoil_seat(sold, SEATS[0], 0)
    assert repair(sold, "--yes").returncode == 0
    versions = [m["version"] for m in messages(sold) if m["type"] == "seat.mended" and m["seat"]["seat"] == SEATS[0]]
    assert versions == [seats[SEATS[0]]["version"], seats[SEATS[0]]["version"] + 1]


def test_mended_category_may_be_dropped_and_its_message_stays(account: Account) -> None:
    put_event(account, seats=SEATS, categories=[_category("1"), _category("2")])
    of_second = "UPDATE event_categories SET waiters = 2 WHERE category = x'32' AND account_id = ?"
    spoil(account, (of_second, ()))
    assert repair(account, "--yes").returncode == 0
    put_event(account, seats=(), categories=[_category("1")])
    assert repair(account, "--yes").returncode == 0, "the audit must not miss the category"
    assert [message["type"] for message in messages(account)] == ["category.mended"]


def _category(name: str) -> dict[str, Any]:
    return {"category": name, "name": name, "amount": 100, "currency": "EUR"}


def test_sums_that_cannot_stand_are_named_with_advice_and_nothing_is_half_done(sold: Account) -> None:
    spoil(sold, (f"UPDATE stock_items SET on_hand = 4, held = 0, confirmed = 0, waiters = 7 WHERE {UNITS}", ()))
    spoil_seat(sold, SEATS[5], 1)
    refused = repair(sold, "--yes")
    assert refused.returncode == 1
    assert (
        f"not mendable: account {sold.name}: stock item NW-001 at default: its live lines claim 5 and 4 are on hand; "
        "raise on_hand (PUT /v1/stock/NW-001) or release reservations of it, then mend again.\n"
    ) in refused.stdout
    assert "not mendable: R7: the last message of a stock item tells its count on hand: 1; keep a copy" not in (
        refused.stdout
    ), "an item that breaks several rules is named by the first"
    assert stock_counts(sold) == (0, 0, 4)
    assert seat_states(sold)[SEATS[5]] == "available", "what can be mended is"
    report = json.loads(repair(sold, "--dry-run", "--json").stdout)
    assert (report["dry_run"], report["to_mend"]["total"], report["mended"]["total"]) == (True, 0, 0)
    assert report["not_mendable"]["counters"]["total"] == 1
    assert "raise on_hand" in report["not_mendable"]["counters"]["first"][0]["obstacle"]
    assert report["left"]["clean"] is False
    put_stock(sold, on_hand=10)
    assert repair(sold, "--yes").returncode == 0
    assert stock_counts(sold) == (3, 2, 5)


def test_other_findings_are_not_touched_and_named_with_what_to_do(sold: Account) -> None:
    spoil(sold, ("UPDATE reservations SET ended_at = 1 WHERE confirmed_at IS NOT NULL AND account_id = ?", ()))
    left = repair(sold, "--yes")
    spoil(sold, ("UPDATE reservations SET ended_at = NULL WHERE ended_at IS NOT NULL AND account_id = ?", ()))
    assert left.returncode == 1
    assert (
        "not mendable: R5: a reservation has ended exactly where its state is terminal: 1; keep a copy" in left.stdout
    )
    assert "Nothing was changed." in left.stdout
    assert written(sold) == []


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_person_at_the_terminal_is_asked(service: RunningService, sold: Account, answer: str, code: int) -> None:
    spoil_seat(sold, SEATS[5], 1)
    ours, theirs = os.openpty()
    os.write(ours, f"{answer}\n".encode())
    asked = subprocess.run(
        [sys.executable, "-m", "service", "audit", "--repair"],
        cwd=ROOT,
        env=service_environment(service.database_url),
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert asked.returncode == code, asked.stderr
    assert "Mend 1 row? [y/N]" in asked.stderr
    assert len(written(sold)) == (answer == "y")
    spoil_seat(sold, SEATS[5], 0)


REFUSED = {
    "--dry-run without --repair": (("--dry-run",), "go with --repair"),
    "--yes without --repair": (("--yes",), "go with --repair"),
    "--as without --repair": (("--as", "anna"), "go with --repair"),
    "a name of nothing": (("--repair", "--as", ""), "--as takes 1 to 60 characters"),
    "a long reason": (("--repair", "--reason", "x" * 201), "--reason takes up to 200 characters"),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_bad_command_line_says_what_is_right(options: tuple[str, ...], words: str) -> None:
    refused = run_cli("audit", *options)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert words in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_many_rows_are_mended_page_by_page_and_the_first_are_named(account: Account) -> None:
    put_event(account, seats=[f"101-{row}-{number}" for row in "ABCDEF" for number in range(1, 101)])
    spoil(account, ("UPDATE seats SET state = 1 WHERE account_id = ?", ()), rows=600)
    report = json.loads(repair(account, "--yes", "--json").stdout)
    assert report["left"]["clean"] is True
    assert (report["mended"]["total"], len(report["mended"]["first"])) == (600, 100)
    assert set(seat_states(account).values()) == {"available"}
    told = [message["seat"]["seat"] for message in messages(account)]
    assert len(told) == len(set(told)) == 600
