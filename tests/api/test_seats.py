"""Seats of an event: put by (section, row, number), five thousand a call, and found again by what they are."""

from typing import Any

import pytest

from tests.accounts import Account
from tests.api.contract import items, labelled, refused, refused_as_invalid, rows
from tests.api.reading import done, held, seat_states
from tests.make import hold, put_event

Json = dict[str, Any]
SEATS = "/v1/events/final/seats"
CATEGORIES = [
    {"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"},
    {"category": "2", "name": "Upper tier", "amount": 4500, "currency": "EUR"},
]


def block_of_seats(count: int, **members: str | float) -> list[Json]:
    """So many seats in rows of a hundred."""
    return [labelled(f"200-{index // 100 + 1}-{index % 100 + 1}", **members) for index in range(count)]


def put(account: Account, seats: list[Json]) -> Json:
    return items(account.http.put(SEATS, json={"seats": seats}))


def test_put_counts_what_it_created_updated_and_left(account: Account) -> None:
    put_event(account, seats=["101-A-1"], categories=CATEGORIES)
    first = block_of_seats(3)
    assert put(account, first) == {"created": 3, "updated": 0, "unchanged": 0}
    assert put(account, first) == {"created": 0, "updated": 0, "unchanged": 3}
    changed = [{**first[0], "category": "2"}, {**first[1], "x": 9.5}, first[2], labelled("200-9-9")]
    assert put(account, changed) == {"created": 1, "updated": 2, "unchanged": 1}


def test_put_of_five_thousand_seats_is_one_call(account: Account) -> None:
    put_event(account, seats=["101-A-1"])
    seats = block_of_seats(5000)
    assert put(account, seats) == {"created": 5000, "updated": 0, "unchanged": 0}
    moved = [{**seat, "y": 7.25} if seat["row"] == "1" else seat for seat in seats]
    assert put(account, moved) == {"created": 0, "updated": 100, "unchanged": 4900}


def test_put_of_more_than_five_thousand_seats_is_invalid_and_keeps_none(account: Account) -> None:
    put_event(account, seats=["101-A-1"])
    refused_as_invalid(account.http.put(SEATS, json={"seats": block_of_seats(5001)}), "seats")
    assert set(seat_states(account)) == {"101-A-1"}


def test_seat_reads_as_it_was_put(account: Account) -> None:
    put_event(account, seats=[{**labelled("101-A-12"), "x": 525.695, "y": 226.656}])
    assert rows(account.http, SEATS, "seats") == [
        {
            "seat": "101-A-12",
            "section": "101",
            "row": "A",
            "number": "12",
            "category": "1",
            "state": "available",
            "x": 525.695,
            "y": 226.656,
        }
    ]


def test_seats_that_are_put_leave_the_others(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-A-2"])
    put(account, [labelled("101-A-3")])
    assert seat_states(account) == dict.fromkeys(("101-A-1", "101-A-2", "101-A-3"), "available")


def test_live_seat_keeps_its_state_when_it_is_put_again(account: Account) -> None:
    put_event(account, categories=CATEGORIES)
    held(account, [{"event": "final", "seats": ["101-A-1"]}])
    confirmed = held(account, [{"event": "final", "seats": ["101-A-2"]}])["reference"]
    done(account, confirmed, "confirm")
    items(account.http.post("/v1/events/final/blocks", json={"seats": ["101-A-3"], "reason": "camera"}))
    seats = [labelled(f"101-A-{number}", category="2", x=7.0) for number in range(1, 5)]
    assert put(account, seats) == {"created": 0, "updated": 4, "unchanged": 0}
    states = seat_states(account)
    assert [states[f"101-A-{number}"] for number in range(1, 5)] == ["held", "confirmed", "blocked", "available"]
    assert hold(account, [{"event": "final", "seats": ["101-A-1"]}]).status_code == 409


def test_state_cannot_be_put(account: Account) -> None:
    put_event(account, seats=["101-A-1"])
    refused_as_invalid(account.http.put(SEATS, json={"seats": [labelled("101-A-1", state="blocked")]}), "state")
    assert seat_states(account) == {"101-A-1": "available"}


FILTERS: dict[str, tuple[dict[str, str], set[str]]] = {
    "a section": ({"section": "102"}, {"102-A-1", "102-A-2"}),
    "a category": ({"category": "2"}, {"101-A-2", "102-A-2"}),
    "available": ({"state": "available"}, {"101-A-2", "102-A-2"}),
    "held": ({"state": "held"}, {"101-A-1"}),
    "confirmed": ({"state": "confirmed"}, {"102-A-1"}),
    "blocked": ({"state": "blocked"}, {"101-A-3"}),
    "section and category": ({"section": "101", "category": "1"}, {"101-A-1", "101-A-3"}),
    "all three": ({"section": "101", "category": "2", "state": "available"}, {"101-A-2"}),
    "all three that none has": ({"section": "102", "category": "2", "state": "held"}, set()),
}


def test_filters_narrow_the_list(account: Account) -> None:
    put_event(
        account,
        seats=[
            labelled("101-A-1"),
            labelled("101-A-2", category="2"),
            labelled("101-A-3"),
            labelled("102-A-1"),
            labelled("102-A-2", category="2"),
        ],
        categories=CATEGORIES,
    )
    held(account, [{"event": "final", "seats": ["101-A-1"]}])
    done(account, held(account, [{"event": "final", "seats": ["102-A-1"]}])["reference"], "confirm")
    items(account.http.post("/v1/events/final/blocks", json={"seats": ["101-A-3"], "reason": "camera"}))
    for name, (query, expected) in FILTERS.items():
        for limit in (1, 100):
            found = [seat["seat"] for seat in rows(account.http, SEATS, "seats", limit=limit, **query)]
            assert sorted(found) == sorted(expected), f"{name}, {limit} a page"


@pytest.mark.parametrize("state", ["free", "Held", "released", "pending", "held,confirmed", "' OR 1=1 --"])
def test_state_that_no_seat_can_have_is_invalid(account: Account, state: str) -> None:
    put_event(account)
    refused_as_invalid(account.http.get(SEATS, params={"state": state}), "state")


def test_seats_of_an_event_that_is_not_there_are_not_found(account: Account) -> None:
    for response in (account.http.get(SEATS), account.http.put(SEATS, json={"seats": [labelled("101-A-1")]})):
        body = refused(response, "not-found")
        assert (body["kind"], body["name"]) == ("event", "final")


def test_put_that_names_an_unknown_category_keeps_none_of_its_seats(account: Account) -> None:
    put_event(account, seats=["101-A-1"])
    seats = [labelled("101-A-2"), labelled("101-A-3", category="9")]
    response = account.http.put(SEATS, json={"seats": seats})
    assert 400 <= response.status_code < 500, response.text
    assert set(seat_states(account)) == {"101-A-1"}


LABELS = {
    "a section with a hyphen": "North-West-A-1",
    "a section with spaces": "Block 7 upper-A-1",
    "a section with dots and underscores": "G.1_b-A-1",
    "a section of 32": f"{'s' * 32}-A-1",
    "a row of 8": "101-ROW00001-1",
    "a number of 8 with letters": "101-A-12345abc",
    "one symbol each": "1-1-1",
    "hyphens that could be cut elsewhere": "a-b-c-1",
}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
def test_seat_with_a_good_label_is_found_and_held_by_it(account: Account, label: str) -> None:
    put_event(account, seats=[labelled(label), labelled("999-Z-1")])
    section = label.rsplit("-", 2)[0]
    assert [seat["seat"] for seat in rows(account.http, SEATS, "seats", section=section)] == [label]
    reservation = held(account, [{"event": "final", "seats": [label]}])
    assert [line["seat"] for line in reservation["lines"]] == [label]
    assert seat_states(account)[label] == "held"
    assert seat_states(account)["999-Z-1"] == "available"


BAD_MEMBERS: dict[str, tuple[Json, str]] = {
    "an empty section": ({"section": ""}, "section"),
    "a section of 33": ({"section": "s" * 33}, "section"),
    "a section with a slash": ({"section": "10/1"}, "section"),
    "a section with a quote": ({"section": "10'1"}, "section"),
    "a section with a tab": ({"section": "10\t1"}, "section"),
    "a section with a line break": ({"section": "101\n"}, "section"),
    "a section with NUL": ({"section": "101\0"}, "section"),
    "a section that is a number": ({"section": 101}, "section"),
    "an empty row": ({"row": ""}, "row"),
    "a row of 9": ({"row": "ROW000001"}, "row"),
    "a row with a hyphen": ({"row": "A-B"}, "row"),
    "a row with a space": ({"row": "A "}, "row"),
    "an empty number": ({"number": ""}, "number"),
    "a number of 9": ({"number": "123456789"}, "number"),
    "a number with a sign": ({"number": "-1"}, "number"),
    "a number with a point": ({"number": "1.5"}, "number"),
    "a number that is no string": ({"number": 12}, "number"),
    "no number but null": ({"number": None}, "number"),
    "a category that is a number": ({"category": 1}, "category"),
    "a place that is a word": ({"x": "left"}, "x"),
    "an unknown member": ({"colour": "red"}, "colour"),
}


@pytest.mark.parametrize(("change", "path"), BAD_MEMBERS.values(), ids=BAD_MEMBERS)
def test_bad_seat_is_invalid_and_none_of_its_call_is_kept(account: Account, change: Json, path: str) -> None:
    put_event(account, seats=["101-A-1"])
    seats = [labelled("101-A-2"), {**labelled("101-A-3"), **change}]
    refused_as_invalid(account.http.put(SEATS, json={"seats": seats}), path)
    assert set(seat_states(account)) == {"101-A-1"}


@pytest.mark.parametrize("missing", ["section", "row", "number", "category"])
def test_seat_without_a_part_of_its_name_is_invalid(account: Account, missing: str) -> None:
    put_event(account, seats=["101-A-1"])
    seat = {member: value for member, value in labelled("101-A-2").items() if member != missing}
    refused_as_invalid(account.http.put(SEATS, json={"seats": [seat]}), missing)


def test_every_bad_seat_of_a_call_is_named(account: Account) -> None:
    put_event(account, seats=["101-A-1"])
    seats = [labelled("101-A-2", row="A B"), labelled("101-A-3"), labelled("101-A-4", number="")]
    body = refused_as_invalid(account.http.put(SEATS, json={"seats": seats}), "row", "number")
    paths = [error["path"] for error in body["errors"]]
    assert len(paths) == 2, paths
    assert "0" in paths[0], "the error does not say which seat"
    assert "2" in paths[1], "the error does not say which seat"
