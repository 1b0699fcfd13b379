"""The natural key of a reservation: its `external_reference` is unique for ever, whatever the idempotency key was."""

import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import at_once, done, expired, held, pending, references, stock_counts
from tests.make import hold, new_idempotency_key, put_stock

UNIT = [{"sku": "NW-001", "quantity": 1}]


def test_second_reservation_of_one_external_reference_is_refused_and_the_first_is_named(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    first = held(account, UNIT, external_reference="order-9001")["reference"]
    answer = hold(account, UNIT, external_reference="order-9001")
    assert refused(answer, "external-reference-exists")["reference"] == first
    assert answer.headers["Location"] == f"/v1/reservations/{first}"
    assert stock_counts(account) == (1, 0, 4)
    assert references(account) == [first]


@pytest.mark.parametrize("end", ["release", "confirm", "expiry"])
def test_external_reference_stays_used_whatever_becomes_of_the_reservation(account: Account, end: str) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    seconds = 1 if end == "expiry" else 600
    first = held(account, UNIT, external_reference="order-9001", hold_seconds=seconds)["reference"]
    if end == "expiry":
        expired(account, first)
    else:
        done(account, first, end)
    answer = hold(account, UNIT, external_reference="order-9001")
    assert refused(answer, "external-reference-exists")["reference"] == first


def test_external_reference_of_a_waiting_one_is_used(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=0)
    waiting = pending(account, UNIT, external_reference="order-9001")["reference"]
    answer = hold(account, UNIT, wait=True, external_reference="order-9001")
    assert refused(answer, "external-reference-exists")["reference"] == waiting


def test_refused_create_does_not_use_up_its_external_reference(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=0)
    refused(hold(account, UNIT, external_reference="order-9001"), "inventory-unavailable")
    put_stock(account, sku="NW-001", on_hand=1)
    held(account, UNIT, external_reference="order-9001")


def test_refusal_for_an_external_reference_is_replayed_with_its_location(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    held(account, UNIT, external_reference="order-9001")
    key = new_idempotency_key()
    first = hold(account, UNIT, key=key, external_reference="order-9001")
    again = hold(account, UNIT, key=key, external_reference="order-9001")
    refused(again, "external-reference-exists")
    assert (again.content, again.headers["Location"]) == (first.content, first.headers["Location"])
    assert again.headers["Idempotent-Replayed"] == "true"


def test_external_references_that_differ_in_case_are_two(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    held(account, UNIT, external_reference="Order-9001")
    held(account, UNIT, external_reference="order-9001")


def test_two_accounts_use_the_same_external_reference(account: Account, other_account: Account) -> None:
    for owner in (account, other_account):
        put_stock(owner, sku="NW-001", on_hand=5)
        held(owner, UNIT, external_reference="order-9001")


def test_one_external_reference_under_twenty_keys_at_once_is_one_reservation(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=50)
    answers = at_once([lambda: hold(account, UNIT, external_reference="order-9001")] * 20)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    (reference,) = references(account)
    for answer in answers:
        if answer.status_code == 409:
            assert refused(answer, "external-reference-exists")["reference"] == reference
    assert stock_counts(account) == (1, 0, 49)
