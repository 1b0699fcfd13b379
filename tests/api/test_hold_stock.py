"""Holding a quantity of a stock item: never more than there is (R2), all or nothing, the shortage told in numbers."""

import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import at_once, done, held, references, stock_counts
from tests.make import hold, put_event, put_stock


def test_hold_takes_the_quantity_at_the_price_of_so_many(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10, amount=1800, currency="USD")
    body = held(account, [{"sku": "NW-001", "quantity": 3}])
    (line,) = body["lines"]
    expected = {"line": 1, "sku": "NW-001", "location": "default", "quantity": 3, "amount": 5400, "currency": "USD"}
    assert expected.items() <= line.items(), line
    assert body["totals"] == [{"amount": 5400, "currency": "USD"}]
    assert stock_counts(account) == (3, 0, 7)


def test_confirm_moves_held_to_confirmed_and_cancel_gives_back(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    reference = held(account, [{"sku": "NW-001", "quantity": 3}])["reference"]
    done(account, reference, "confirm")
    assert stock_counts(account) == (0, 3, 7)
    done(account, reference, "cancel")
    assert stock_counts(account) == (0, 0, 10)


def test_release_gives_the_quantity_back(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    reference = held(account, [{"sku": "NW-001", "quantity": 10}])["reference"]
    done(account, reference, "release")
    assert stock_counts(account) == (0, 0, 10)
    held(account, [{"sku": "NW-001", "quantity": 10}])


def test_one_line_a_stock_item_in_the_order_of_the_request(account: Account) -> None:
    for sku in ("NW-001", "NW-002", "NW-003"):
        put_stock(account, sku=sku, on_hand=5)
    wanted = [{"sku": sku, "quantity": 2} for sku in ("NW-003", "NW-001", "NW-002")]
    lines = held(account, wanted)["lines"]
    assert [(line["line"], line["sku"]) for line in lines] == [(1, "NW-003"), (2, "NW-001"), (3, "NW-002")]


def test_totals_are_one_a_currency(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5, amount=100, currency="EUR")
    put_stock(account, sku="NW-002", on_hand=5, amount=250, currency="USD")
    put_stock(account, sku="NW-003", on_hand=5, amount=7, currency="EUR")
    body = held(account, [{"sku": sku, "quantity": 2} for sku in ("NW-001", "NW-002", "NW-003")])
    totals = sorted(body["totals"], key=lambda total: total["currency"])
    assert totals == [{"amount": 214, "currency": "EUR"}, {"amount": 500, "currency": "USD"}]


def test_quantity_of_stock_may_be_more_than_a_hundred(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=200)
    held(account, [{"sku": "NW-001", "quantity": 150}])
    assert stock_counts(account) == (150, 0, 50)


def test_more_than_available_is_refused_with_both_numbers(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    held(account, [{"sku": "NW-001", "quantity": 8}])
    facts = refused(hold(account, [{"sku": "NW-001", "quantity": 3}]), "inventory-unavailable")
    short = {"line": 1, "sku": "NW-001", "location": "default", "requested": 3, "available": 2}
    assert facts["unavailable"] == [short]
    assert stock_counts(account) == (8, 0, 2)


def test_one_short_item_keeps_nothing_of_the_other(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    put_stock(account, sku="NW-002", on_hand=0)
    lines = [{"sku": "NW-001", "quantity": 5}, {"sku": "NW-002", "quantity": 1}]
    facts = refused(hold(account, lines), "inventory-unavailable")
    assert [line["line"] for line in facts["unavailable"]] == [2]
    assert stock_counts(account, "NW-001") == (0, 0, 5)
    assert references(account) == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param({"sku": "NW-999", "quantity": 1}, id="sku"),
        pytest.param({"sku": "nw-001", "quantity": 1}, id="sku in another case"),
        pytest.param({"sku": "NW-001", "location": "cellar", "quantity": 1}, id="location"),
        pytest.param({"sku": "NW-001", "location": "Default", "quantity": 1}, id="location in another case"),
    ],
)
def test_unknown_stock_is_404_and_nothing_is_kept(account: Account, line: dict[str, object]) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    put_stock(account, sku="NW-002", on_hand=5)
    facts = refused(hold(account, [{"sku": "NW-002", "quantity": 1}, line]), "not-found")
    assert {"kind", "name"} <= facts.keys(), facts
    assert stock_counts(account, "NW-002") == (0, 0, 5)


def test_stock_of_another_account_is_unknown(account: Account, other_account: Account) -> None:
    put_stock(other_account, sku="NW-001", on_hand=5)
    assert hold(account, [{"sku": "NW-001", "quantity": 1}]).status_code == 404
    assert stock_counts(other_account) == (0, 0, 5)


def test_same_sku_twice_in_one_request_is_invalid(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    refused(hold(account, [{"sku": "NW-001", "quantity": 1}, {"sku": "NW-001", "quantity": 2}]), "invalid-request")
    assert stock_counts(account) == (0, 0, 5)


def test_stock_alone_is_held_600_seconds_unless_said_otherwise(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    assert held(account, [{"sku": "NW-001", "quantity": 1}])["hold_remaining_s"] == 600


def test_stock_alone_is_held_3600_seconds_at_most(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    refused(hold(account, [{"sku": "NW-001", "quantity": 1}], hold_seconds=3601), "invalid-request")
    assert held(account, [{"sku": "NW-001", "quantity": 1}], hold_seconds=3600)["hold_remaining_s"] == 3600


def test_event_with_a_smaller_maximum_bounds_the_stock_held_with_it(account: Account) -> None:
    put_event(account, seats=["101-A-1"], hold_seconds=60, hold_seconds_max=90)
    put_stock(account, sku="NW-001", on_hand=5)
    lines = [{"event": "final", "seats": ["101-A-1"]}, {"sku": "NW-001", "quantity": 1}]
    assert hold(account, lines, hold_seconds=91).status_code == 400
    assert held(account, lines, hold_seconds=90)["hold_remaining_s"] == 90


def test_last_unit_goes_to_one_of_ten_callers(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=1)
    answers = at_once([lambda: hold(account, [{"sku": "NW-001", "quantity": 1}])] * 10)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert stock_counts(account) == (1, 0, 0)


def test_twenty_callers_who_want_two_of_fifteen_get_fourteen(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=15)
    answers = at_once([lambda: hold(account, [{"sku": "NW-001", "quantity": 2}])] * 20)
    assert sorted(answer.status_code for answer in answers) == [201] * 7 + [409] * 13
    assert stock_counts(account) == (14, 0, 1)


def test_stock_wanted_in_opposite_order_by_two_callers_goes_whole_to_one(account: Account) -> None:
    skus = [f"NW-{number:03}" for number in range(1, 31)]
    for sku in skus:
        put_stock(account, sku=sku, on_hand=1)
    orders = [[{"sku": sku, "quantity": 1} for sku in order] for order in (skus, skus[::-1])]
    answers = at_once([lambda lines=lines: hold(account, lines) for lines in orders])
    assert sorted(answer.status_code for answer in answers) == [201, 409], [answer.text for answer in answers]


def test_stock_can_be_lowered_to_exactly_what_is_claimed(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    held(account, [{"sku": "NW-001", "quantity": 4}])
    put_stock(account, sku="NW-001", on_hand=4)
    assert stock_counts(account) == (4, 0, 0)
    facts = refused(hold(account, [{"sku": "NW-001", "quantity": 1}]), "inventory-unavailable")
    assert facts["unavailable"][0]["available"] == 0
