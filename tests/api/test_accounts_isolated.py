"""R10: no account can see, guess the existence of, or move anything of another."""

from typing import Any

import httpx
import pytest

from tests.accounts import Account
from tests.api.contract import EVENT, STOCK, items, labelled, refused, rows
from tests.api.reading import messages, seat_states, stock_counts, unused_reference
from tests.make import act, hold, new_idempotency_key, problem, put_event, put_stock

Json = dict[str, Any]
A_LINE = {"event": "final", "seats": ["101-A-1"]}


@pytest.fixture
def reference(account: Account) -> str:
    """The account's reservation of a seat of `final` and of one NW-001; the other account has nothing."""
    put_event(account)
    put_stock(account)
    response = hold(
        account,
        [A_LINE, {"sku": "NW-001", "quantity": 1}],
        key="key-of-the-first",
        external_reference="order-9001",
        customer="c-77",
    )
    assert response.status_code == 201, response.text
    return str(response.json()["reference"])


def everything(account: Account, reference: str) -> list[Any]:
    """What the account sees of its own things, without what merely ticks."""
    reservation = items(account.http.get(f"/v1/reservations/{reference}"))
    reservation.pop("hold_remaining_s")
    return [
        reservation,
        items(account.http.get(f"/v1/reservations/{reference}/history")),
        items(account.http.get("/v1/events/final")),
        items(account.http.get("/v1/stock/NW-001")),
        seat_states(account),
        [message["id"] for message in messages(account)],
    ]


def shape_of(response: httpx.Response, name: str) -> tuple[Json, set[str]]:
    """The refusal without the name that was asked for and the request's id: what could give something away."""
    body = problem(response)
    body.pop("instance")
    text = {member: str(value).replace(name, "?") for member, value in body.items()}
    return text, {header.lower() for header in response.headers}


READS = (
    "/v1/events/final",
    "/v1/events/final/seats",
    "/v1/events/final/availability",
    "/v1/stock/NW-001",
    "/v1/reservations/{reference}",
    "/v1/reservations/{reference}/history",
)


@pytest.mark.parametrize("path", READS)
def test_object_of_another_account_reads_as_one_that_is_not_there(
    other_account: Account, reference: str, path: str
) -> None:
    nowhere = unused_reference()
    theirs = other_account.http.get(path.format(reference=reference))
    refused(theirs, "not-found")
    nobodys = other_account.http.get(
        path.format(reference=nowhere).replace("final", "nothing").replace("NW-001", "NW-999")
    )
    refused(nobodys, "not-found")
    name = {"reservations": (reference, nowhere), "events": ("final", "nothing"), "stock": ("NW-001", "NW-999")}
    their_name, nobodys_name = name[path.split("/")[2]]
    assert shape_of(theirs, their_name) == shape_of(nobodys, nobodys_name)


WRITES: tuple[tuple[str, str, Json], ...] = (
    ("PUT", "/v1/events/final/seats", {"seats": [labelled("101-Z-1")]}),
    ("POST", "/v1/events/final/blocks", {"seats": ["101-A-2"], "reason": "camera"}),
    ("POST", "/v1/events/final/unblocks", {"seats": ["101-A-2"]}),
    ("POST", "/v1/stock/NW-001/adjustments", {"reference": "delivery-1", "delta": -1, "reason": "damaged"}),
    ("POST", "/v1/reservations", {"lines": [{"event": "final", "seats": ["101-A-2"]}]}),
    ("POST", "/v1/reservations", {"lines": [{"sku": "NW-001", "quantity": 1}]}),
    ("POST", "/v1/reservations/{reference}/confirm", {}),
    ("POST", "/v1/reservations/{reference}/extend", {"hold_seconds": 3000}),
    ("POST", "/v1/reservations/{reference}/release", {}),
    ("POST", "/v1/reservations/{reference}/release", {"lines": [1]}),
    ("POST", "/v1/reservations/{reference}/cancel", {}),
)


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_object_of_another_account_cannot_be_moved(
    account: Account, other_account: Account, reference: str, method: str, path: str, body: Json
) -> None:
    before = everything(account, reference)
    response = other_account.http.request(
        method,
        path.format(reference=reference),
        json=body,
        headers={"Idempotency-Key": new_idempotency_key()} if method == "POST" else {},
    )
    refused(response, "not-found")
    assert everything(account, reference) == before
    assert rows(other_account.http, "/v1/reservations", "reservations") == []


def test_if_match_on_a_reservation_of_another_account_is_404_not_412(other_account: Account, reference: str) -> None:
    for version in (1, 7):
        refused(act(other_account, reference, "confirm", if_match=f'"{version}"'), "not-found")


COLLECTIONS = (
    ("/v1/events", "events", {}),
    ("/v1/stock", "stock", {}),
    ("/v1/reservations", "reservations", {}),
    ("/v1/reservations", "reservations", {"external_reference": "order-9001"}),
    ("/v1/reservations", "reservations", {"customer": "c-77"}),
    ("/v1/reservations", "reservations", {"state": "held"}),
)


@pytest.mark.parametrize(("path", "plural", "query"), COLLECTIONS)
def test_collections_hold_nothing_of_another_account(
    account: Account, other_account: Account, reference: str, path: str, plural: str, query: dict[str, str]
) -> None:
    assert rows(other_account.http, path, plural, **query) == []
    own = rows(account.http, path, plural, **query)
    assert len(own) == 1, f"the account of {reference} does not find its own"


@pytest.mark.usefixtures("reference")
def test_messages_hold_nothing_of_another_account(account: Account, other_account: Account) -> None:
    assert messages(account)
    assert messages(other_account) == []


def test_same_names_in_two_accounts_are_two_things(account: Account, other_account: Account, reference: str) -> None:
    before = everything(account, reference)
    answer = other_account.http.put("/v1/events/final", json={**EVENT, "name": "Another final"})
    assert answer.status_code == 201, "the name was taken by another account"
    put_event(other_account)
    put_stock(other_account, on_hand=3, description="Another chai")
    taken = hold(other_account, [A_LINE, {"sku": "NW-001", "quantity": 3}], external_reference="order-9001")
    assert taken.status_code == 201, taken.text
    assert everything(account, reference) == before
    assert stock_counts(other_account) == (3, 0, 0)


def test_same_idempotency_key_in_two_accounts_is_two_keys(account: Account, other_account: Account) -> None:
    answers = []
    for caller in (account, other_account):
        put_stock(caller)
        answers.append(hold(caller, [{"sku": "NW-001", "quantity": 1}], key="one-key"))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.headers["Idempotent-Replayed"] for answer in answers] == ["false", "false"]
    assert answers[0].json()["reference"] != answers[1].json()["reference"]


@pytest.mark.usefixtures("reference")
def test_idempotency_key_of_another_account_is_unseen(account: Account, other_account: Account) -> None:
    query = {"key": "key-of-the-first", "method": "POST", "route": "/v1/reservations"}
    assert items(account.http.get("/v1/idempotency-keys", params=query))["state"] == "completed"
    assert items(other_account.http.get("/v1/idempotency-keys", params=query))["state"] == "unseen"


def test_same_adjustment_reference_in_two_accounts_is_two_adjustments(account: Account, other_account: Account) -> None:
    for caller, delta in ((account, 1), (other_account, 2)):
        put_stock(caller)
        response = caller.http.post(
            "/v1/stock/NW-001/adjustments",
            json={"reference": "delivery-1", "delta": delta, "reason": "delivered"},
            headers={"Idempotency-Key": "one-key"},
        )
        assert response.is_success, response.text
    assert items(account.http.get("/v1/stock/NW-001"))["on_hand"] == 11
    assert items(other_account.http.get("/v1/stock/NW-001"))["on_hand"] == 12


@pytest.mark.parametrize(("path", "plural"), [("/v1/events", "events"), ("/v1/stock", "stock")])
def test_cursor_of_another_account_leads_to_nothing_of_it(
    account: Account, other_account: Account, path: str, plural: str
) -> None:
    for name in ("a", "b", "c"):
        put_event(account, event=name, seats=["1-A-1"])
        put_stock(account, sku=name)
    other_account.http.put("/v1/events/z", json=EVENT)
    other_account.http.put("/v1/stock/z", json=STOCK)
    cursor = items(account.http.get(path, params={"limit": 1}))["next_cursor"]
    assert cursor is not None
    response = other_account.http.get(path, params={"cursor": cursor})
    if response.is_error:
        refused(response, "invalid-request")
    else:
        name = {"events": "event", "stock": "sku"}[plural]
        assert {row[name] for row in response.json()[plural]} <= {"z"}


@pytest.mark.usefixtures("reference")
def test_message_position_of_another_account_leads_to_nothing_of_it(account: Account, other_account: Account) -> None:
    put_stock(other_account)
    own = hold(other_account, [{"sku": "NW-001", "quantity": 1}]).json()["reference"]
    position = items(account.http.get("/v1/messages", params={"limit": 1}))["next_after"]
    assert hold(account, [{"sku": "NW-001", "quantity": 1}]).status_code == 201
    response = other_account.http.get("/v1/messages", params={"after": position})
    if response.is_error:
        refused(response, "invalid-request")
    else:
        assert {message["reference"] for message in response.json()["messages"]} <= {own}
