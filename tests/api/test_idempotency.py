"""One key, one effect (R3): the first answer of a keyed request is its answer for ever, to the byte.

The syntax of keys, duplicates at the same moment, the look-up of a key and the natural keys have files of their own.
"""

from typing import Any

import httpx
import pytest

from tests.accounts import Account
from tests.api.contract import RFC3339_MILLISECONDS, refused
from tests.api.reading import (
    becomes_held,
    done,
    expired,
    held,
    history,
    message_types,
    pending,
    read,
    references,
    seat_states,
    stock_counts,
)
from tests.make import act, hold, new_idempotency_key, put_event, put_stock

Json = dict[str, Any]

SEAT = [{"event": "final", "seats": ["101-A-1"]}]
UNIT = [{"sku": "NW-001", "quantity": 1}]


def is_first(answer: httpx.Response) -> bool:
    return answer.headers["Idempotent-Replayed"] == "false"


def assert_replay(again: httpx.Response, first: httpx.Response) -> None:
    """`again` is the stored answer `first`: status, bytes, `Location`, `ETag`, and says that it is a replay."""
    assert again.status_code == first.status_code, again.text
    assert again.content == first.content
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    for header in ("Location", "ETag"):
        assert again.headers.get(header) == first.headers.get(header), header
    assert again.headers["Idempotent-Replayed"] == "true"
    assert RFC3339_MILLISECONDS.fullmatch(again.headers["Idempotency-Expires"]), again.headers["Idempotency-Expires"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/v1/reservations", {"lines": UNIT}, id="create"),
        pytest.param("/v1/stock/NW-001/adjustments", {"reference": "d-1", "delta": 1, "reason": "found"}, id="adjust"),
    ],
)
def test_post_without_its_key_is_refused(account: Account, path: str, body: Json) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    refused(account.http.post(path, json=body), "idempotency-key-missing")
    assert stock_counts(account) == (0, 0, 5)


def test_actions_and_puts_need_no_key(account: Account) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=5)
    reference = held(account, UNIT)["reference"]
    for action in ("extend", "confirm", "cancel"):
        answer = account.http.post(f"/v1/reservations/{reference}/{action}")
        assert answer.status_code == 200, answer.text


def test_first_use_has_its_effect_and_says_so(account: Account) -> None:
    put_event(account)
    answer = hold(account, SEAT)
    assert answer.status_code == 201, answer.text
    assert is_first(answer)
    assert RFC3339_MILLISECONDS.fullmatch(answer.headers["Idempotency-Expires"])
    assert answer.headers["Idempotency-Expires"] > answer.json()["created_at"]


def test_same_request_again_is_the_stored_answer_without_a_new_effect(account: Account) -> None:
    put_event(account)
    key = new_idempotency_key()
    first = hold(account, SEAT, key=key)
    for _ in range(3):
        assert_replay(hold(account, SEAT, key=key), first)
    reference = first.json()["reference"]
    assert references(account) == [reference]
    assert len(history(account, reference)) == 1
    assert message_types(account, reference, 1) == ["reservation.held"]


def test_replay_is_the_first_answer_after_the_reservation_has_moved_on(account: Account) -> None:
    put_event(account)
    key = new_idempotency_key()
    first = hold(account, SEAT, key=key)
    reference = first.json()["reference"]
    done(account, reference, "extend", {"hold_seconds": 900})
    done(account, reference, "confirm")
    assert_replay(hold(account, SEAT, key=key), first)
    done(account, reference, "cancel")
    assert_replay(hold(account, SEAT, key=key), first)
    assert seat_states(account)["101-A-1"] == "available"


def test_replay_of_a_wait_is_pending_after_it_was_served(account: Account) -> None:
    put_event(account)
    holder = held(account, SEAT)["reference"]
    key = new_idempotency_key()
    first = hold(account, SEAT, key=key, wait=True)
    assert first.status_code == 202, first.text
    done(account, holder, "release")
    becomes_held(account, first.json()["reference"])
    assert_replay(hold(account, SEAT, key=key, wait=True), first)


@pytest.mark.parametrize(
    ("before", "action", "body"),
    [
        pytest.param([], "confirm", {"late": "never", "reason": "paid"}, id="confirm"),
        pytest.param([], "extend", {"hold_seconds": 900}, id="extend"),
        pytest.param([], "release", None, id="release"),
        pytest.param([], "release", {"lines": [2]}, id="release of a line"),
        pytest.param(["confirm"], "cancel", {"refund": "none"}, id="cancel"),
    ],
)
def test_keyed_action_again_is_its_first_answer(
    account: Account, before: list[str], action: str, body: Json | None
) -> None:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-A-1", "101-A-2"]}])["reference"]
    for step in before:
        done(account, reference, step)
    key = new_idempotency_key()
    first = act(account, reference, action, body, key=key)
    assert first.status_code == 200, first.text
    assert is_first(first)
    version = first.json()["version"]
    assert_replay(act(account, reference, action, body, key=key), first)
    assert read(account, reference)["version"] == version
    assert len(message_types(account, reference, version)) == version


def test_keyed_no_op_is_stored_like_any_success(account: Account) -> None:
    put_event(account)
    reference = held(account, SEAT)["reference"]
    done(account, reference, "confirm")
    key = new_idempotency_key()
    first = act(account, reference, "confirm", key=key)
    assert (first.status_code, first.json()["version"], is_first(first)) == (200, 2, True)
    done(account, reference, "cancel")
    assert_replay(act(account, reference, "confirm", key=key), first)


def test_keyed_put_again_is_its_first_answer_and_does_not_undo_what_came_later(account: Account) -> None:
    headers = {"Idempotency-Key": new_idempotency_key()}
    five = {"description": "Chai", "on_hand": 5, "amount": 1800, "currency": "USD"}
    first = account.http.put("/v1/stock/NW-001", json=five, headers=headers)
    assert first.status_code == 201, first.text
    account.http.put("/v1/stock/NW-001", json={**five, "on_hand": 9})
    assert_replay(account.http.put("/v1/stock/NW-001", json=five, headers=headers), first)
    assert stock_counts(account) == (0, 0, 9)


def test_keyed_put_of_an_event_again_is_201(account: Account) -> None:
    headers = {"Idempotency-Key": new_idempotency_key()}
    event = {"name": "Final", "starts_at": "2097-06-05T19:00:00Z", "categories": []}
    event["categories"] = [{"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"}]
    first = account.http.put("/v1/events/final", json=event, headers=headers)
    assert first.status_code == 201, first.text
    assert_replay(account.http.put("/v1/events/final", json=event, headers=headers), first)


@pytest.mark.parametrize(
    "sent_again",
    [
        pytest.param('{"customer":"c-77","lines":[{"quantity":1,"sku":"NW-001"}]}', id="members reordered"),
        pytest.param('{ "lines" : [ {"sku" : "NW-001",\n\t"quantity" : 1} ], "customer" : "c-77" }', id="re-spaced"),
        pytest.param('{"lines":[{"sku":"NW-\\u0030\\u00301","quantity":1}],"customer":"c-77"}', id="escaped"),
    ],
)
def test_same_json_written_otherwise_is_the_same_request(account: Account, sent_again: str) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    key = new_idempotency_key()
    first = hold(account, UNIT, key=key, customer="c-77")
    assert first.status_code == 201, first.text
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    assert_replay(account.http.post("/v1/reservations", content=sent_again, headers=headers), first)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"lines": [{"sku": "NW-001", "quantity": 2}]}, id="another quantity"),
        pytest.param({"lines": UNIT, "customer": "c-78"}, id="one member more"),
        pytest.param({"lines": UNIT, "wait": False}, id="a default written out"),
        pytest.param({"lines": [{"sku": "nowhere", "quantity": 1}]}, id="something that does not exist"),
    ],
)
def test_same_key_with_another_body_is_refused_and_the_first_result_stays(account: Account, other: Json) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    key = new_idempotency_key()
    first = hold(account, UNIT, key=key)
    answer = account.http.post("/v1/reservations", json=other, headers={"Idempotency-Key": key})
    assert refused(answer, "idempotency-key-reused")["mismatch"] == ["body"]
    assert "Retry-After" not in answer.headers
    assert_replay(hold(account, UNIT, key=key), first)
    assert stock_counts(account) == (1, 0, 4)


def test_refusal_of_a_reused_key_says_until_when_the_key_is_kept(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    key = new_idempotency_key()
    first = hold(account, UNIT, key=key)
    answer = hold(account, [{"sku": "NW-001", "quantity": 2}], key=key)
    refused(answer, "idempotency-key-reused")
    assert "Idempotency-Expires" in answer.headers, "every answer to a keyed request carries it where a record exists"
    assert answer.headers["Idempotency-Expires"] == first.headers["Idempotency-Expires"]


def test_lines_in_another_order_are_another_body(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    put_stock(account, sku="NW-002", on_hand=5)
    lines = [{"sku": "NW-001", "quantity": 1}, {"sku": "NW-002", "quantity": 1}]
    key = new_idempotency_key()
    hold(account, lines, key=key)
    assert refused(hold(account, lines[::-1], key=key), "idempotency-key-reused")["mismatch"] == ["body"]


def test_same_key_with_another_path_parameter_is_refused(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    first, second = (held(account, UNIT)["reference"] for _ in range(2))
    key = new_idempotency_key()
    assert act(account, first, "confirm", key=key).status_code == 200
    facts = refused(act(account, second, "confirm", key=key), "idempotency-key-reused")
    assert len(facts["mismatch"]) == 1
    assert "body" not in facts["mismatch"]
    assert read(account, second)["state"] == "held"


def test_same_key_with_another_query_is_refused(account: Account) -> None:
    headers = {"Idempotency-Key": new_idempotency_key()}
    body = {"description": "Chai", "on_hand": 5, "amount": 1800, "currency": "USD"}
    url = "/v1/stock/NW-001"
    first = account.http.put(url, params={"location": "cellar"}, json=body, headers=headers)
    assert first.status_code == 201, first.text
    answer = account.http.put(url, params={"location": "attic"}, json=body, headers=headers)
    facts = refused(answer, "idempotency-key-reused")
    assert len(facts["mismatch"]) == 1
    assert "body" not in facts["mismatch"]


def test_key_of_a_refused_request_is_reused_by_another_body_too(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=0)
    key = new_idempotency_key()
    first = hold(account, UNIT, key=key)
    refused(first, "inventory-unavailable")
    refused(hold(account, [{"sku": "NW-001", "quantity": 2}], key=key), "idempotency-key-reused")
    assert_replay(hold(account, UNIT, key=key), first)


def test_same_key_on_another_route_is_independent(account: Account) -> None:
    put_event(account)
    key = new_idempotency_key()
    created = hold(account, SEAT, key=key)
    reference = created.json()["reference"]
    extended = act(account, reference, "extend", key=key)
    confirmed = act(account, reference, "confirm", key=key)
    cancelled = act(account, reference, "cancel", key=key)
    for answer in (created, extended, confirmed, cancelled):
        assert answer.is_success, answer.text
        assert is_first(answer)
    assert read(account, reference)["version"] == 4
    assert_replay(act(account, reference, "confirm", key=key), confirmed)


def test_same_key_of_another_principal_or_account_is_independent(account: Account, other_account: Account) -> None:
    for owner in (account, other_account):
        put_stock(owner, sku="NW-001", on_hand=5)
    key = new_idempotency_key()
    second_key = account.new_key(name="second", scopes=["reservations:read", "reservations:write"])
    answers = [hold(account, UNIT, key=key), hold(other_account, UNIT, key=key)]
    with account.client(second_key) as second:
        answers.append(second.post("/v1/reservations", json={"lines": UNIT}, headers={"Idempotency-Key": key}))
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert all(is_first(answer) for answer in answers)
    assert stock_counts(account) == (2, 0, 3)
    assert stock_counts(other_account) == (1, 0, 4)


def test_invalid_request_is_not_stored(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    key = new_idempotency_key()
    answer = hold(account, [{"sku": "NW-001", "quantity": 0}], key=key)
    refused(answer, "invalid-request")
    assert "Idempotency-Expires" not in answer.headers
    good = hold(account, UNIT, key=key)
    assert (good.status_code, is_first(good)) == (201, True), good.text


def test_create_that_named_what_did_not_exist_is_not_stored(account: Account) -> None:
    key = new_idempotency_key()
    answer = hold(account, UNIT, key=key)
    refused(answer, "not-found")
    assert "Idempotency-Expires" not in answer.headers
    put_stock(account, sku="NW-001", on_hand=5)
    good = hold(account, UNIT, key=key)
    assert (good.status_code, is_first(good)) == (201, True), good.text


def test_create_above_the_longest_hold_is_not_stored(account: Account) -> None:
    put_event(account, hold_seconds=60, hold_seconds_max=100)
    key = new_idempotency_key()
    refused(hold(account, SEAT, key=key, hold_seconds=101), "invalid-request")
    put_event(account, hold_seconds=60, hold_seconds_max=200)
    good = hold(account, SEAT, key=key, hold_seconds=101)
    assert (good.status_code, is_first(good)) == (201, True), good.text


def test_wrong_media_type_and_too_large_a_body_are_not_stored(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    headers = {"Idempotency-Key": new_idempotency_key()}
    plain = {**headers, "Content-Type": "text/plain"}
    refused(account.http.post("/v1/reservations", content=b"{}", headers=plain), "unsupported-media-type")
    large = {"lines": UNIT, "metadata": {"text": "x" * 10_000_001}}
    refused(account.http.post("/v1/reservations", json=large, headers=headers), "payload-too-large")
    good = account.http.post("/v1/reservations", json={"lines": UNIT}, headers=headers)
    assert (good.status_code, is_first(good)) == (201, True), good.text


def test_unavailable_inventory_is_refused_for_ever_under_its_key(account: Account) -> None:
    put_event(account)
    holder = held(account, SEAT)["reference"]
    key = new_idempotency_key()
    first = hold(account, SEAT, key=key)
    refused(first, "inventory-unavailable")
    assert is_first(first)
    assert "Idempotency-Expires" in first.headers
    done(account, holder, "release")
    assert_replay(hold(account, SEAT, key=key), first)
    assert hold(account, SEAT).status_code == 201, "a new attempt needs a new key, and has it"


def test_closed_sales_are_refused_for_ever_under_their_key(account: Account) -> None:
    put_event(account, sales="closed")
    key = new_idempotency_key()
    first = hold(account, SEAT, key=key)
    refused(first, "sales-closed")
    put_event(account, sales="open")
    assert_replay(hold(account, SEAT, key=key), first)
    assert hold(account, SEAT).status_code == 201


def test_state_conflict_is_refused_for_ever_under_its_key(account: Account) -> None:
    put_event(account)
    reference = held(account, SEAT)["reference"]
    key = new_idempotency_key()
    first = act(account, reference, "cancel", key=key)
    refused(first, "state-conflict")
    done(account, reference, "confirm")
    assert_replay(act(account, reference, "cancel", key=key), first)
    assert read(account, reference)["state"] == "confirmed"


def test_version_conflict_is_refused_for_ever_under_its_key(account: Account) -> None:
    put_event(account)
    reference = held(account, SEAT)["reference"]
    key = new_idempotency_key()
    first = act(account, reference, "confirm", key=key, if_match='"2"')
    refused(first, "version-conflict")
    done(account, reference, "extend", {"hold_seconds": 900})
    assert_replay(act(account, reference, "confirm", key=key, if_match='"2"'), first)
    assert read(account, reference)["state"] == "held"


def test_expired_hold_is_refused_for_ever_under_its_key(account: Account) -> None:
    put_event(account)
    reference = held(account, SEAT, hold_seconds=1)["reference"]
    expired(account, reference)
    key = new_idempotency_key()
    first = act(account, reference, "confirm", key=key)
    refused(first, "hold-expired")
    done(account, reference, "confirm", {"late": "if_available"})
    assert_replay(act(account, reference, "confirm", key=key), first)


def test_replayed_confirm_of_a_cancelled_one_does_not_claim_again(account: Account) -> None:
    put_event(account)
    holder = held(account, SEAT)["reference"]
    waiting = pending(account, SEAT)["reference"]
    key = new_idempotency_key()
    first = act(account, holder, "confirm", key=key)
    done(account, holder, "cancel")
    becomes_held(account, waiting)
    assert_replay(act(account, holder, "confirm", key=key), first)
    assert read(account, waiting)["state"] == "held"
