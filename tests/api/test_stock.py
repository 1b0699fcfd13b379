"""Stock items: a definition that is put, counts that follow reservations, adjustments that happen once."""

from typing import Any

import httpx
import pytest

from tests.accounts import Account
from tests.api.contract import STOCK, items, refused, refused_as_invalid, rows
from tests.api.reading import at_once, done, held, messages, stock_counts
from tests.make import hold, new_idempotency_key, put_stock, wait_until

Json = dict[str, Any]
ITEM = "/v1/stock/NW-001"
ONE = [{"sku": "NW-001", "quantity": 1}]
DELIVERY: Json = {"reference": "delivery-77", "delta": 5, "reason": "delivered"}


def put(account: Account, tag: str | None = None, **changes: object) -> httpx.Response:
    return account.http.put(ITEM, json={**STOCK, **changes}, headers={"If-Match": tag} if tag else {})


def adjust(account: Account, path: str = ITEM, key: str | None = None, **changes: object) -> httpx.Response:
    headers = {"Idempotency-Key": key or new_idempotency_key()}
    return account.http.post(f"{path}/adjustments", json={**DELIVERY, **changes}, headers=headers)


def on_hand(account: Account, path: str = ITEM) -> int:
    return int(items(account.http.get(path))["on_hand"])


def test_stock_reads_as_it_was_put(account: Account) -> None:
    assert put(account).is_success
    item = items(account.http.get(ITEM))
    assert isinstance(item.pop("version"), int)
    counts = {"on_hand": 10, "held": 0, "confirmed": 0, "available": 10}
    assert item == {
        "sku": "NW-001",
        "location": "default",
        "description": "Chai",
        "amount": 1800,
        "currency": "USD",
        **counts,
    }


def test_counts_follow_every_change_of_a_reservation(account: Account) -> None:
    put_stock(account)
    reference = held(account, [{"sku": "NW-001", "quantity": 4}])["reference"]
    assert stock_counts(account) == (4, 0, 6)
    done(account, reference, "confirm")
    assert stock_counts(account) == (0, 4, 6)
    done(account, reference, "cancel")
    assert stock_counts(account) == (0, 0, 10)
    done(account, held(account, ONE)["reference"], "release")
    assert stock_counts(account) == (0, 0, 10)
    assert on_hand(account) == 10


def test_counts_follow_the_clock(account: Account) -> None:
    put_stock(account)
    held(account, ONE, hold_seconds=1)
    assert stock_counts(account) == (1, 0, 9)
    wait_until(lambda: stock_counts(account) == (0, 0, 10))


def test_equal_put_answers_200_with_the_same_etag(account: Account) -> None:
    first = put(account)
    again = put(account)
    assert again.status_code == 200
    assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("change", [{"description": "Chang"}, {"amount": 1900}, {"currency": "EUR"}], ids=str)
def test_put_that_changes_the_definition_answers_200_with_another_etag(account: Account, change: Json) -> None:
    first = put(account)
    response = put(account, **change)
    assert response.status_code == 200
    assert response.headers["ETag"] != first.headers["ETag"]
    item = items(account.http.get(ITEM))
    assert {member: item[member] for member in change} == change


def test_hold_and_confirm_leave_the_etag_of_the_definition(account: Account) -> None:
    tag = put(account).headers["ETag"]
    done(account, held(account, ONE)["reference"], "confirm")
    held(account, ONE)
    assert put(account).headers["ETag"] == tag
    assert put(account, tag=tag, description="Chang").status_code == 200, "a hold disturbed an operator's If-Match"
    assert stock_counts(account) == (1, 1, 8)


def test_stale_if_match_is_a_version_conflict_and_changes_nothing(account: Account) -> None:
    stale = put(account).headers["ETag"]
    current = put(account, description="Chang").headers["ETag"]
    response = put(account, tag=stale, description="Aniseed Syrup", on_hand=1)
    assert isinstance(refused(response, "version-conflict")["version"], int)
    assert response.headers["ETag"] == current
    item = items(account.http.get(ITEM))
    assert (item["description"], item["on_hand"]) == ("Chang", 10)
    assert put(account, tag=current, description="Aniseed Syrup").status_code == 200


def test_one_of_two_operators_with_the_same_etag_wins(account: Account) -> None:
    tag = put(account).headers["ETag"]
    names = [f"Tea {number}" for number in range(8)]
    answers = at_once([lambda name=name: put(account, tag=tag, description=name) for name in names])
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200] + [412] * 7
    assert items(account.http.get(ITEM))["description"] == names[statuses.index(200)]


def test_locations_of_one_sku_are_separate_pools(account: Account) -> None:
    put_stock(account, on_hand=1)
    items(account.http.put(ITEM, params={"location": "vault"}, json={**STOCK, "on_hand": 3}))
    found = {row["location"]: row["on_hand"] for row in rows(account.http, "/v1/stock", "stock")}
    assert found == {"default": 1, "vault": 3}
    reservation = held(account, [{"sku": "NW-001", "location": "vault", "quantity": 3}])
    assert [line["location"] for line in reservation["lines"]] == ["vault"]
    assert stock_counts(account) == (0, 0, 1)
    assert items(account.http.get(ITEM, params={"location": "vault"}))["held"] == 3
    body = refused(hold(account, [{"sku": "NW-001", "location": "vault", "quantity": 1}]), "inventory-unavailable")
    assert body["unavailable"] == [{"line": 1, "sku": "NW-001", "location": "vault", "requested": 1, "available": 0}]


def test_item_that_is_not_there_is_not_found(account: Account) -> None:
    for response in (account.http.get("/v1/stock/NW-999"), adjust(account, path="/v1/stock/NW-999")):
        assert refused(response, "not-found")["name"] == "NW-999"
    put_stock(account)
    for line in ({"sku": "NW-999", "quantity": 1}, {"sku": "NW-001", "location": "vault", "quantity": 1}):
        refused(hold(account, [line]), "not-found")
    assert stock_counts(account) == (0, 0, 10)


def test_item_cannot_be_put_below_what_is_claimed(account: Account) -> None:
    put(account)
    held(account, [{"sku": "NW-001", "quantity": 2}])
    done(account, held(account, [{"sku": "NW-001", "quantity": 3}])["reference"], "confirm")
    refused(put(account, on_hand=4, description="Chang"), "state-conflict")
    item = items(account.http.get(ITEM))
    assert (item["on_hand"], item["description"]) == (10, "Chai")
    assert put(account, on_hand=5).status_code == 200
    assert stock_counts(account) == (2, 3, 0)


def test_item_cannot_be_adjusted_below_what_is_claimed(account: Account) -> None:
    put_stock(account)
    held(account, [{"sku": "NW-001", "quantity": 8}])
    refused(adjust(account, delta=-3, reason="damaged"), "state-conflict")
    assert on_hand(account) == 10
    assert adjust(account, reference="delivery-78", delta=-2, reason="damaged").is_success
    assert stock_counts(account) == (8, 0, 0)


def test_adjustment_moves_on_hand_and_leaves_one_message(account: Account) -> None:
    put_stock(account)
    before = len(messages(account))
    assert adjust(account, delta=-3, reason="damaged").is_success
    assert stock_counts(account) == (0, 0, 7)
    assert [message["type"] for message in messages(account)[before:]] == ["stock.adjusted"]


def test_adjustment_needs_an_idempotency_key(account: Account) -> None:
    put_stock(account)
    refused(account.http.post(f"{ITEM}/adjustments", json=DELIVERY), "idempotency-key-missing")
    assert on_hand(account) == 10


def test_adjustment_with_the_same_key_is_replayed(account: Account) -> None:
    put_stock(account)
    first, again = adjust(account, key="k-1"), adjust(account, key="k-1")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (first.headers["Idempotent-Replayed"], again.headers["Idempotent-Replayed"]) == ("false", "true")
    assert on_hand(account) == 15


def test_adjustment_with_the_same_reference_returns_the_first_response(account: Account) -> None:
    put_stock(account)
    first = adjust(account)
    assert put(account, on_hand=100).status_code == 200
    before = len(messages(account))
    again = adjust(account)
    assert first.is_success, first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert on_hand(account) == 100, "the delivery was counted twice"
    assert len(messages(account)) == before, "the delivery was announced twice"


@pytest.mark.parametrize("change", [{"delta": 6}, {"delta": -5}, {"reason": "found"}], ids=str)
def test_adjustment_with_a_used_reference_and_other_content_is_refused(account: Account, change: Json) -> None:
    put_stock(account)
    assert adjust(account).is_success
    refused(adjust(account, **change), "external-reference-exists")
    assert on_hand(account) == 15


def test_adjustment_reference_is_free_on_another_item(account: Account) -> None:
    put_stock(account)
    put_stock(account, sku="NW-002")
    items(account.http.put(ITEM, params={"location": "vault"}, json=STOCK))
    assert adjust(account, delta=1).is_success
    assert adjust(account, path="/v1/stock/NW-002", delta=2).is_success
    headers = {"Idempotency-Key": new_idempotency_key()}
    elsewhere = {**DELIVERY, "delta": 3}
    items(account.http.post(f"{ITEM}/adjustments", params={"location": "vault"}, json=elsewhere, headers=headers))
    assert [on_hand(account), on_hand(account, "/v1/stock/NW-002")] == [11, 12]
    assert items(account.http.get(ITEM, params={"location": "vault"}))["on_hand"] == 13


def test_refused_adjustment_does_not_use_up_its_reference(account: Account) -> None:
    put_stock(account)
    refused(adjust(account, delta=-11), "state-conflict")
    assert adjust(account, delta=-10).is_success
    assert on_hand(account) == 0


def test_twenty_callers_with_one_adjustment_reference_adjust_once(account: Account) -> None:
    put_stock(account)
    answers = at_once([lambda: adjust(account)] * 20)
    assert {answer.status_code for answer in answers} == {answers[0].status_code}
    assert len({answer.content for answer in answers}) == 1
    assert on_hand(account) == 15


def test_adjustments_at_once_are_all_counted(account: Account) -> None:
    put_stock(account)
    calls = [lambda number=number: adjust(account, reference=f"delivery-{number}", delta=1) for number in range(20)]
    assert all(answer.is_success for answer in at_once(calls))
    assert on_hand(account) == 30


BAD_STOCK: dict[str, tuple[Json, str]] = {
    "fewer than none": ({"on_hand": -1}, "on_hand"),
    "half a piece": ({"on_hand": 1.5}, "on_hand"),
    "a count in a string": ({"on_hand": "39"}, "on_hand"),
    "a count that is true": ({"on_hand": True}, "on_hand"),
    "a count of 10^30": ({"on_hand": 10**30}, "on_hand"),
    "no count but null": ({"on_hand": None}, "on_hand"),
    "a price with a fraction": ({"amount": 18.5}, "amount"),
    "a price of 10^30": ({"amount": 10**30}, "amount"),
    "a currency that is empty": ({"currency": ""}, "currency"),
    "a currency of four letters": ({"currency": "USDT"}, "currency"),
    "a description that is a number": ({"description": 7}, "description"),
    "a count that follows from others": ({"held": 0}, "held"),
    "an unknown member": ({"colour": "red"}, "colour"),
}


@pytest.mark.parametrize(("change", "path"), BAD_STOCK.values(), ids=BAD_STOCK)
def test_bad_item_is_invalid_and_not_created(account: Account, change: Json, path: str) -> None:
    refused_as_invalid(put(account, **change), path)
    refused(account.http.get(ITEM), "not-found")


BAD_ADJUSTMENTS: dict[str, tuple[Json, str]] = {
    "a delta in a string": ({"delta": "5"}, "delta"),
    "a delta with a fraction": ({"delta": 0.5}, "delta"),
    "a delta of 10^30": ({"delta": 10**30}, "delta"),
    "a delta of -10^30": ({"delta": -(10**30)}, "delta"),
    "a reference that is a number": ({"reference": 77}, "reference"),
    "no reference but null": ({"reference": None}, "reference"),
    "an unknown member": ({"colour": "red"}, "colour"),
}


@pytest.mark.parametrize(("change", "path"), BAD_ADJUSTMENTS.values(), ids=BAD_ADJUSTMENTS)
def test_bad_adjustment_is_invalid_and_changes_nothing(account: Account, change: Json, path: str) -> None:
    put_stock(account)
    refused_as_invalid(adjust(account, **change), path)
    assert on_hand(account) == 10


def test_sum_too_large_to_store_is_refused_and_changes_nothing(account: Account) -> None:
    largest = 2**63 - 1
    if put(account, on_hand=largest).is_error:
        refused(put(account, on_hand=largest), "invalid-request")
        return
    response = adjust(account, delta=1)
    assert 400 <= response.status_code < 500, response.text
    assert on_hand(account) == largest
