"""Availability of an event: counts by section and category that agree with its seats."""

from collections import Counter
from typing import Any

from service.database.store import Store
from service.inventory.seat_queries import SELECT_COUNTS
from tests.accounts import Account, on_store
from tests.api.contract import EVENT, RFC3339_MILLISECONDS, items, labelled, refused, rows
from tests.api.reading import done, held, seconds_between
from tests.make import act, put_event, wait_until

Json = dict[str, Any]
STATES = ("available", "held", "confirmed", "blocked")
PATH = "/v1/events/final/availability"


def counts(account: Account) -> dict[tuple[str, str], list[int]]:
    """Counts by (section, category), in the order of STATES."""
    sections = items(account.http.get(PATH))["sections"]
    found = {(one["section"], one["category"]): [one[state] for state in STATES] for one in sections}
    assert len(found) == len(sections), "a section's category stands twice"
    return found


def total(account: Account) -> list[int]:
    answer = items(account.http.get(PATH))["total"]
    return [answer[state] for state in STATES]


def test_availability_says_event_time_sections_and_total(account: Account) -> None:
    put_event(account)
    answer = items(account.http.get(PATH))
    assert answer["event"] == "final"
    assert RFC3339_MILLISECONDS.fullmatch(answer["as_of"])
    assert answer["sections"] == [
        {"section": "101", "category": "1", "available": 30, "held": 0, "confirmed": 0, "blocked": 0}
    ]
    assert [answer["total"][state] for state in STATES] == [30, 0, 0, 0]


def test_count_reads_an_index_and_no_seat(account: Account) -> None:
    """Else the server may look at every seat of every event."""
    put_event(account)

    async def plan(store: Store) -> str:
        explain = "EXPLAIN QUERY PLAN" if store.is_sqlite else "EXPLAIN"
        async with store.read() as reader:
            ((event_id,),) = await reader.rows("SELECT id FROM events WHERE account_id = ?", (account.id,))
            return str(await reader.rows(f"{explain} {SELECT_COUNTS}", (event_id,)))

    told = on_store(account.database_url, plan)
    assert "ix_seats__event_id_section_category_id_state" in told
    assert "Using index" in told or "USING COVERING INDEX" in told, told


def test_as_of_is_the_time_of_the_counts(account: Account) -> None:
    put_event(account)
    reservation = held(account, [{"event": "final", "seats": ["101-A-1"]}])
    as_of = items(account.http.get(PATH))["as_of"]
    assert 0 <= seconds_between(reservation["created_at"], as_of) < 30


def test_every_section_and_category_has_its_own_counts(account: Account) -> None:
    put_event(
        account,
        seats=[labelled("101-A-1"), labelled("101-A-2", category="2"), labelled("102-A-1"), labelled("102-A-2")],
        categories=[
            {"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"},
            {"category": "2", "name": "Upper tier", "amount": 4500, "currency": "EUR"},
        ],
    )
    held(account, [{"event": "final", "seats": ["101-A-2", "102-A-1"]}])
    assert counts(account) == {("101", "1"): [1, 0, 0, 0], ("101", "2"): [0, 1, 0, 0], ("102", "1"): [1, 1, 0, 0]}
    assert total(account) == [2, 2, 0, 0]


def test_counts_follow_every_change_of_a_reservation(account: Account) -> None:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-A-1", "101-A-2", "101-A-3"]}])["reference"]
    assert total(account) == [27, 3, 0, 0]
    done(account, reference, "release", {"lines": [2]})
    assert total(account) == [28, 2, 0, 0]
    done(account, reference, "confirm")
    assert total(account) == [28, 0, 2, 0]
    done(account, reference, "cancel", {"lines": [1]})
    assert total(account) == [29, 0, 1, 0]
    done(account, reference, "cancel")
    assert total(account) == [30, 0, 0, 0]


def test_counts_follow_blocks(account: Account) -> None:
    put_event(account)
    items(account.http.post("/v1/events/final/blocks", json={"seats": ["101-A-1", "101-B-1"], "reason": "camera"}))
    assert total(account) == [28, 0, 0, 2]
    items(account.http.post("/v1/events/final/unblocks", json={"seats": ["101-A-1"]}))
    assert total(account) == [29, 0, 0, 1]


def test_counts_follow_the_clock(account: Account) -> None:
    put_event(account)
    held(account, [{"event": "final", "seats": ["101-A-1"]}], hold_seconds=1)
    assert total(account)[1] == 1
    wait_until(lambda: total(account) == [30, 0, 0, 0])


def test_counts_agree_with_the_list_of_seats(account: Account) -> None:
    put_event(account)
    first = held(account, [{"event": "final", "best_available": {"quantity": 4}}])["reference"]
    held(account, [{"event": "final", "best_available": {"quantity": 3}}])
    assert act(account, first, "confirm").status_code == 200
    items(account.http.post("/v1/events/final/blocks", json={"seats": ["101-C-10"], "reason": "camera"}))
    listed = Counter(seat["state"] for seat in rows(account.http, "/v1/events/final/seats", "seats"))
    assert total(account) == [listed[state] for state in STATES] == [22, 3, 4, 1]


def test_event_without_seats_has_no_sections(account: Account) -> None:
    assert account.http.put("/v1/events/final", json=EVENT).status_code == 201
    answer = items(account.http.get(PATH))
    assert answer["sections"] == []
    assert [answer["total"][state] for state in STATES] == [0, 0, 0, 0]


def test_availability_of_an_event_that_is_not_there_is_not_found(account: Account) -> None:
    body = refused(account.http.get(PATH), "not-found")
    assert (body["kind"], body["name"]) == ("event", "final")
