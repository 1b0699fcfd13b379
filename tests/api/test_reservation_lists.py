"""Lists of reservations in every order, and their counts, on servers where no sweep comes by meanwhile.

What the filters find, newest first, is in test_reservation_queries.py; pages of all collections in test_paging.py.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.accounts import Account, new_account
from tests.api.contract import items, pages, refused, refused_as_invalid, rows
from tests.api.reading import done, held, moment, pending, read, references
from tests.make import put_stock, wait_until
from tests.running import RunningService, start_service

Json = dict[str, Any]

UNSWEPT = {"HOLDFAST_SWEEP_INTERVAL_MS": "60000"}
LIST = "/v1/reservations"
COUNTS = "/v1/reservation-counts"
UNIT = [{"sku": "NW-001", "quantity": 1}]
SCARCE = [{"sku": "NW-002", "quantity": 1}]


@pytest.fixture(scope="module")
def unswept(fresh_database: str) -> Iterator[RunningService]:
    with start_service(fresh_database, env=UNSWEPT) as service:
        yield service


@pytest.fixture
def account(unswept: RunningService) -> Iterator[Account]:
    with closing(new_account(unswept.url, unswept.database_url)) as account:
        put_stock(account, "NW-001", on_hand=100)
        put_stock(account, "NW-002", on_hand=0)
        yield account


def unit(account: Account, seconds: int, **body: object) -> str:
    return str(held(account, UNIT, hold_seconds=seconds, **body)["reference"])


def over(account: Account, reference: str) -> None:
    wait_until(lambda: read(account, reference)["hold_remaining_s"] == 0)


def listed(account: Account, **query: str | int) -> list[str]:
    """References of all pages."""
    return [row["reference"] for row in rows(account.http, LIST, "reservations", **query)]


def count(account: Account, **query: str | int) -> Json:
    return items(account.http.get(COUNTS, params=query))


def test_each_order_is_the_whole_list_in_pages_of_any_size(account: Account) -> None:
    made = {seconds: unit(account, seconds) for seconds in (300, 100, 900, 200, 700)}
    made[400] = str(pending(account, SCARCE, wait_seconds=400)["reference"])
    ended = unit(account, 500)
    done(account, ended, "confirm")
    in_order = [*made.values(), ended]
    by_end = [made[seconds] for seconds in sorted(made)]
    for limit in (1, 2, 7, 500):
        assert listed(account, limit=limit) == in_order[::-1]
        assert listed(account, order="newest", limit=limit) == in_order[::-1]
        assert listed(account, order="oldest", limit=limit) == in_order
        assert listed(account, order="expires", limit=limit) == by_end
        assert listed(account, order="oldest", state="held", limit=limit) == [
            reference for reference in in_order if reference not in (made[400], ended)
        ]
        assert listed(account, order="expires", state="pending", limit=limit) == [made[400]]


def test_pages_stay_right_while_reservations_are_made_and_end(account: Account) -> None:
    for order in ("oldest", "expires"):
        first = [unit(account, seconds, customer=order) for seconds in (600, 610, 620, 630, 640, 650)]
        seen: list[str] = []
        for page in pages(account.http, LIST, "reservations", order=order, customer=order, state="held", limit=2):
            seen += [row["reference"] for row in page]
            if len(seen) == 2:
                done(account, first[0], "confirm")  # was seen
                done(account, first[3], "release")  # would have come
                unit(account, 605, customer=order)  # before the place of `expires`, behind that of `oldest`
                unit(account, 900, customer=order)
        assert len(seen) == len(set(seen)), order
        assert [reference for reference in seen if reference in first] == [*first[:3], *first[4:]], order


def test_hold_that_is_extended_meanwhile_is_met_where_it_then_is(account: Account) -> None:
    first = [unit(account, seconds) for seconds in (600, 610, 620)]
    seen = []
    for page in pages(account.http, LIST, "reservations", order="expires", limit=1):
        seen += [row["reference"] for row in page]
        if len(seen) == 1:
            done(account, first[1], "extend", {"hold_seconds": 900})
    assert seen == [first[0], first[2], first[1]]


def test_stale_are_held_past_their_time_and_not_yet_swept(account: Account) -> None:
    sooner, later = unit(account, 1), unit(account, 2)
    fresh, waiting = unit(account, 900), str(pending(account, SCARCE, wait_seconds=1)["reference"])
    over(account, later)
    assert [listed(account, stale="true", order=order) for order in ("expires", "oldest", "newest")] == [
        [sooner, later],
        [sooner, later],
        [later, sooner],
    ]
    assert listed(account, stale="false") == [fresh]
    assert listed(account, stale="true", state="held", limit=1) == [later, sooner]
    assert sorted(listed(account, state="held")) == sorted([sooner, later, fresh])
    assert count(account, stale="true")["count"] == 2
    assert count(account, stale="false")["count"] == 1
    assert waiting not in listed(account, stale="true")
    done(account, sooner, "confirm", {"late": "if_available"})
    assert listed(account, stale="true") == [later]


def test_created_before_is_an_instant_that_is_not_reached(account: Account) -> None:
    first, second = held(account, UNIT), held(account, UNIT)
    assert moment(first["created_at"]) <= moment(second["created_at"])
    between = max(first["created_at"], second["created_at"])
    found = [row["reference"] for row in (first, second) if row["created_at"] < between]
    assert references(account, created_before=between) == found
    assert references(account, created_before="2097-01-01T00:00:00+01:00") == [second["reference"], first["reference"]]
    assert references(account, created_before="1970-01-01T00:00:00Z", order="oldest", state="held") == []


def test_filters_hold_together_in_every_order(account: Account) -> None:
    put_stock(account, "NW-003", on_hand=10)
    mine = held(account, [*UNIT, {"sku": "NW-003", "quantity": 1}], customer="c-1", external_reference="order-1")
    unit(account, 900, customer="c-1")
    unit(account, 900, customer="c-2")
    for order in ("newest", "oldest", "expires"):
        for query in ({"sku": "NW-003"}, {"external_reference": "order-1"}, {"sku": "NW-003", "customer": "c-1"}):
            for state in ({}, {"state": "held"}):
                assert references(account, order=order, **query, **state) == [mine["reference"]], (order, query, state)
        assert references(account, order=order, sku="NW-003", customer="c-2", state="held") == []
        assert references(account, order=order, event="final") == []


def test_count_stops_where_it_is_told_to(account: Account) -> None:
    for _ in range(3):
        unit(account, 900, customer="c-1")
    unit(account, 900)
    table: list[tuple[dict[str, str | int], int, bool]] = [
        ({}, 4, True),
        ({"at_most": 4}, 4, True),
        ({"at_most": 3}, 3, False),
        ({"at_most": 1}, 1, False),
        ({"customer": "c-1", "at_most": 3}, 3, True),
        ({"state": "held", "at_most": 2}, 2, False),
        ({"state": "confirmed"}, 0, True),
        ({"sku": "NW-001"}, 4, True),
        ({"sku": "NW-001", "state": "held"}, 4, True),
        ({"expires_before": "2097-01-01T00:00:00Z", "at_most": 1_000_000}, 4, True),
        ({"created_before": "1971-01-01T00:00:00Z"}, 0, True),
    ]
    for query, expected, exact in table:
        answer = count(account, **query)
        assert (answer["count"], answer["exact"]) == (expected, exact), query
    answer = count(account)
    assert list(answer) == ["count", "exact", "as_of"]
    assert moment(answer["as_of"])


BAD = [
    ({"order": "sideways"}, "order"),
    ({"order": ""}, "order"),
    ({"order": "expires", "state": "confirmed"}, "order"),
    ({"order": "expires", "state": "expired"}, "order"),
    ({"created_before": "yesterday"}, "created_before"),
    ({"created_before": "2027-02-30T00:00:00Z"}, "created_before"),
    ({"created_before": "2027-06-01"}, "created_before"),
    ({"stale": "yes"}, "stale"),
    ({"stale": "1"}, "stale"),
    ({"stale": "TRUE"}, "stale"),
    ({"stale": ""}, "stale"),
    ({"stale": "true", "state": "pending"}, "stale"),
    ({"stale": "false", "state": "confirmed"}, "stale"),
    ({"at_most": "10"}, "at_most"),
]
BAD_COUNTS = [
    *(({"at_most": text}, "at_most") for text in ("0", "-1", "1000001", "ten", "", "1.5")),
    ({"created_before": "yesterday"}, "created_before"),
    ({"stale": "maybe"}, "stale"),
    ({"stale": "true", "state": "released"}, "stale"),
    ({"state": "booked"}, "state"),
    ({"limit": "1"}, "limit"),
    ({"cursor": "x"}, "cursor"),
    ({"order": "oldest"}, "order"),
]


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [*((LIST, query, named) for query, named in BAD), *((COUNTS, query, named) for query, named in BAD_COUNTS)],
)
def test_bad_query_is_invalid_and_named(account: Account, path: str, query: dict[str, str], named: str) -> None:
    refused_as_invalid(account.http.get(path, params=query), named)


def test_cursor_belongs_to_its_order_and_its_filters(account: Account) -> None:
    for _ in range(2):
        unit(account, 900)
    for order in ("newest", "oldest", "expires"):
        query = {"order": order, "limit": "1"}
        cursor = items(account.http.get(LIST, params=query))["next_cursor"]
        others = [{**query, "order": other} for other in ("newest", "oldest", "expires") if other != order]
        others += [
            {**query, "state": "held"},
            {**query, "stale": "false"},
            {**query, "created_before": "2097-01-01T00:00:00Z"},
        ]
        for other in others:
            refused_as_invalid(account.http.get(LIST, params={**other, "cursor": cursor}), "cursor")


def test_counting_needs_the_scope_of_reading_and_sees_one_account(account: Account, unswept: RunningService) -> None:
    unit(account, 900)
    with closing(new_account(unswept.url, unswept.database_url)) as other:
        assert count(other)["count"] == 0
        assert listed(other, order="expires") == listed(other, order="oldest") == []
    with account.client(account.new_key(name="writer", scopes=["reservations:write"])) as writer:
        assert refused(writer.get(COUNTS), "forbidden")["scope"] == "reservations:read"
