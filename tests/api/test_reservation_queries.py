"""Reading reservations: one, by any spelling of its reference; many, by every filter; their history.

Pages and cursors of every collection are in test_paging.py.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.accounts import Account
from tests.api.contract import items, refused, rows
from tests.api.reading import (
    done,
    expired,
    held,
    history,
    moment,
    pending,
    read,
    references,
    seconds_between,
    unused_reference,
)
from tests.make import act, hold, put_event, put_stock

Json = dict[str, Any]

SEAT = [{"event": "final", "seats": ["101-A-1"]}]
UNIT = [{"sku": "NW-001", "quantity": 1}]


def mistyped(reference: str) -> str:
    """The reference with one symbol replaced by its neighbour in the alphabet, so that the check symbol is wrong."""
    symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    replacement = symbols[(symbols.index(reference[0]) + 1) % len(symbols)]
    return replacement + reference[1:]


def test_read_shows_what_the_create_answered(account: Account) -> None:
    put_event(account)
    created = hold(account, SEAT, customer="c-77", external_reference="order-1", metadata={"channel": "app"})
    answer = account.http.get(created.headers["Location"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == '"1"'
    now, then = answer.json(), created.json()
    assert now.pop("hold_remaining_s") in range(then.pop("hold_remaining_s") - 10, 601)
    assert now == then


def test_time_left_counts_down_to_the_end_of_the_hold(account: Account) -> None:
    put_event(account)
    body = held(account, SEAT, hold_seconds=300)
    assert seconds_between(body["created_at"], body["hold_expires_at"]) == 300
    assert 290 <= read(account, body["reference"])["hold_remaining_s"] <= 300


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param(str.lower, id="in lower case"),
        pytest.param(lambda reference: reference.replace("-", ""), id="without the hyphen"),
        pytest.param(lambda reference: "-".join(reference.replace("-", "")), id="with a hyphen after every symbol"),
        pytest.param(lambda reference: reference.replace("0", "o").replace("1", "i"), id="with o for 0 and i for 1"),
        pytest.param(lambda reference: reference.replace("0", "O").replace("1", "L"), id="with O for 0 and L for 1"),
    ],
)
def test_reference_is_read_in_any_spelling(account: Account, spelled: Callable[[str], str]) -> None:
    put_stock(account, sku="NW-001", on_hand=100)
    reference = held(account, UNIT)["reference"]
    while "0" not in reference and "1" not in reference:
        reference = held(account, UNIT)["reference"]
    assert read(account, spelled(reference))["reference"] == reference
    assert done(account, spelled(reference), "confirm")["reference"] == reference
    assert len(history(account, spelled(reference))) == 2


def test_wrong_check_symbol_is_invalid_and_not_unknown(account: Account) -> None:
    put_event(account)
    wrong = mistyped(held(account, SEAT)["reference"])
    refused(account.http.get(f"/v1/reservations/{wrong}"), "invalid-request")
    refused(account.http.get(f"/v1/reservations/{wrong}/history"), "invalid-request")
    refused(act(account, wrong, "confirm"), "invalid-request")


@pytest.mark.parametrize(
    "text", ["K7QX2", "K7QX2-9PMDA-7", "UUUUU-UUUUU", "K7QX2-9PMD%C3%A4", "K7QX2-9PM%00A", "'%20OR%20'1'='1"]
)
def test_text_that_is_no_reference_is_invalid(account: Account, text: str) -> None:
    refused(account.http.get(f"/v1/reservations/{text}"), "invalid-request")


def test_unknown_reference_is_404(account: Account) -> None:
    reference = unused_reference()
    for answer in (
        account.http.get(f"/v1/reservations/{reference}"),
        account.http.get(f"/v1/reservations/{reference}/history"),
        act(account, reference, "confirm"),
    ):
        facts = refused(answer, "not-found")
        assert {"kind", "name"} <= facts.keys(), facts


def test_one_is_found_by_its_external_reference(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    wanted = held(account, UNIT, external_reference="order-9001")["reference"]
    held(account, UNIT, external_reference="order-9002")
    held(account, UNIT)
    assert references(account, external_reference="order-9001") == [wanted]
    assert references(account, external_reference="Order-9001") == []
    assert references(account, external_reference="order") == []


def test_list_is_newest_first_and_shows_whole_reservations(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    created = [held(account, UNIT)["reference"] for _ in range(4)]
    listed = rows(account.http, "/v1/reservations", "reservations")
    assert [row["reference"] for row in listed] == created[::-1]
    one = read(account, created[0])
    one.pop("hold_remaining_s")
    listed[-1].pop("hold_remaining_s")
    assert listed[-1] == one


def prepared(account: Account) -> dict[str, str]:
    """One reservation in every state, by the name of the state; each of another customer."""
    put_event(account, "final")
    put_event(account, "semi")
    put_stock(account, sku="NW-001", on_hand=1)
    put_stock(account, sku="NW-002", on_hand=5)
    made = {
        "expired": held(account, SEAT, customer="c-expired", hold_seconds=1)["reference"],
        "held": held(account, UNIT, customer="c-held", hold_seconds=900)["reference"],
        "pending": pending(account, UNIT, customer="c-pending")["reference"],
        "confirmed": held(account, [{"event": "semi", "seats": ["101-A-1"]}], customer="c-confirmed")["reference"],
        "released": held(account, [{"sku": "NW-002", "quantity": 1}], customer="c-released")["reference"],
        "cancelled": held(
            account, [{"event": "semi", "seats": ["101-A-2"]}, {"sku": "NW-002", "quantity": 1}], customer="c-cancelled"
        )["reference"],
    }
    done(account, made["confirmed"], "confirm")
    done(account, made["cancelled"], "confirm")
    done(account, made["cancelled"], "cancel")
    done(account, made["released"], "release")
    expired(account, made["expired"])
    return made


def test_filters_find_what_they_name_and_nothing_else(account: Account) -> None:
    made = prepared(account)
    for state, reference in made.items():
        assert references(account, state=state) == [reference], state
        assert references(account, customer=f"c-{state}") == [reference], state
    table: list[tuple[dict[str, str | int], set[str]]] = [
        ({"event": "final"}, {"expired"}),
        ({"event": "semi"}, {"confirmed", "cancelled"}),
        ({"sku": "NW-001"}, {"held", "pending"}),
        ({"sku": "NW-002"}, {"released", "cancelled"}),
        ({"event": "semi", "sku": "NW-002"}, {"cancelled"}),
        ({"event": "semi", "state": "confirmed"}, {"confirmed"}),
        ({"sku": "NW-001", "state": "pending", "customer": "c-pending"}, {"pending"}),
        ({"customer": "c-held", "state": "pending"}, set()),
        ({"event": "Final"}, set()),
        ({"customer": "C-held"}, set()),
        ({"customer": "nobody"}, set()),
    ]
    for query, states in table:
        assert set(references(account, **query)) == {made[state] for state in states}, query


def test_expires_before_finds_holds_that_end_sooner(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    soon, later = (held(account, UNIT, hold_seconds=seconds) for seconds in (100, 900))
    end = later["hold_expires_at"]
    assert references(account, expires_before=end, state="held") == [soon["reference"]]
    assert references(account, expires_before=soon["hold_expires_at"], state="held") == []


@pytest.mark.parametrize("when", ["tomorrow", "2027-06-01", "1796083200"])
def test_expires_before_that_is_no_instant_is_invalid(account: Account, when: str) -> None:
    refused(account.http.get("/v1/reservations", params={"expires_before": when}), "invalid-request")


def test_filter_holds_over_all_pages(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=50)
    created = [held(account, UNIT, customer=f"c-{place % 2}")["reference"] for place in range(8)]
    found = rows(account.http, "/v1/reservations", "reservations", limit=1, customer="c-1")
    assert [row["reference"] for row in found] == created[1::2][::-1]


def test_state_that_does_not_exist_is_invalid(account: Account) -> None:
    refused(account.http.get("/v1/reservations", params={"state": "booked"}), "invalid-request")


def test_reading_needs_its_scope(account: Account) -> None:
    put_event(account)
    reference = held(account, SEAT)["reference"]
    with account.client(account.new_key(name="writer", scopes=["reservations:write"])) as writer:
        for path in ("/v1/reservations", f"/v1/reservations/{reference}", f"/v1/reservations/{reference}/history"):
            assert refused(writer.get(path), "forbidden")["scope"] == "reservations:read"


def test_history_tells_every_change_without_a_gap(account: Account) -> None:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-A-1", "101-A-2"]}])["reference"]
    done(account, reference, "extend", {"hold_seconds": 900, "reason": "still typing"})
    done(account, reference, "release", {"lines": [1]})
    done(account, reference, "confirm")
    done(account, reference, "cancel", {"reason": "rain"})
    answer = items(account.http.get(f"/v1/reservations/{reference}/history"))
    assert answer["next_cursor"] is None
    changes = sorted(answer["history"], key=lambda change: change["version"])
    assert [change["version"] for change in changes] == [1, 2, 3, 4, 5]
    assert [change["to"] for change in changes] == ["held", "held", "held", "confirmed", "cancelled"]
    assert [change["from"] for change in changes[1:]] == ["held", "held", "held", "confirmed"]
    assert [change["action"] for change in changes[1:]] == ["extend", "release", "confirm", "cancel"]
    assert [change["reason"] for change in changes] == [None, "still typing", None, None, "rain"]
    assert len({change["actor"] for change in changes}) == 1
    moments = [moment(change["at"]) for change in changes]
    assert moments == sorted(moments)
