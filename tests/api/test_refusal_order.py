"""The order of refusals: a request that is wrong in two ways is refused for the earlier one.

Each row of a table is a request that two neighbouring steps of the order would refuse.
"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.accounts import Account
from tests.api.contract import refused, refused_as_invalid
from tests.api.reading import done, expired, held, read, references, unused_reference
from tests.make import act, hold, new_idempotency_key, put_event, put_stock

Json = dict[str, Any]

SEAT = {"event": "final", "seats": ["101-A-1"]}
UNIT = {"sku": "NW-001", "quantity": 1}
USED_KEY = "used-1"
BAD_KEY = "a b"
BAD_BODY = b'{"lines": "none"}'
LARGE = b'{"lines": "' + b"x" * 10_000_001 + b'"}'


def prepared(account: Account) -> None:
    """Seat 101-A-1 is taken, event `shut` is closed, `order-1` and the key `used-1` are used."""
    put_event(account, "final", hold_seconds=60, hold_seconds_max=100)
    put_event(account, "shut", sales="closed")
    put_stock(account, sku="NW-001", on_hand=5)
    first = hold(account, [SEAT], key=USED_KEY, external_reference="order-1")
    assert first.status_code == 201, first.text


def post(
    client: httpx.Client, content: bytes, key: str | None, content_type: str = "application/json"
) -> httpx.Response:
    headers = {"Content-Type": content_type} | ({} if key is None else {"Idempotency-Key": key})
    return client.post("/v1/reservations", content=content, headers=headers)


WHO_FIRST: dict[str, tuple[bytes, str | None, str]] = {
    "too large a body": (LARGE, "k-1", "application/json"),
    "another media type": (BAD_BODY, "k-1", "text/plain"),
    "a bad key": (b"{}", BAD_KEY, "application/json"),
    "no key": (b"{}", None, "application/json"),
    "a bad body": (BAD_BODY, "k-1", "application/json"),
}


@pytest.mark.parametrize(("content", "key", "content_type"), WHO_FIRST.values(), ids=WHO_FIRST)
def test_401_comes_before_everything_and_403_next(
    account: Account, content: bytes, key: str | None, content_type: str
) -> None:
    with account.client("hf_nobody_nothing") as stranger:
        refused(post(stranger, content, key, content_type), "unauthenticated")
    with account.client(account.new_key(name="reader", scopes=["reservations:read"])) as reader:
        facts = refused(post(reader, content, key, content_type), "forbidden")
    assert facts["scope"] == "reservations:write"


def test_forbidden_comes_before_a_replay_and_before_404(account: Account) -> None:
    prepared(account)
    reference = references(account)[0]
    with account.client(account.new_key(name="reader", scopes=["reservations:read"])) as reader:
        refused(reader.post("/v1/reservations", json={}, headers={"Idempotency-Key": USED_KEY}), "forbidden")
        refused(reader.post(f"/v1/reservations/{reference}/confirm"), "forbidden")
        refused(reader.post(f"/v1/reservations/{unused_reference()}/confirm"), "forbidden")


@pytest.mark.parametrize("key", [pytest.param(None, id="no key"), pytest.param(BAD_KEY, id="a bad key")])
def test_size_and_media_type_come_before_the_key(account: Account, key: str | None) -> None:
    refused(post(account.http, LARGE, key), "payload-too-large")
    refused(post(account.http, b"{}", key, "text/plain"), "unsupported-media-type")


@pytest.mark.parametrize(
    ("key", "slug"),
    [
        pytest.param(None, "idempotency-key-missing", id="no key"),
        pytest.param(BAD_KEY, "idempotency-key-invalid", id="a bad key"),
    ],
)
def test_key_comes_before_the_body(account: Account, key: str | None, slug: str) -> None:
    refused(post(account.http, BAD_BODY, key), slug)
    refused(post(account.http, b"{", key), slug)


def test_body_comes_before_replay_and_reuse(account: Account) -> None:
    prepared(account)
    refused(post(account.http, BAD_BODY, USED_KEY), "invalid-request")
    refused(post(account.http, b"{", USED_KEY), "invalid-request")


# Steps of a create from the replay on: what to change in a good body, and the refusal that must come of it.
STEPS: dict[str, tuple[Json, str]] = {
    "unknown event": ({"lines": [{"event": "nowhere", "seats": ["101-A-1"]}]}, "not-found"),
    "hold_seconds above the maximum": ({"hold_seconds": 101}, "invalid-request"),
    "external_reference that exists": ({"external_reference": "order-1"}, "external-reference-exists"),
    "closed sales": ({"lines": [{"event": "shut", "seats": ["101-A-1"]}]}, "sales-closed"),
    "taken seat": ({"lines": [SEAT]}, "inventory-unavailable"),
}
PAIRS = [
    pytest.param(earlier, later, id=f"{earlier} before {later}")
    for place, earlier in enumerate(STEPS)
    for later in list(STEPS)[place + 1 :]
]


def wrong_in(*steps: str) -> Json:
    """Body of a create that is good but for the steps named."""
    body: Json = {"lines": [{"event": "final", "seats": ["101-A-2"]}]}
    for step in steps:
        change = dict(STEPS[step][0])
        body["lines"] = body["lines"] + change.pop("lines", [])
        body |= change
    return body


@pytest.mark.parametrize(("earlier", "later"), PAIRS)
def test_create_is_refused_for_the_earlier_step(account: Account, earlier: str, later: str) -> None:
    prepared(account)
    refused(hold(account, **wrong_in(earlier, later)), STEPS[earlier][1])
    assert len(references(account)) == 1


@pytest.mark.parametrize("step", STEPS)
def test_reuse_of_a_key_comes_before_every_later_step(account: Account, step: str) -> None:
    prepared(account)
    refused(hold(account, key=USED_KEY, **wrong_in(step)), "idempotency-key-reused")


def test_create_wrong_in_every_step_is_refused_step_by_step(account: Account) -> None:
    prepared(account)
    left = list(STEPS)
    while left:
        refused(hold(account, **wrong_in(*left)), STEPS[left.pop(0)][1])
    assert hold(account, **wrong_in()).status_code == 201


def test_replay_comes_before_closed_sales_and_taken_seats(account: Account) -> None:
    put_event(account, "final", sales="open")
    key = new_idempotency_key()
    first = hold(account, [SEAT], key=key)
    put_event(account, "final", sales="closed")
    assert hold(account, [SEAT], key=key).content == first.content


def test_unknown_reference_comes_before_if_match(account: Account) -> None:
    refused(act(account, unused_reference(), "confirm", if_match='"7"'), "not-found")


def test_unknown_reference_comes_before_the_reuse_of_a_key(account: Account) -> None:
    prepared(account)
    reference = references(account)[0]
    assert act(account, reference, "confirm", key="used-2").status_code == 200
    refused(act(account, unused_reference(), "confirm", key="used-2"), "not-found")


def test_replay_of_an_action_comes_before_if_match(account: Account) -> None:
    prepared(account)
    reference = references(account)[0]
    key = new_idempotency_key()
    first = act(account, reference, "confirm", key=key, if_match='"1"')
    assert first.status_code == 200, first.text
    again = act(account, reference, "confirm", key=key, if_match='"1"')
    assert (again.status_code, again.content) == (200, first.content)


Step = Callable[[Account, str], object]
ENDS: dict[str, tuple[list[str], str]] = {
    "confirmed": (["confirm"], "confirm"),
    "released": (["release"], "release"),
    "cancelled": (["confirm", "cancel"], "cancel"),
}


@pytest.mark.parametrize(("steps", "again"), ENDS.values(), ids=ENDS)
def test_if_match_comes_before_already_so(account: Account, steps: list[str], again: str) -> None:
    put_event(account)
    reference = held(account, [SEAT])["reference"]
    for step in steps:
        done(account, reference, step)
    version = read(account, reference)["version"]
    refused(act(account, reference, again, if_match=f'"{version - 1}"'), "version-conflict")
    answer = act(account, reference, again, if_match=f'"{version}"')
    assert (answer.status_code, answer.json()["version"]) == (200, version), answer.text


@pytest.mark.parametrize("action", ["confirm", "extend", "release", "cancel"])
def test_if_match_comes_before_what_the_state_forbids(account: Account, action: str) -> None:
    put_event(account)
    reference = held(account, [SEAT], hold_seconds=1)["reference"]
    expired(account, reference)
    refused(act(account, reference, action, if_match='"1"'), "version-conflict")
    late = "hold-expired" if action in ("confirm", "extend") else "state-conflict"
    refused(act(account, reference, action, if_match='"2"'), late)


def test_all_failing_lines_are_named_together(account: Account) -> None:
    prepared(account)
    lines = [SEAT, {"event": "final", "seats": ["101-A-2"]}, {"sku": "NW-001", "quantity": 6}]
    facts = refused(hold(account, lines), "inventory-unavailable")
    assert sorted(line["line"] for line in facts["unavailable"]) == [1, 3]


def test_unknown_query_parameter_of_a_create_or_an_action_is_invalid(account: Account) -> None:
    prepared(account)
    reference = references(account)[0]
    headers = {"Idempotency-Key": new_idempotency_key()}
    answer = account.http.post("/v1/reservations", params={"dry": "1"}, json={"lines": [UNIT]}, headers=headers)
    refused_as_invalid(answer, "dry")
    refused_as_invalid(account.http.post(f"/v1/reservations/{reference}/confirm", params={"dry": "1"}), "dry")
    assert read(account, reference)["state"] == "held"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("DELETE", "/v1/reservations/{}", {"GET"}, id="a reservation is not deleted"),
        pytest.param("PATCH", "/v1/reservations/{}", {"GET"}, id="a reservation is not patched"),
        pytest.param("PUT", "/v1/reservations/{}/confirm", {"POST"}, id="an action is not put"),
        pytest.param("POST", "/v1/reservations/{}/history", {"GET"}, id="history is not posted"),
        pytest.param("POST", "/v1/idempotency-keys", {"GET"}, id="keys are not posted"),
    ],
)
def test_method_that_a_path_lacks_is_405(account: Account, method: str, path: str, allowed: set[str]) -> None:
    put_event(account)
    reference = held(account, [SEAT])["reference"]
    answer = account.http.request(method, path.format(reference))
    refused(answer, "method-not-allowed")
    assert allowed <= {name.strip() for name in answer.headers["Allow"].split(",")}
    assert read(account, reference)["version"] == 1
