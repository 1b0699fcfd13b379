"""Events: created or replaced as a whole, known by the version of their definition, opened and closed for sale."""

from typing import Any

import pytest

from tests.accounts import Account
from tests.api.contract import EVENT, RFC3339_MILLISECONDS, items, refused, refused_as_invalid, rows
from tests.api.reading import done, held
from tests.make import hold, put_event

Json = dict[str, Any]
LOWER = {"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"}
UPPER = {"category": "2", "name": "Upper tier", "amount": 4500, "currency": "EUR"}


def changed(**members: object) -> Json:
    return {**EVENT, **members}


def test_put_of_a_new_event_answers_201_with_etag(account: Account) -> None:
    response = account.http.put("/v1/events/final", json=EVENT)
    assert response.status_code == 201, response.text
    tag = response.headers["ETag"]
    assert tag.startswith('"'), f"a weak or unquoted entity tag: {tag}"
    assert tag.endswith('"')


def test_event_reads_as_it_was_put(account: Account) -> None:
    put = changed(hold_seconds=90, hold_seconds_max=120, categories=[LOWER, UPPER])
    assert account.http.put("/v1/events/final", json=put).status_code == 201
    got = items(account.http.get("/v1/events/final"))
    for member in ("name", "hold_seconds", "hold_seconds_max", "sales"):
        assert got[member] == put[member], member
    assert sorted(got["categories"], key=lambda one: one["category"]) == [LOWER, UPPER]
    assert got["starts_at"] == "2097-06-05T19:00:00.000Z"
    assert RFC3339_MILLISECONDS.fullmatch(got["starts_at"])


def test_names_of_people_and_places_may_be_any_text(account: Account) -> None:
    name = 'Łódź — "Finał" \'26; DROP TABLE events; 決勝 ../ <b>'
    assert account.http.put("/v1/events/final", json=changed(name=name)).status_code == 201
    assert items(account.http.get("/v1/events/final"))["name"] == name


def test_equal_put_answers_200_with_the_same_etag(account: Account) -> None:
    first = account.http.put("/v1/events/final", json=EVENT)
    again = account.http.put("/v1/events/final", json=dict(reversed(EVENT.items())))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["ETag"] == first.headers["ETag"]


CHANGES: dict[str, Json] = {
    "another name": {"name": "Great final"},
    "another date": {"starts_at": "2097-06-06T19:00:00Z"},
    "another hold time": {"hold_seconds": 300},
    "another longest hold time": {"hold_seconds_max": 7200},
    "closed": {"sales": "closed"},
    "another price": {"categories": [{**LOWER, "amount": 13000}]},
    "one more category": {"categories": [LOWER, UPPER]},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_put_that_changes_the_event_answers_200_with_another_etag(account: Account, change: Json) -> None:
    first = account.http.put("/v1/events/final", json=EVENT)
    response = account.http.put("/v1/events/final", json=changed(**change))
    assert (first.status_code, response.status_code) == (201, 200)
    assert response.headers["ETag"] != first.headers["ETag"]
    got = items(account.http.get("/v1/events/final"))
    for member, value in change.items():
        assert got[member] == (value.replace("Z", ".000Z") if member == "starts_at" else value), member


def test_put_replaces_the_categories_as_a_whole(account: Account) -> None:
    account.http.put("/v1/events/final", json=changed(categories=[LOWER, UPPER]))
    assert account.http.put("/v1/events/final", json=changed(categories=[UPPER])).status_code == 200
    assert items(account.http.get("/v1/events/final"))["categories"] == [UPPER]


def test_dropping_a_category_in_use_is_refused_and_changes_nothing(account: Account) -> None:
    put_event(account)
    before = items(account.http.get("/v1/events/final"))
    response = account.http.put("/v1/events/final", json=changed(name="Changed", categories=[UPPER]))
    assert response.status_code == 409, response.text
    assert items(account.http.get("/v1/events/final")) == before


def test_hold_and_confirm_leave_the_etag_of_the_event(account: Account) -> None:
    put_event(account)
    tag = account.http.put("/v1/events/final", json=EVENT).headers["ETag"]
    reference = held(account, [{"event": "final", "seats": ["101-A-1"]}])["reference"]
    done(account, reference, "confirm")
    held(account, [{"event": "final", "best_available": {"quantity": 3}}])
    assert account.http.put("/v1/events/final", json=EVENT).headers["ETag"] == tag
    answer = account.http.put("/v1/events/final", json=changed(name="Next"), headers={"If-Match": tag})
    assert answer.status_code == 200, "a hold disturbed an operator's If-Match"


def test_stale_if_match_is_a_version_conflict_and_changes_nothing(account: Account) -> None:
    stale = account.http.put("/v1/events/final", json=EVENT).headers["ETag"]
    current = account.http.put("/v1/events/final", json=changed(name="Second")).headers["ETag"]
    response = account.http.put("/v1/events/final", json=changed(name="Third"), headers={"If-Match": stale})
    assert isinstance(refused(response, "version-conflict")["version"], int)
    assert response.headers["ETag"] == current
    assert items(account.http.get("/v1/events/final"))["name"] == "Second"


def test_event_that_is_not_there_is_not_found(account: Account) -> None:
    body = refused(account.http.get("/v1/events/nothing"), "not-found")
    assert (body["kind"], body["name"]) == ("event", "nothing")


BAD_EVENTS: dict[str, tuple[Json, str]] = {
    "a name that is a number": ({"name": 7}, "name"),
    "no name but null": ({"name": None}, "name"),
    "a start that is a word": ({"starts_at": "tomorrow"}, "starts_at"),
    "a start in the thirteenth month": ({"starts_at": "2097-13-01T00:00:00Z"}, "starts_at"),
    "a start that is a number": ({"starts_at": 4020000000}, "starts_at"),
    "a hold of no time": ({"hold_seconds": 0}, "hold_seconds"),
    "a hold of negative time": ({"hold_seconds": -1}, "hold_seconds"),
    "a hold time in a string": ({"hold_seconds": "600"}, "hold_seconds"),
    "a hold time with a fraction": ({"hold_seconds": 1.5}, "hold_seconds"),
    "a hold time that is true": ({"hold_seconds": True}, "hold_seconds"),
    "a longest hold of 10^30": ({"hold_seconds_max": 10**30}, "hold_seconds_max"),
    "sales of another word": ({"sales": "maybe"}, "sales"),
    "sales in other case": ({"sales": "Open"}, "sales"),
    "categories that are an object": ({"categories": LOWER}, "categories"),
    "a category that is a string": ({"categories": ["1"]}, "categories"),
    "a category with an unknown member": ({"categories": [{**LOWER, "colour": "red"}]}, "colour"),
    "a price with a fraction": ({"categories": [{**LOWER, "amount": 125.5}]}, "amount"),
    "a price in a string": ({"categories": [{**LOWER, "amount": "12500"}]}, "amount"),
    "a price of 10^30": ({"categories": [{**LOWER, "amount": 10**30}]}, "amount"),
    "a currency of four letters": ({"categories": [{**LOWER, "currency": "EURO"}]}, "currency"),
    "a currency that is empty": ({"categories": [{**LOWER, "currency": ""}]}, "currency"),
    "a currency of digits": ({"categories": [{**LOWER, "currency": "978"}]}, "currency"),
}


@pytest.mark.parametrize(("change", "path"), BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_bad_event_is_invalid_and_not_created(account: Account, change: Json, path: str) -> None:
    refused_as_invalid(account.http.put("/v1/events/final", json=changed(**change)), path)
    refused(account.http.get("/v1/events/final"), "not-found")


def test_closed_sales_stop_creates(account: Account) -> None:
    put_event(account, sales="closed")
    for line in ({"seats": ["101-A-1"]}, {"best_available": {"quantity": 1}}):
        response = hold(account, [{"event": "final", **line}])
        assert refused(response, "sales-closed")["event"] == "final"
    assert rows(account.http, "/v1/reservations", "reservations") == []


def test_closed_sales_stop_nothing_but_creates(account: Account) -> None:
    put_event(account)
    first, second = (
        held(account, [{"event": "final", "seats": [seat]}])["reference"] for seat in ("101-A-1", "101-A-2")
    )
    assert account.http.put("/v1/events/final", json=changed(sales="closed")).status_code == 200
    assert done(account, first, "extend", {"hold_seconds": 900})["state"] == "held"
    assert done(account, first, "confirm")["state"] == "confirmed"
    assert done(account, first, "cancel")["state"] == "cancelled"
    assert done(account, second, "release")["state"] == "released"


def test_reopened_event_sells_again(account: Account) -> None:
    put_event(account, sales="closed")
    line = {"event": "final", "seats": ["101-A-1"]}
    assert hold(account, [line]).status_code == 409
    assert account.http.put("/v1/events/final", json=EVENT).status_code == 200
    assert hold(account, [line]).status_code == 201
