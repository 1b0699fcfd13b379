"""Who is calling: keys, scopes, and how soon it shows that they were taken away."""

from collections.abc import Callable

import pytest

from tests.accounts import Account, http_client
from tests.api.contract import (
    ENDPOINTS,
    SCOPES,
    items,
    last_success_after,
    prefix_of,
    refused,
    send,
    stocked,
)
from tests.make import act, hold, new_idempotency_key, put_event, put_stock, wait_until
from tests.running import RunningService

LINE = {"sku": "NW-001", "quantity": 1}
USED_SCOPES = ("inventory:read", "inventory:write", "reservations:read", "reservations:write")


def other_secret(key: str) -> str:
    return "".join("0" if symbol != "0" else "1" for symbol in key.split("_", 2)[2])


REFUSED_HEADERS: dict[str, Callable[[str], str | bytes]] = {
    "an empty header": lambda _: "",
    "the scheme alone": lambda _: "Bearer",
    "another scheme": lambda key: f"Basic {key}",
    "no scheme": lambda key: key,
    "a word that is no key": lambda _: "Bearer nonsense",
    "a key without a secret": lambda key: f"Bearer hf_{prefix_of(key)}_",
    "a key without a prefix": lambda key: f"Bearer hf__{key.split('_', 2)[2]}",
    "a prefix that nobody has": lambda key: f"Bearer hf_zzzzzzzz_{key.split('_', 2)[2]}",
    "the right prefix with another secret": lambda key: f"Bearer hf_{prefix_of(key)}_{other_secret(key)}",
    "the right key cut short": lambda key: f"Bearer {key[:-1]}",
    "the right key and one more symbol": lambda key: f"Bearer {key}0",
    "the secret in the other case": lambda key: f"Bearer hf_{prefix_of(key)}_{key.split('_', 2)[2].swapcase()}",
    "a wildcard": lambda _: "Bearer hf_%_%",
    "SQL": lambda key: f"Bearer hf_{prefix_of(key)}' OR '1'='1_x",
    "bytes that are no UTF-8": lambda _: b"Bearer hf_\xff\xfe_\xff",
    "ten thousand symbols": lambda key: f"Bearer {key}{'a' * 10_000}",
}


def test_key_reads_hf_prefix_secret(account: Account) -> None:
    scheme, prefix, secret = account.key.split("_", 2)
    assert scheme == "hf"
    assert prefix
    assert len(secret) >= 16, "a secret that could be guessed"


def test_request_without_a_key_is_unauthenticated(service: RunningService) -> None:
    with http_client(service.url) as nobody:
        response = nobody.get("/v1/me")
    refused(response, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", REFUSED_HEADERS.values(), ids=REFUSED_HEADERS)
def test_request_with_a_bad_key_is_unauthenticated(
    account: Account, service: RunningService, header: Callable[[str], str | bytes]
) -> None:
    with http_client(service.url) as client:
        response = client.get("/v1/me", headers={"Authorization": header(account.key)})
    refused(response, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_endpoint_needs_a_key(service: RunningService) -> None:
    with http_client(service.url) as nobody:
        for endpoint in ENDPOINTS:
            response = send(nobody, endpoint)
            assert response.status_code == 401, f"{endpoint} answered {response.status_code} without a key"
            refused(response, "unauthenticated")


@pytest.mark.parametrize("scope", USED_SCOPES)
def test_key_without_the_scope_is_forbidden(account: Account, scope: str) -> None:
    reference = stocked(account)
    key = account.new_key(name="partial", scopes=[other for other in SCOPES if other != scope])
    with account.client(key) as client:
        for endpoint in ENDPOINTS:
            if endpoint.scope == scope:
                response = send(client, endpoint, reference)
                assert response.status_code == 403, f"{endpoint} answered {response.status_code} without {scope}"
                assert refused(response, "forbidden")["scope"] == scope


@pytest.mark.parametrize("scope", USED_SCOPES)
def test_key_with_the_scope_alone_is_let_in(account: Account, scope: str) -> None:
    reference = stocked(account)
    with account.client(account.new_key(name="single", scopes=[scope])) as client:
        for endpoint in ENDPOINTS:
            if endpoint.scope == scope:
                response = send(client, endpoint, reference)
                assert response.status_code not in {401, 403}, f"{endpoint} refused {scope}: {response.text}"
                assert response.status_code < 500, f"{endpoint}: {response.text}"


def test_forbidden_request_changes_nothing(account: Account) -> None:
    reference = stocked(account)
    before = items(account.http.get("/v1/events/final"))
    with account.client(account.new_key(name="reader", scopes=["inventory:read", "reservations:read"])) as client:
        for endpoint in ENDPOINTS:
            if endpoint.scope in {"inventory:write", "reservations:write"}:
                refused(send(client, endpoint, reference), "forbidden")
    assert items(account.http.get("/v1/events/final")) == before
    assert items(account.http.get(f"/v1/reservations/{reference}"))["version"] == 1
    assert len(items(account.http.get("/v1/reservations"))["reservations"]) == 1


BAD_REQUESTS = {
    "a body that is not JSON": {"content": b"{", "headers": {"Content-Type": "application/json"}},
    "another content type": {"content": b"lines=1", "headers": {"Content-Type": "text/plain"}},
    "no idempotency key": {"json": {"lines": [LINE]}},
    "a bad idempotency key": {"json": {"lines": [LINE]}, "headers": {"Idempotency-Key": "two words"}},
    "an unknown member": {"json": {"colour": "red"}, "headers": {"Idempotency-Key": "k-1"}},
}


@pytest.mark.parametrize("request_parts", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_who_is_judged_before_what_was_sent(
    account: Account, service: RunningService, request_parts: dict[str, object]
) -> None:
    with http_client(service.url) as nobody:
        refused(nobody.request("POST", "/v1/reservations", **request_parts), "unauthenticated")
    with account.client(account.new_key(name="reader", scopes=["reservations:read"])) as reader:
        refused(reader.request("POST", "/v1/reservations", **request_parts), "forbidden")


def test_me_says_account_key_name_and_scopes(account: Account) -> None:
    key = account.new_key(name="box-office", scopes=["reservations:read", "inventory:read"])
    with account.client(key) as client:
        response = client.get("/v1/me")
    assert sorted(items(response)["scopes"]) == ["inventory:read", "reservations:read"]
    assert account.name in response.text
    assert "box-office" in response.text
    assert key.split("_", 2)[2] not in response.text, "the secret was given back"


def test_first_key_of_an_account_has_every_scope(account: Account) -> None:
    assert sorted(items(account.http.get("/v1/me"))["scopes"]) == sorted(SCOPES)


def test_key_without_any_scope_may_ask_who_it_is(account: Account) -> None:
    with account.client(account.new_key(name="ops-only", scopes=["ops"])) as client:
        assert items(client.get("/v1/me"))["scopes"] == ["ops"]


def test_revoked_key_works_for_at_most_two_more_seconds(account: Account) -> None:
    key = account.new_key(name="lost", scopes=["inventory:read"])
    with account.client(key) as client:
        items(client.get("/v1/events"))
        account.revoke(prefix_of(key))
        assert last_success_after(lambda: client.get("/v1/events").status_code, 401) <= 2.0
        response = client.get("/v1/events")
        refused(response, "unauthenticated")
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert account.http.get("/v1/events").is_success, "another key of the account was revoked, too"


def test_revoked_key_gets_no_replay(account: Account) -> None:
    put_stock(account)
    key = account.new_key(name="lost", scopes=["reservations:read", "reservations:write"])
    headers = {"Idempotency-Key": new_idempotency_key()}
    with account.client(key) as client:
        assert client.post("/v1/reservations", json={"lines": [LINE]}, headers=headers).status_code == 201
        account.revoke(prefix_of(key))
        wait_until(lambda: client.get("/v1/me").status_code == 401)
        refused(client.post("/v1/reservations", json={"lines": [LINE]}, headers=headers), "unauthenticated")


def test_rotated_key_keeps_the_principal(account: Account) -> None:
    """The key's name is the principal: whoever rotates a key keeps what was begun under the old one."""
    put_stock(account)
    scopes = ["reservations:read", "reservations:write"]
    old = account.new_key(name="till", scopes=scopes)
    headers = {"Idempotency-Key": new_idempotency_key()}
    with account.client(old) as client:
        first = client.post("/v1/reservations", json={"lines": [LINE]}, headers=headers)
    assert first.status_code == 201, first.text
    new = account.new_key(name="till", scopes=scopes)
    account.revoke(prefix_of(old))
    with account.client(new) as client:
        again = client.post("/v1/reservations", json={"lines": [LINE]}, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_key_of_another_name_is_another_principal(account: Account) -> None:
    put_stock(account)
    headers = {"Idempotency-Key": new_idempotency_key()}
    answers = []
    for name in ("till", "Till"):
        with account.client(account.new_key(name=name, scopes=["reservations:write"])) as client:
            answers.append(items(client.post("/v1/reservations", json={"lines": [LINE]}, headers=headers)))
    assert answers[0]["reference"] != answers[1]["reference"]
    assert items(account.http.get("/v1/stock/NW-001"))["held"] == 2


def test_principal_that_lost_the_scope_gets_403_and_no_replay(account: Account) -> None:
    put_stock(account)
    old = account.new_key(name="till", scopes=["reservations:read", "reservations:write"])
    headers = {"Idempotency-Key": new_idempotency_key()}
    with account.client(old) as client:
        assert client.post("/v1/reservations", json={"lines": [LINE]}, headers=headers).status_code == 201
    account.revoke(prefix_of(old))
    with account.client(account.new_key(name="till", scopes=["reservations:read"])) as client:
        response = client.post("/v1/reservations", json={"lines": [LINE]}, headers=headers)
    refused(response, "forbidden")
    assert "Idempotent-Replayed" not in response.headers


def test_history_names_the_key(account: Account) -> None:
    put_event(account)
    reference = hold(account, [{"event": "final", "seats": ["101-A-1"]}]).json()["reference"]
    with account.client(account.new_key(name="box-office", scopes=["reservations:write"])) as client:
        items(client.post(f"/v1/reservations/{reference}/confirm", headers={"Idempotency-Key": "confirm-1"}))
    assert act(account, reference, "cancel").is_success
    changes = items(account.http.get(f"/v1/reservations/{reference}/history"))["history"]
    actors = {change["to"]: change["actor"] for change in changes}
    assert actors["confirmed"] == "box-office"
    assert actors["cancelled"] == actors["held"] != "box-office"
