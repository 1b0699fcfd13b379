"""Many releases in one request: each fenced by the version that was seen, none done twice, what moved on left alone."""

from typing import Any

import pytest

from tests.accounts import Account
from tests.api.contract import items, refused, refused_as_invalid
from tests.api.reading import done, held, history, pending, read
from tests.make import put_stock

Json = dict[str, Any]
RELEASES = "/v1/reservation-releases"
UNIT = [{"sku": "NW-001", "quantity": 1}]


def release(account: Account, *seen: Json, **more: Any) -> list[Json]:
    reservations = [{"reference": each["reference"], "version": each["version"]} for each in seen]
    outcomes: list[Json] = items(account.http.post(RELEASES, json={"reservations": reservations, **more}))["outcomes"]
    assert [each["reference"] for each in outcomes] == [each["reference"] for each in seen]
    return outcomes


def test_holds_are_released_with_their_reason_in_the_history(account: Account) -> None:
    put_stock(account, on_hand=3)
    seen = [held(account, UNIT) for _ in range(3)]
    outcomes = release(account, *seen, reason="the worker was down")
    assert [(each["released"], each["state"], each["version"]) for each in outcomes] == [(True, "released", 2)] * 3
    for each in seen:
        assert read(account, each["reference"])["state"] == "released"
        last = history(account, each["reference"])[-1]
        assert (last["action"], last["actor"], last["reason"]) == ("release", "default", "the worker was down")
    assert held(account, UNIT, hold_seconds=60)["state"] == "held"


def test_what_moved_on_meanwhile_is_left_alone_and_told(account: Account) -> None:
    put_stock(account, on_hand=5)
    seen = [held(account, UNIT) for _ in range(4)]
    waiting = pending(account, [{"sku": "NW-001", "quantity": 5}])
    done(account, seen[0]["reference"], "confirm")
    done(account, seen[1]["reference"], "extend", {"hold_seconds": 1200})
    done(account, seen[2]["reference"], "release")
    told = [(each["released"], each["state"], each["version"]) for each in release(account, *seen, waiting)]
    assert told == [
        (False, "confirmed", 2),
        (False, "held", 2),
        (False, "released", 2),
        (True, "released", 2),
        (True, "released", 2),
    ]
    assert [len(history(account, each["reference"])) for each in seen] == [2, 2, 2, 2]


def test_second_request_releases_nothing_and_says_so(account: Account) -> None:
    put_stock(account)
    seen = [held(account, UNIT) for _ in range(2)]
    assert [each["released"] for each in release(account, *seen)] == [True, True]
    assert [(each["released"], each["state"]) for each in release(account, *seen)] == [(False, "released")] * 2
    assert [len(history(account, each["reference"])) for each in seen] == [2, 2]


def test_reservation_of_nobody_and_of_another_account_are_the_same_nothing(
    account: Account, other_account: Account
) -> None:
    put_stock(other_account)
    theirs = held(other_account, UNIT)
    nobodys = {"reference": "K7QX2-9PMD8", "version": 1}
    nothing = [(False, None, None)] * 2
    assert [(each["released"], each["state"], each["version"]) for each in release(account, theirs, nobodys)] == nothing
    assert read(other_account, theirs["reference"])["state"] == "held"


def test_key_without_the_scope_ops_is_refused(account: Account) -> None:
    put_stock(account)
    seen = held(account, UNIT)
    scopes = ["reservations:read", "reservations:write"]
    body = {"reservations": [{"reference": seen["reference"], "version": 1}]}
    with account.client(account.new_key("clerk", scopes)) as clerk:
        assert refused(clerk.post(RELEASES, json=body), "forbidden")["scope"] == "ops"
    assert read(account, seen["reference"])["state"] == "held"


SEEN = {"reference": "K7QX2-9PMD8", "version": 1}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "$.reservations"),
        ({"reservations": []}, "$.reservations"),
        ({"reservations": [SEEN] * 501}, "$.reservations"),
        ({"reservations": "K7QX2-9PMD8"}, "$.reservations"),
        ({"reservations": ["K7QX2-9PMD8"]}, "$.reservations[0]"),
        ({"reservations": [{"reference": "K7QX2-9PMD8"}]}, "$.reservations[0]"),
        ({"reservations": [SEEN, SEEN | {"reference": "K7QX2-9PMDA"}]}, "$.reservations[1].reference"),
        ({"reservations": [SEEN, SEEN | {"reference": "k7qx29pmd8"}]}, "$.reservations[1].reference"),
        ({"reservations": [SEEN | {"version": 0}]}, "$.reservations[0].version"),
        ({"reservations": [SEEN | {"version": "1"}]}, "$.reservations[0].version"),
        ({"reservations": [SEEN | {"state": "held"}]}, "$.reservations[0].state"),
        ({"reservations": [SEEN], "reason": "x" * 201}, "$.reason"),
        ({"reservations": [SEEN], "reasons": "x"}, "$.reasons"),
    ],
)
def test_bad_body_names_the_place_and_releases_nothing(account: Account, body: Json, path: str) -> None:
    refused_as_invalid(account.http.post(RELEASES, json=body), path)
