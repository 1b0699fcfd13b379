"""Best available seats: next to each other, as far to the front as there are, no orphan where there is another choice.

A seat is an orphan when it is free and both its neighbours in the row are taken or missing.
"""

import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import at_once, held, seat_states, seats
from tests.make import hold, put_event


def row(name: str, numbers: range | list[int], section: str = "101") -> list[str]:
    return [f"{section}-{name}-{number}" for number in numbers]


def best(quantity: int, **narrowed: object) -> list[dict[str, object]]:
    """Lines of a request for so many seats of the event `final`."""
    return [{"event": "final", "best_available": {"quantity": quantity, **narrowed}}]


def orphans(account: Account, labels: list[str]) -> list[str]:
    """Free seats of one row, given in its order, that have no free neighbour."""
    states = seat_states(account)
    free = [states[label] == "available" for label in labels]
    beside = [False, *free, False]
    return [label for place, label in enumerate(labels) if free[place] and not beside[place] and not beside[place + 2]]


@pytest.mark.parametrize("quantity", [1, 2, 3, 8, 10])
def test_together_is_next_to_each_other_in_the_front_row(account: Account, quantity: int) -> None:
    put_event(account, seats=row("A", range(1, 11)) + row("B", range(1, 11)))
    chosen = seats(held(account, best(quantity)))
    numbers = sorted(int(label.removeprefix("101-A-")) for label in chosen)
    assert numbers == list(range(numbers[0], numbers[0] + quantity)), chosen


@pytest.mark.parametrize("quantity", [1, 2, 3, 4, 5, 7])
def test_choice_in_a_free_row_leaves_no_orphan(account: Account, quantity: int) -> None:
    front = row("A", range(1, 8))
    put_event(account, seats=front)
    chosen = seats(held(account, best(quantity)))
    assert len(chosen) == quantity
    assert orphans(account, front) == [], f"{chosen} leave an orphan"


def test_front_row_that_would_keep_an_orphan_is_passed_over(account: Account) -> None:
    put_event(account, seats=row("A", range(1, 5)) + row("B", range(1, 11)))
    chosen = seats(held(account, best(3)))
    assert {label.split("-")[1] for label in chosen} == {"B"}, chosen


def test_orphan_is_left_where_there_is_no_other_choice(account: Account) -> None:
    put_event(account, seats=row("A", range(1, 5)))
    chosen = seats(held(account, best(3)))
    assert len(chosen) == 3
    assert "101-A-2" in chosen
    assert "101-A-3" in chosen


def test_single_seats_that_are_free_are_not_together(account: Account) -> None:
    put_event(account, seats=row("A", range(1, 6)))
    held(account, [{"event": "final", "seats": ["101-A-2", "101-A-4"]}])
    facts = refused(hold(account, best(2)), "inventory-unavailable")
    (line,) = facts["unavailable"]
    assert line.keys() == {"line", "event", "requested", "available"}
    assert (line["line"], line["event"], line["requested"]) == (1, "final", 2)
    assert set(seat_states(account).values()) == {"available", "held"}


def test_apart_takes_the_single_seats(account: Account) -> None:
    put_event(account, seats=row("A", range(1, 6)))
    held(account, [{"event": "final", "seats": ["101-A-2", "101-A-4"]}])
    chosen = seats(held(account, best(3, together=False)))
    assert sorted(chosen) == ["101-A-1", "101-A-3", "101-A-5"]


def test_two_rows_are_not_together(account: Account) -> None:
    put_event(account, seats=row("A", [1, 2]) + row("B", [1, 2]))
    assert hold(account, best(3)).status_code == 409
    assert len(seats(held(account, best(3, together=False)))) == 3


def test_more_than_all_seats_is_refused_with_both_numbers(account: Account) -> None:
    put_event(account, seats=row("A", range(1, 5)))
    (line,) = refused(hold(account, best(5, together=False)), "inventory-unavailable")["unavailable"]
    assert line == {"line": 1, "event": "final", "requested": 5, "available": 4}


def test_rows_are_in_order_of_length_and_then_of_text(account: Account) -> None:
    rows = ["AA", "B", "A", "10", "9"]
    put_event(account, seats=[label for name in rows for label in row(name, [1, 2])])
    taken = [seats(held(account, best(2)))[0].split("-")[1] for _ in rows]
    assert taken == ["9", "A", "B", "10", "AA"]


def test_numbers_are_in_numeric_order(account: Account) -> None:
    put_event(account, seats=row("A", [1, 2, 9, 10]))
    held(account, [{"event": "final", "seats": ["101-A-1", "101-A-9"]}])
    answer = hold(account, best(2))
    assert answer.status_code == 409, f"2 and 10 are no neighbours, 9 is between them: {answer.text}"


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([9, 10, 11], id="across the number of digits"),
        pytest.param([1, 3, 5], id="odd numbers on one side of the aisle"),
    ],
)
def test_neighbours_are_consecutive_in_the_order_of_the_row(account: Account, numbers: list[int]) -> None:
    put_event(account, seats=row("A", numbers))
    assert sorted(seats(held(account, best(3)))) == sorted(row("A", numbers))


def test_group_is_of_one_category(account: Account) -> None:
    categories = [
        {"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"},
        {"category": "2", "name": "Upper tier", "amount": 7500, "currency": "EUR"},
    ]
    described = [
        {"section": "101", "row": "A", "number": number, "category": category}
        for number, category in (("1", "1"), ("2", "2"), ("3", "2"), ("4", "1"))
    ]
    put_event(account, seats=described, categories=categories)
    assert hold(account, best(3)).status_code == 409
    body = held(account, best(2))
    assert sorted(seats(body)) == ["101-A-2", "101-A-3"]
    assert {line["amount"] for line in body["lines"]} == {7500}


def test_category_narrows_the_choice(account: Account) -> None:
    categories = [
        {"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"},
        {"category": "2", "name": "Upper tier", "amount": 7500, "currency": "EUR"},
    ]
    described = [
        {"section": "101", "row": name, "number": str(number), "category": category}
        for name, category in (("A", "1"), ("B", "2"))
        for number in (1, 2)
    ]
    put_event(account, seats=described, categories=categories)
    assert sorted(seats(held(account, best(2, category="2")))) == ["101-B-1", "101-B-2"]
    assert hold(account, best(1, category="2")).status_code == 409
    assert sorted(seats(held(account, best(2, category="1")))) == ["101-A-1", "101-A-2"]


def test_section_narrows_the_choice(account: Account) -> None:
    put_event(account, seats=row("A", [1, 2], section="101") + row("A", [1, 2], section="102"))
    assert sorted(seats(held(account, best(2, section="102")))) == ["102-A-1", "102-A-2"]
    assert hold(account, best(1, section="102")).status_code == 409
    assert sorted(seats(held(account, best(2, section="101")))) == ["101-A-1", "101-A-2"]


def test_seats_of_two_sections_are_not_together(account: Account) -> None:
    put_event(account, seats=row("A", [1], section="101") + row("A", [2], section="102"))
    assert hold(account, best(2)).status_code == 409


def test_explicit_seats_are_allocated_before_best_available(account: Account) -> None:
    put_event(account, seats=row("A", [1, 2, 3]))
    body = held(account, [*best(2), {"event": "final", "seats": ["101-A-1"]}])
    assert sorted(seats(body)) == ["101-A-1", "101-A-2", "101-A-3"]


def test_front_that_has_no_seats_counts_where_it_would_be(account: Account) -> None:
    """Of more rows than a decision reads at first: what is read and what is chosen must mean the same by near."""
    names = "ABCDEFGHIJKLNOPQRSTUVWXYZ"
    put_event(account, seats=[f"101-{name}-1" for name in names], front_row="M")
    chosen = [seats(held(account, best(1)))[0].split("-")[1] for _ in names]
    assert "".join(chosen) == "NLOKPJQIRHSGTFUEVDWCXBYAZ"


def test_two_groups_of_one_request_get_different_seats(account: Account) -> None:
    put_event(account, seats=row("A", [1, 2, 3, 4]))
    assert sorted(seats(held(account, best(2) + best(2)))) == row("A", [1, 2, 3, 4])


def test_refused_group_is_named_by_its_number_in_the_request(account: Account) -> None:
    put_event(account, seats=row("A", [1, 2, 3]))
    lines = [{"event": "final", "seats": ["101-A-2"]}, *best(2)]
    facts = refused(hold(account, lines), "inventory-unavailable")
    assert [line["line"] for line in facts["unavailable"]] == [2]
    assert set(seat_states(account).values()) == {"available"}


def test_ten_callers_at_once_fill_two_rows_in_pairs(account: Account) -> None:
    front, second = row("A", range(1, 11)), row("B", range(1, 11))
    put_event(account, seats=front + second)
    answers = at_once([lambda: hold(account, best(2))] * 10)
    assert [answer.status_code for answer in answers] == [201] * 10, [answer.text for answer in answers]
    pairs = [seats(answer.json()) for answer in answers]
    assert sorted(label for pair in pairs for label in pair) == sorted(front + second)
    for pair in pairs:
        one, other = (label.split("-") for label in pair)
        assert one[1] == other[1], f"two rows: {pair}"
        assert abs(int(one[2]) - int(other[2])) == 1, f"not neighbours: {pair}"


def test_last_pair_goes_to_one_of_six_callers(account: Account) -> None:
    put_event(account, seats=row("A", [1, 2, 3]))
    answers = at_once([lambda: hold(account, best(2))] * 6)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
