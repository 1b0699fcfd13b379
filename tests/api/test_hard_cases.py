"""Hard cases that were found by attacking the running service, on servers where no sweep comes by meanwhile.

What is read while it moves, what lapsed holds stand in the way of, waits that nothing can end, pages of messages that
begin and end anywhere.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest

from tests.accounts import Account, new_account
from tests.api.contract import refused
from tests.api.reading import (
    at_once,
    done,
    held,
    history,
    messages,
    pending,
    read,
    references,
    seats,
    stock_counts,
)
from tests.make import hold, new_idempotency_key, put_event, put_stock, wait_until
from tests.running import RunningService, start_service

Json = dict[str, Any]

UNSWEPT = {"HOLDFAST_SWEEP_INTERVAL_MS": "60000"}
ROW = [f"101-A-{number}" for number in range(1, 101)]
READERS = 4
DUPLICATES = 40


@pytest.fixture(scope="module")
def pair(fresh_database: str) -> Iterator[tuple[RunningService, RunningService]]:
    """Two servers on one database, each with lanes of its own."""
    with ExitStack() as stack:
        one, other = (stack.enter_context(start_service(fresh_database, env=UNSWEPT)) for _ in range(2))
        yield one, other


@pytest.fixture
def account(pair: tuple[RunningService, RunningService]) -> Iterator[Account]:
    with closing(new_account(pair[0].url, pair[0].database_url)) as account:
        yield account


@pytest.fixture
def elsewhere(account: Account, pair: tuple[RunningService, RunningService]) -> Account:
    """The same account at the other server; closed with it."""
    return account.at(pair[1].url)


def lapsed(account: Account, lines: list[Json]) -> Json:
    """A hold that is over and that nobody has ended."""
    reservation = held(account, lines, hold_seconds=1)
    wait_until(lambda: read(account, reservation["reference"])["hold_remaining_s"] == 0)
    return reservation


def given_back(reservation: Json) -> int:
    return sum("released_at" in line for line in reservation["lines"])


def cancel_line_by_line(account: Account, reference: str, lines: Sequence[int]) -> None:
    for line in lines:
        done(account, reference, "cancel", {"lines": [line]})


def of_the_list(account: Account, reference: str) -> Json:
    found = account.http.get("/v1/reservations", params={"state": "confirmed"}).json()["reservations"]
    return next(reservation for reservation in found if reservation["reference"] == reference)


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(read, id="by its reference"),
        pytest.param(of_the_list, id="in a list"),
        pytest.param(lambda account, reference: done(account, reference, "confirm"), id="in the answer of a no-op"),
    ],
)
def test_reservation_that_moves_is_shown_with_the_lines_of_its_version(
    account: Account, elsewhere: Account, look: Callable[[Account, str], Json]
) -> None:
    put_event(account, seats=ROW)
    reference = held(account, [{"event": "final", "seats": ROW}])["reference"]
    first = done(account, reference, "confirm")["version"]
    with ThreadPoolExecutor(READERS + 1) as threads:
        moving = threads.submit(cancel_line_by_line, account, reference, range(1, len(ROW)))

        def watch() -> list[Json]:
            seen = []
            while not moving.done():
                seen.append(look(elsewhere, reference))
            return seen

        watched = [threads.submit(watch) for _ in range(READERS)]
    moving.result()
    for seen in [seen for one in watched for seen in one.result()]:
        assert given_back(seen) == seen["version"] - first


@pytest.mark.parametrize(
    "lower",
    [
        pytest.param(
            lambda account, key: account.http.post(
                "/v1/stock/NW-001/adjustments",
                json={"reference": "damaged-7", "delta": -3},
                headers={"Idempotency-Key": key},
            ),
            id="adjusted",
        ),
        pytest.param(
            lambda account, key: account.http.put(
                "/v1/stock/NW-001",
                json={"description": "Chai", "on_hand": 2, "amount": 1800, "currency": "USD"},
                headers={"Idempotency-Key": key},
            ),
            id="put",
        ),
    ],
)
def test_count_may_be_lowered_below_what_only_lapsed_holds_claim(
    account: Account, lower: Callable[[Account, str], httpx.Response]
) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    old = lapsed(account, [{"sku": "NW-001", "quantity": 4}])
    running = held(account, [{"sku": "NW-001", "quantity": 1}])
    key = new_idempotency_key()
    answer = lower(account, key)
    assert (answer.status_code, answer.json()["held"], answer.json()["on_hand"]) == (200, 1, 2), answer.text
    assert lower(account, key).content == answer.content
    ended = read(account, old["reference"])
    assert (ended["state"], ended["version"], ended["ended_at"]) == ("expired", 2, old["hold_expires_at"])
    assert [change["actor"] for change in history(account, old["reference"])] == ["default", "worker"]
    assert read(account, running["reference"])["state"] == "held"
    assert stock_counts(account) == (1, 0, 1)


def test_count_lowered_below_what_running_holds_claim_leaves_lapsed_ones_alone(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    old = lapsed(account, [{"sku": "NW-001", "quantity": 2}])
    held(account, [{"sku": "NW-001", "quantity": 3}])
    body = {"description": "Chai", "on_hand": 2, "amount": 1800, "currency": "USD"}
    refused(account.http.put("/v1/stock/NW-001", json=body), "state-conflict")
    assert (read(account, old["reference"])["state"], stock_counts(account)) == ("held", (5, 0, 0))


def test_adjustment_tells_the_counts_after_it_has_served_who_waited(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=0)
    waiting = pending(account, [{"sku": "NW-001", "quantity": 2}])
    body = {"reference": "delivery-77", "delta": 5}
    headers = {"Idempotency-Key": new_idempotency_key()}
    answer = account.http.post("/v1/stock/NW-001/adjustments", json=body, headers=headers).json()
    assert (answer["held"], answer["confirmed"], answer["available"]) == stock_counts(account) == (2, 0, 3)
    assert read(account, waiting["reference"])["state"] == "held"


def test_nobody_waits_for_an_event_without_categories(account: Account) -> None:
    put_event(account, seats=[], categories=[])
    lines = [{"event": "final", "best_available": {"quantity": 2}}]
    refused(hold(account, lines, wait=True), "inventory-unavailable")
    assert references(account) == []
    put_stock(account, sku="NW-001", on_hand=0)
    lines.append({"sku": "NW-001", "quantity": 1})
    assert pending(account, lines)["state"] == "pending", "the stock item is something to wait for"


def test_reuses_of_a_key_that_are_refused_together_are_no_replays(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    key = new_idempotency_key()
    assert hold(account, [{"sku": "NW-001", "quantity": 1}], key=key).status_code == 201
    answers = at_once([lambda: hold(account, [{"sku": "NW-001", "quantity": 2}], key=key)] * DUPLICATES)
    for answer in answers:
        assert refused(answer, "idempotency-key-reused")["mismatch"] == ["body"]
        assert "Idempotent-Replayed" not in answer.headers
        assert "Idempotency-Expires" in answer.headers


@pytest.mark.parametrize("limit", [1, 31, 32, 33, 500])
def test_pages_of_messages_join_whatever_transactions_they_came_of(account: Account, limit: int) -> None:
    put_stock(account, sku="NW-001", on_hand=500)
    for _ in range(36):
        held(account, [{"sku": "NW-001", "quantity": 1}])
    at_once([lambda: held(account, [{"sku": "NW-001", "quantity": 1}])] * 30)
    whole = [message["id"] for message in messages(account)]
    assert len(whole) == 1 + 36 + 30
    read_on: list[str] = []
    query: dict[str, str | int] = {"limit": limit}
    while page := account.http.get("/v1/messages", params=query).json():
        read_on += [message["id"] for message in page["messages"]]
        query["after"] = page["next_after"]
        if len(page["messages"]) < limit:
            break
    assert read_on == whole


def test_hundreds_who_wait_for_the_same_keep_nobody_else_from_being_answered(account: Account) -> None:
    """All seats are held and a newcomer is refused; whoever waits gets the first pair that is given back."""
    put_event(account, seats=[f"{section}-A-{number}" for section in range(20) for number in range(1, 101)])
    first, *_ = [
        held(account, [{"event": "final", "best_available": {"quantity": 100}}])["reference"] for _ in range(20)
    ]
    lines = [{"event": "final", "best_available": {"quantity": 2}}]
    waiting = [pending(account, lines) for _ in range(150)]
    answers = at_once([lambda: hold(account, lines)] * DUPLICATES)
    assert {refused(answer, "inventory-unavailable")["unavailable"][0]["available"] for answer in answers} == {0}
    done(account, first, "release", {"lines": [7, 8]})
    states = [read(account, one["reference"])["state"] for one in waiting]
    assert states == ["held"] + ["pending"] * 149


def test_group_that_fits_is_served_among_groups_that_do_not(account: Account) -> None:
    put_event(account, seats=ROW)
    free = {"101-A-3", "101-A-4", "101-A-50"}
    held(account, [{"event": "final", "seats": [seat for seat in ROW if seat not in free]}])
    too_large = [{"quantity": 3}, *({"quantity": quantity, "together": False} for quantity in range(4, DUPLICATES))]
    wishes = [*too_large[::2], {"quantity": 2}, *too_large[1::2]]
    calls = [lambda best=best: hold(account, [{"event": "final", "best_available": best}]) for best in wishes]
    for best, answer in zip(wishes, at_once(calls), strict=True):
        if best == {"quantity": 2}:
            assert seats(answer.json()) == ["101-A-3", "101-A-4"], answer.text
        else:
            (missing,) = refused(answer, "inventory-unavailable")["unavailable"]
            assert (missing["requested"], missing["available"] in {1, 3}) == (best["quantity"], True)
