"""Holding seats by name: all or nothing over every line, one live reservation a seat (R1), every failing line named."""

import re

import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import (
    at_once,
    done,
    held,
    history,
    message_types,
    moment,
    references,
    seat_states,
    seats,
    seconds_between,
    sorted_totals,
    stock_counts,
)
from tests.make import hold, put_event, put_seats, put_stock

REFERENCE = re.compile(r"[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}")


def test_hold_answers_201_with_location_and_etag(account: Account) -> None:
    put_event(account)
    response = hold(account, [{"event": "final", "seats": ["101-A-1"]}])
    assert response.status_code == 201, response.text
    reference = response.json()["reference"]
    assert REFERENCE.fullmatch(reference), reference
    assert response.headers["Location"] == f"/v1/reservations/{reference}"
    assert response.headers["ETag"] == '"1"'
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.headers["X-Request-Id"]


def test_hold_with_every_member_answers_them_all(account: Account) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=10, amount=1800, currency="USD")
    body = held(
        account,
        [
            {"event": "final", "seats": ["101-A-1", "101-A-2"]},
            {
                "event": "final",
                "best_available": {"quantity": 2, "section": "101", "category": "1", "together": True},
            },
            {"sku": "NW-001", "location": "default", "quantity": 2},
        ],
        customer="c-77",
        external_reference="order-9001",
        hold_seconds=300,
        wait=False,
        wait_seconds=3600,
        metadata={"channel": "app"},
    )
    assert (body["state"], body["version"], body["hold_remaining_s"]) == ("held", 1, 300)
    assert (body["customer"], body["external_reference"]) == ("c-77", "order-9001")
    assert body["metadata"] == {"channel": "app"}
    assert [line["line"] for line in body["lines"]] == [1, 2, 3, 4, 5]
    for line in body["lines"][:4]:
        facts = (line["event"], line["quantity"], line["amount"], line["currency"])
        assert facts == ("final", 1, 12500, "EUR"), line
    assert seats(body)[:2] == ["101-A-1", "101-A-2"]
    expected = {"line": 5, "sku": "NW-001", "location": "default", "quantity": 2, "amount": 3600, "currency": "USD"}
    assert expected.items() <= body["lines"][4].items(), body["lines"][4]
    assert sorted_totals(body) == [("EUR", 50000), ("USD", 3600)]


def test_only_lines_are_required_and_the_rest_is_null(account: Account) -> None:
    put_event(account)
    body = held(account, [{"event": "final", "seats": ["101-A-1"]}])
    assert body["customer"] is None
    assert body["external_reference"] is None
    assert body["confirmed_at"] is None
    assert body["ended_at"] is None
    assert body.get("wait_expires_at") is None


def test_hold_counts_its_seconds_from_its_creation(account: Account) -> None:
    put_event(account)
    body = held(account, [{"event": "final", "seats": ["101-A-1"]}], hold_seconds=77)
    assert seconds_between(body["created_at"], body["hold_expires_at"]) == 77
    assert body["hold_remaining_s"] == 77
    assert moment(body["created_at"]) == moment(history(account, body["reference"])[0]["at"])


def test_hold_at_once_is_one_version_and_one_message(account: Account) -> None:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-A-1", "101-A-2"]}])["reference"]
    (change,) = history(account, reference)
    assert (change["version"], change["to"]) == (1, "held")
    assert message_types(account, reference, 1) == ["reservation.held"]


def test_held_seats_show_as_held_and_the_others_as_available(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-A-2", "101-A-3"])
    held(account, [{"event": "final", "seats": ["101-A-1", "101-A-3"]}])
    assert seat_states(account) == {"101-A-1": "held", "101-A-2": "available", "101-A-3": "held"}
    total = account.http.get("/v1/events/final/availability").json()["total"]
    assert (total["available"], total["held"], total["confirmed"], total["blocked"]) == (1, 2, 0, 0)


@pytest.mark.parametrize(
    ("events", "with_stock", "seconds"),
    [
        pytest.param({"final": (120, 3600)}, False, 120, id="one event: its own hold_seconds"),
        pytest.param({"final": (120, 3600), "semi": (60, 3600)}, False, 60, id="two events: the smaller hold_seconds"),
        pytest.param({"final": (1200, 3600)}, True, 1200, id="event and stock: the event's hold_seconds"),
    ],
)
def test_hold_seconds_default_to_the_smallest_of_the_events(
    account: Account, events: dict[str, tuple[int, int]], with_stock: bool, seconds: int
) -> None:
    lines = []
    for event, (usual, longest) in events.items():
        put_event(account, event, seats=["101-A-1"], hold_seconds=usual, hold_seconds_max=longest)
        lines.append({"event": event, "seats": ["101-A-1"]})
    if with_stock:
        put_stock(account, sku="NW-001")
        lines.append({"sku": "NW-001", "quantity": 1})
    assert held(account, lines)["hold_remaining_s"] == seconds


def test_hold_seconds_may_be_up_to_the_smallest_maximum_of_the_events(account: Account) -> None:
    put_event(account, "final", seats=["101-A-1"], hold_seconds=60, hold_seconds_max=3600)
    put_event(account, "semi", seats=["101-A-1"], hold_seconds=60, hold_seconds_max=100)
    lines = [{"event": "final", "seats": ["101-A-1"]}, {"event": "semi", "seats": ["101-A-1"]}]
    refused(hold(account, lines, hold_seconds=101), "invalid-request")
    assert held(account, lines, hold_seconds=100)["hold_remaining_s"] == 100


def test_taken_seat_is_refused_and_named(account: Account) -> None:
    put_event(account)
    held(account, [{"event": "final", "seats": ["101-A-2"]}])
    lines = [{"event": "final", "seats": ["101-A-1", "101-A-2", "101-A-3"]}]
    facts = refused(hold(account, lines), "inventory-unavailable")
    assert facts["unavailable"] == [{"line": 1, "event": "final", "seats": ["101-A-2"]}]


def test_refused_hold_keeps_nothing(account: Account) -> None:
    put_event(account)
    taken = held(account, [{"event": "final", "seats": ["101-A-2"]}])
    assert hold(account, [{"event": "final", "seats": ["101-A-1", "101-A-2"]}]).status_code == 409
    assert seat_states(account)["101-A-1"] == "available"
    assert references(account) == [taken["reference"]]


def test_one_short_line_over_three_events_and_two_stock_items_keeps_nothing(account: Account) -> None:
    for event in ("final", "semi", "opening"):
        put_event(account, event, seats=["101-A-1", "101-A-2"])
    put_stock(account, sku="NW-001", on_hand=5)
    put_stock(account, sku="NW-002", on_hand=1)
    lines = [
        {"event": "final", "seats": ["101-A-1"]},
        {"event": "semi", "seats": ["101-A-1"]},
        {"event": "opening", "best_available": {"quantity": 2}},
        {"sku": "NW-001", "quantity": 2},
        {"sku": "NW-002", "quantity": 2},
    ]
    facts = refused(hold(account, lines), "inventory-unavailable")
    short = {"line": 5, "sku": "NW-002", "location": "default", "requested": 2, "available": 1}
    assert facts["unavailable"] == [short]
    for event in ("final", "semi", "opening"):
        assert set(seat_states(account, event).values()) == {"available"}, event
    assert stock_counts(account, "NW-001") == (0, 0, 5)
    assert stock_counts(account, "NW-002") == (0, 0, 1)
    assert references(account) == []


def test_every_failing_line_is_named_by_its_number_in_the_request(account: Account) -> None:
    put_event(account, "final")
    put_event(account, "semi", seats=["101-A-1", "101-A-3"])
    put_stock(account, sku="NW-001", on_hand=1)
    held(account, [{"event": "final", "seats": ["101-A-1"]}, {"event": "semi", "seats": ["101-A-3"]}])
    lines = [
        {"event": "final", "seats": ["101-A-1", "101-A-2"]},
        {"event": "final", "seats": ["101-A-4", "101-A-5"]},
        {"event": "semi", "best_available": {"quantity": 2}},
        {"sku": "NW-001", "quantity": 9},
    ]
    named = sorted(refused(hold(account, lines), "inventory-unavailable")["unavailable"], key=lambda line: line["line"])
    assert named == [
        {"line": 1, "event": "final", "seats": ["101-A-1"]},
        {"line": 3, "event": "semi", "requested": 2, "available": 1},
        {"line": 4, "sku": "NW-001", "location": "default", "requested": 9, "available": 1},
    ]


def test_one_hold_spans_several_events_and_stock(account: Account) -> None:
    put_event(account, "final", seats=["101-A-1"])
    put_event(account, "semi", seats=["101-A-1"])
    put_stock(account, sku="NW-001", on_hand=3)
    body = held(
        account,
        [
            {"event": "final", "seats": ["101-A-1"]},
            {"event": "semi", "seats": ["101-A-1"]},
            {"sku": "NW-001", "quantity": 3},
        ],
    )
    assert [line.get("event", line.get("sku")) for line in body["lines"]] == ["final", "semi", "NW-001"]
    assert seat_states(account, "final") == seat_states(account, "semi") == {"101-A-1": "held"}
    assert stock_counts(account) == (3, 0, 0)


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        pytest.param({"event": "nowhere", "seats": ["101-A-1"]}, "nowhere", id="event"),
        pytest.param({"event": "nowhere", "best_available": {"quantity": 1}}, "nowhere", id="event of best_available"),
        pytest.param({"event": "final", "seats": ["101-A-1", "101-Z-99"]}, "101-Z-99", id="seat"),
        pytest.param({"event": "Final", "seats": ["101-A-1"]}, "Final", id="event in another case"),
        pytest.param({"event": "final", "seats": ["101-a-1"]}, "101-a-1", id="seat in another case"),
        pytest.param({"event": "final", "best_available": {"quantity": 1, "section": "9"}}, "9", id="section"),
        pytest.param({"event": "final", "best_available": {"quantity": 1, "category": "gold"}}, "gold", id="category"),
    ],
)
def test_what_does_not_exist_is_404_and_nothing_is_kept(
    account: Account, line: dict[str, object], missing: str
) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=5)
    facts = refused(hold(account, [{"sku": "NW-001", "quantity": 1}, line]), "not-found")
    assert facts["kind"]
    assert missing in facts["name"], facts
    assert stock_counts(account) == (0, 0, 5)


def test_event_of_another_account_is_as_unknown_as_none(account: Account, other_account: Account) -> None:
    put_event(other_account, "final")
    put_event(account, "semi")
    foreign = refused(hold(account, [{"event": "final", "seats": ["101-A-1"]}]), "not-found")
    unknown = refused(hold(account, [{"event": "nowhere", "seats": ["101-A-1"]}]), "not-found")
    assert foreign.keys() == unknown.keys()
    assert (foreign["title"], foreign["kind"]) == (unknown["title"], unknown["kind"])
    assert set(seat_states(other_account).values()) == {"available"}


def test_rows_that_differ_in_case_are_two_seats(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-a-1"])
    first = held(account, [{"event": "final", "seats": ["101-A-1"]}])
    second = held(account, [{"event": "final", "seats": ["101-a-1"]}])
    assert (seats(first), seats(second)) == (["101-A-1"], ["101-a-1"])


def test_section_with_hyphens_spaces_and_dots_is_held_by_its_label(account: Account) -> None:
    put_event(account)
    seat = {"section": "VIP box-1.a_b", "row": "A", "number": "1", "category": "1"}
    put_seats(account, "final", [seat])
    assert seats(held(account, [{"event": "final", "seats": ["VIP box-1.a_b-A-1"]}])) == ["VIP box-1.a_b-A-1"]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([{"event": "final", "seats": ["101-A-1", "101-A-2", "101-A-1"]}], id="in one line"),
        pytest.param(
            [{"event": "final", "seats": ["101-A-1"]}, {"event": "final", "seats": ["101-A-1"]}], id="in two lines"
        ),
    ],
)
def test_same_seat_twice_in_one_request_is_invalid(account: Account, lines: list[dict[str, object]]) -> None:
    put_event(account)
    refused(hold(account, lines), "invalid-request")
    assert set(seat_states(account).values()) == {"available"}


HUNDRED_SEATS = [f"101-{row}-{number}" for row in "ABCDE" for number in range(1, 21)]
ONE_MORE = "101-F-1"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([{"event": "final", "seats": []}], id="no seat"),
        pytest.param([{"event": "final", "seats": [*HUNDRED_SEATS, ONE_MORE]}], id="101 named seats"),
        pytest.param([{"event": "final", "best_available": {"quantity": 101, "together": False}}], id="101 best seats"),
        pytest.param(
            [
                {"event": "final", "seats": HUNDRED_SEATS[:60]},
                {"event": "final", "best_available": {"quantity": 41, "together": False}},
            ],
            id="60 named and 41 best seats",
        ),
    ],
)
def test_fewer_than_1_or_more_than_100_seats_are_invalid(account: Account, lines: list[dict[str, object]]) -> None:
    put_event(account, seats=[*HUNDRED_SEATS, ONE_MORE])
    refused(hold(account, lines), "invalid-request")


def test_hundred_seats_wanted_in_opposite_order_go_whole_to_one_of_two_callers(account: Account) -> None:
    put_event(account, seats=HUNDRED_SEATS)
    orders = [HUNDRED_SEATS, HUNDRED_SEATS[::-1]]
    answers = at_once([lambda order=order: hold(account, [{"event": "final", "seats": order}]) for order in orders])
    assert sorted(answer.status_code for answer in answers) == [201, 409], [answer.text for answer in answers]
    winner, loser = sorted(answers, key=lambda answer: answer.status_code)
    assert len(winner.json()["lines"]) == 100
    (failing,) = refused(loser, "inventory-unavailable")["unavailable"]
    assert sorted(failing["seats"]) == sorted(HUNDRED_SEATS)
    assert references(account) == [winner.json()["reference"]]


def test_last_seat_goes_to_one_of_ten_callers(account: Account) -> None:
    put_event(account, seats=["101-A-1"])
    answers = at_once([lambda: hold(account, [{"event": "final", "seats": ["101-A-1"]}])] * 10)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert len(references(account)) == 1


def test_closed_sales_stop_new_holds_and_leave_the_held_ones(account: Account) -> None:
    put_event(account, sales="open")
    reference = held(account, [{"event": "final", "seats": ["101-A-1"]}])["reference"]
    put_event(account, sales="closed")
    facts = refused(hold(account, [{"event": "final", "seats": ["101-A-2"]}]), "sales-closed")
    assert facts["event"] == "final"
    done(account, reference, "extend", {"hold_seconds": 900})
    assert done(account, reference, "confirm")["state"] == "confirmed"
    assert done(account, reference, "cancel")["state"] == "cancelled"
