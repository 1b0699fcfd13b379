"""`GET /v1/idempotency-keys`: what became of a request whose reply was lost."""

from typing import Any

import pytest

from tests.accounts import Account
from tests.api.contract import RFC3339_MILLISECONDS, refused
from tests.make import hold, new_idempotency_key, put_stock

UNIT = [{"sku": "NW-001", "quantity": 1}]


def look_up(account: Account, key: str, **changes: str) -> dict[str, Any]:
    query = {"key": key, "method": "POST", "route": "/v1/reservations", **changes}
    answer = account.http.get("/v1/idempotency-keys", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_key_that_was_never_sent_is_unseen(account: Account) -> None:
    found = look_up(account, new_idempotency_key())
    assert found["state"] == "unseen"
    assert (found.get("status"), found.get("location"), found.get("first_seen_at")) == (None, None, None)


def test_key_of_a_success_is_completed_with_its_status_and_location(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    key = new_idempotency_key()
    first = hold(account, UNIT, key=key)
    found = look_up(account, key)
    assert (found["state"], found["status"], found["location"]) == ("completed", 201, first.headers["Location"])
    assert RFC3339_MILLISECONDS.fullmatch(found["first_seen_at"])
    assert found["expires_at"] == first.headers["Idempotency-Expires"]
    assert found["first_seen_at"] < found["expires_at"]


def test_key_of_a_refusal_is_completed_with_its_status(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=0)
    key = new_idempotency_key()
    assert hold(account, UNIT, key=key).status_code == 409
    found = look_up(account, key)
    assert (found["state"], found["status"], found["location"]) == ("completed", 409, None)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        pytest.param([{"sku": "NW-001", "quantity": 0}], 400, id="invalid request"),
        pytest.param([{"sku": "NW-999", "quantity": 1}], 404, id="unknown stock"),
    ],
)
def test_key_of_what_is_not_stored_is_unseen(account: Account, lines: list[dict[str, Any]], status: int) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    key = new_idempotency_key()
    assert hold(account, lines, key=key).status_code == status
    assert look_up(account, key)["state"] == "unseen"


def test_key_is_another_one_on_another_route_and_in_another_case(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    assert hold(account, UNIT, key="Order-1").status_code == 201
    assert look_up(account, "Order-1")["state"] == "completed"
    assert look_up(account, "order-1")["state"] == "unseen"
    assert look_up(account, "Order-1", route="/v1/stock/{sku}/adjustments")["state"] == "unseen"


def test_key_of_another_principal_is_unseen(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    key = new_idempotency_key()
    assert hold(account, UNIT, key=key).status_code == 201
    query = {"key": key, "method": "POST", "route": "/v1/reservations"}
    with account.client(account.new_key(name="second", scopes=["reservations:read", "reservations:write"])) as second:
        answer = second.get("/v1/idempotency-keys", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "unseen"


def test_looking_a_key_up_does_not_use_it(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    key = new_idempotency_key()
    assert look_up(account, key)["state"] == "unseen"
    first = hold(account, UNIT, key=key)
    assert (first.status_code, first.headers["Idempotent-Replayed"]) == (201, "false"), first.text


def test_unknown_query_parameter_is_invalid(account: Account) -> None:
    query = {"key": "k", "method": "POST", "route": "/v1/reservations", "principal": "main"}
    refused(account.http.get("/v1/idempotency-keys", params=query), "invalid-request")
