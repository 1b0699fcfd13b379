"""Problems: each refusal by its slug, with status, advice and facts of its row, and a page that explains it."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from tests.accounts import Account, http_client
from tests.api.contract import (
    ENDPOINTS,
    EVENT,
    PROBLEMS,
    RFC3339_MILLISECONDS,
    refused,
    refused_as_invalid,
    send,
    stocked,
)
from tests.api.reading import done, expired, held
from tests.make import act, hold, new_idempotency_key, problem, put_event, put_stock
from tests.running import RunningService

Json = dict[str, Any]
SEAT = [{"event": "final", "seats": ["101-A-1"]}]
ONE = [{"sku": "NW-001", "quantity": 1}]


def invalid_request(account: Account) -> httpx.Response:
    return hold(account, ONE, colour="red")


def idempotency_key_missing(account: Account) -> httpx.Response:
    return account.http.post("/v1/reservations", json={"lines": ONE})


def idempotency_key_invalid(account: Account) -> httpx.Response:
    return hold(account, ONE, key="two words")


def unauthenticated(account: Account) -> httpx.Response:
    return account.http.get("/v1/me", headers={"Authorization": "Bearer hf_nobody_nothing"})


def forbidden(account: Account) -> httpx.Response:
    with account.client(account.new_key(name="reader", scopes=["reservations:read"])) as reader:
        return reader.get("/v1/events")


def not_found(account: Account) -> httpx.Response:
    return account.http.get("/v1/events/nothing")


def method_not_allowed(account: Account) -> httpx.Response:
    return account.http.delete("/v1/me")


def inventory_unavailable(account: Account) -> httpx.Response:
    put_event(account)
    held(account, SEAT)
    return hold(account, SEAT)


def external_reference_exists(account: Account) -> httpx.Response:
    put_stock(account)
    held(account, ONE, external_reference="order-1")
    return hold(account, ONE, external_reference="order-1")


def state_conflict(account: Account) -> httpx.Response:
    put_event(account)
    reference = held(account, SEAT)["reference"]
    done(account, reference, "release")
    return act(account, reference, "confirm")


def sales_closed(account: Account) -> httpx.Response:
    put_event(account, sales="closed")
    return hold(account, SEAT)


def idempotency_key_reused(account: Account) -> httpx.Response:
    put_stock(account)
    assert hold(account, ONE, key="k-1").status_code == 201
    return hold(account, [{"sku": "NW-001", "quantity": 2}], key="k-1")


def hold_expired(account: Account) -> httpx.Response:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-C-1"]}], hold_seconds=1)["reference"]
    expired(account, reference)
    return act(account, reference, "confirm")


def version_conflict(account: Account) -> httpx.Response:
    put_event(account)
    return act(account, held(account, SEAT)["reference"], "confirm", if_match='"7"')


def payload_too_large(account: Account) -> httpx.Response:
    return account.http.put("/v1/events/final", content=b" " * 11_000_000, headers={"Content-Type": "application/json"})


def unsupported_media_type(account: Account) -> httpx.Response:
    return account.http.put("/v1/events/final", content=b"name=Final", headers={"Content-Type": "text/plain"})


PROVOKED: dict[str, Callable[[Account], httpx.Response]] = {
    provoke.__name__.replace("_", "-"): provoke
    for provoke in (
        invalid_request,
        idempotency_key_missing,
        idempotency_key_invalid,
        unauthenticated,
        forbidden,
        not_found,
        method_not_allowed,
        inventory_unavailable,
        external_reference_exists,
        state_conflict,
        sales_closed,
        idempotency_key_reused,
        hold_expired,
        version_conflict,
        payload_too_large,
        unsupported_media_type,
    )
}
FACTS: dict[str, Json] = {
    "invalid-request": {"errors": list},
    "forbidden": {"scope": "inventory:read"},
    "not-found": {"kind": "event", "name": "nothing"},
    "inventory-unavailable": {"unavailable": [{"line": 1, "event": "final", "seats": ["101-A-1"]}]},
    "external-reference-exists": {"reference": str},
    "state-conflict": {"state": "released", "action": "confirm", "version": 2},
    "sales-closed": {"event": "final"},
    "idempotency-key-reused": {"mismatch": ["body"]},
    "hold-expired": {"expired_at": str},
    "version-conflict": {"version": 1},
    "payload-too-large": {"limit_bytes": 10_000_000},
}
INSIDE = re.compile(r"traceback|sqlalchemy|asyncmy|sqlite|mysql|mariadb|\.py\b|\bselect .* from\b", re.IGNORECASE)


@pytest.mark.parametrize("slug", PROVOKED)
def test_problem_has_the_members_advice_and_facts_of_its_row(account: Account, slug: str) -> None:
    response = PROVOKED[slug](account)
    body = refused(response, slug)
    assert response.headers["Content-Type"].split(";")[0] == "application/problem+json"
    assert body["title"]
    assert body["detail"]
    assert response.headers["X-Request-Id"] in body["instance"]
    for fact, value in FACTS.get(slug, {}).items():
        if isinstance(value, type):
            assert isinstance(body[fact], value), body
        else:
            assert body[fact] == value, body
    assert not INSIDE.search(response.text), f"the problem tells of the inside: {response.text}"


def test_problem_that_names_another_reservation_or_version_has_its_header(account: Account) -> None:
    response = external_reference_exists(account)
    assert response.headers["Location"] == f"/v1/reservations/{response.json()['reference']}"
    assert account.http.get(response.headers["Location"]).json()["external_reference"] == "order-1"
    response = version_conflict(account)
    assert response.headers["ETag"] == f'"{response.json()["version"]}"'
    assert RFC3339_MILLISECONDS.fullmatch(hold_expired(account).json()["expired_at"])


def test_reused_key_is_told_apart_from_one_in_progress(account: Account) -> None:
    response = idempotency_key_reused(account)
    assert response.json()["retryable"] is False
    assert "Retry-After" not in response.headers


def test_unavailable_names_every_failing_line_by_its_kind(account: Account) -> None:
    put_event(account)
    put_stock(account)
    held(account, [{"event": "final", "seats": ["101-A-2"]}])
    lines = [
        {"event": "final", "seats": ["101-A-1", "101-A-2"]},
        {"sku": "NW-001", "quantity": 11},
        {"event": "final", "best_available": {"quantity": 11, "together": True}},
    ]
    unavailable = refused(hold(account, lines), "inventory-unavailable")["unavailable"]
    seats, stock, best = sorted(unavailable, key=lambda line: line["line"])
    assert seats == {"line": 1, "event": "final", "seats": ["101-A-2"]}
    assert stock == {"line": 2, "sku": "NW-001", "location": "default", "requested": 11, "available": 10}
    assert (best["line"], best["event"], best["requested"]) == (3, "final", 11)
    assert isinstance(best["available"], int)


PATHS_OF_NOTHING = (
    "/v1",
    "/v1/",
    "/v1/event",
    "/v2/events",
    "/v1/events/final/seats/101-A-1",
    "/V1/events",
    "/etc/passwd",
)


@pytest.mark.parametrize("path", PATHS_OF_NOTHING)
def test_path_of_nothing_is_not_found(account: Account, path: str) -> None:
    for method in ("GET", "POST"):
        refused(account.http.request(method, path), "not-found")


METHODS_OF_NOTHING = (
    ("DELETE", "/v1/events", {"GET"}),
    ("POST", "/v1/events/final", {"GET", "PUT"}),
    ("PATCH", "/v1/events/final/seats", {"GET", "PUT"}),
    ("POST", "/v1/events/final/availability", {"GET"}),
    ("GET", "/v1/events/final/blocks", {"POST"}),
    ("POST", "/v1/stock", {"GET"}),
    ("PUT", "/v1/stock/NW-001/adjustments", {"POST"}),
    ("DELETE", "/v1/reservations", {"GET", "POST"}),
    ("PUT", "/v1/reservations/K7QX2-9PMDA", {"GET"}),
    ("GET", "/v1/reservations/K7QX2-9PMDA/confirm", {"POST"}),
    ("POST", "/v1/messages", {"GET"}),
    ("POST", "/healthz", {"GET"}),
    ("POST", "/openapi.json", {"GET"}),
)


@pytest.mark.parametrize(("method", "path", "allowed"), METHODS_OF_NOTHING)
def test_method_that_a_path_lacks_is_not_allowed(account: Account, method: str, path: str, allowed: set[str]) -> None:
    response = account.http.request(method, path)
    refused(response, "method-not-allowed")
    named = {name.strip() for name in response.headers["Allow"].split(",")}
    assert allowed <= named, named
    assert named <= allowed | {"HEAD", "OPTIONS"}, named


def test_unknown_query_parameter_is_invalid_on_every_endpoint(account: Account) -> None:
    reference = stocked(account)
    for endpoint in ENDPOINTS:
        response = send(account.http, endpoint, reference, query={"colour": "red"})
        assert response.status_code == 400, f"{endpoint} took ?colour=red and answered {response.status_code}"
        refused_as_invalid(response, "colour")


def test_parameter_of_another_endpoint_is_unknown(account: Account) -> None:
    put_event(account)
    for path in ("/v1/events/final?limit=10", "/v1/events?state=held", "/v1/stock?after=1", "/v1/me?cursor=x"):
        refused_as_invalid(account.http.get(path))


REQUEST_IDS = {
    "a word": "order-9001",
    "a UUID": "0191f7a4-6c3e-7c1a-9d2b-3f4a5b6c7d8e",
    "one letter": "a",
}
INSANE_REQUEST_IDS: dict[str, bytes] = {
    "ten thousand letters": b"a" * 10_000,
    "bytes that are no ASCII": "naïve-決".encode(),
    "markup": b"<script>alert(1)</script>",
    "quotes and braces": b'{"id": "1"}',
    "words apart": b"one two\tthree",
}


def answers_of_all_kinds(account: Account, **headers: str) -> list[httpx.Response]:
    """A success, refusals of the service and of its framework, and pages beside the API."""
    return [
        account.http.get("/v1/me", headers=headers),
        account.http.put("/v1/events/final", json=EVENT, headers=headers),
        account.http.get("/v1/events/nothing", headers=headers),
        account.http.get("/v1/nothing", headers=headers),
        account.http.delete("/v1/me", headers=headers),
        account.http.get("/v1/me", headers={**headers, "Authorization": "Bearer x"}),
        account.http.put("/v1/events/final", content=b"{", headers={**headers, "Content-Type": "application/json"}),
        account.http.put("/v1/events/final", content=b"x", headers={**headers, "Content-Type": "text/plain"}),
        account.http.get("/healthz", headers=headers),
        account.http.get("/problems/not-found", headers=headers),
        account.http.get("/openapi.json", headers=headers),
    ]


@pytest.mark.parametrize("request_id", REQUEST_IDS.values(), ids=REQUEST_IDS)
def test_every_response_carries_the_callers_request_id(account: Account, request_id: str) -> None:
    for response in answers_of_all_kinds(account, **{"X-Request-Id": request_id}):
        where = f"{response.request.method} {response.request.url.path} {response.status_code}"
        assert response.headers.get("X-Request-Id") == request_id, where
        if response.is_error:
            assert request_id in problem(response)["instance"], where


@pytest.mark.parametrize("insane", INSANE_REQUEST_IDS.values(), ids=INSANE_REQUEST_IDS)
def test_insane_request_id_is_replaced(account: Account, insane: bytes) -> None:
    response = account.http.get("/v1/events/nothing", headers={"X-Request-Id": insane})
    chosen = response.headers["X-Request-Id"]
    assert re.fullmatch(r"[\x21-\x7e]{1,200}", chosen), chosen
    assert chosen.encode() != insane
    body = refused(response, "not-found")
    assert chosen in body["instance"]
    assert insane.decode() not in response.text


def test_request_without_an_id_is_given_one_of_its_own(account: Account) -> None:
    answers = answers_of_all_kinds(account)
    assert len({response.headers["X-Request-Id"] for response in answers}) == len(answers)


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words = ""

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("slug", PROBLEMS)
def test_problem_type_has_a_page_that_explains_it(service: RunningService, slug: str) -> None:
    with http_client(service.url) as nobody:
        response = nobody.get(f"/problems/{slug}")
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("text/")
    page = Text()
    page.feed(response.text)
    assert slug in response.text
    assert len(page.words.split()) >= 20, "that explains nothing"


def test_page_of_no_problem_is_not_found(service: RunningService) -> None:
    for name in ("nothing", "..%2f..%2fetc%2fpasswd", "%00", "Not-Found"):
        with http_client(service.url) as nobody:
            refused(nobody.get(f"/problems/{name}"), "not-found")


def test_two_problems_of_one_kind_share_their_title(account: Account) -> None:
    first = refused(account.http.get("/v1/events/nothing"), "not-found")
    second = refused(account.http.get("/v1/stock/nothing"), "not-found")
    assert first["title"] == second["title"]
    assert first["instance"] != second["instance"]


def test_keyed_request_that_was_refused_as_invalid_runs_when_it_is_right(account: Account) -> None:
    put_stock(account)
    key = new_idempotency_key()
    refused(hold(account, ONE, key=key, colour="red"), "invalid-request")
    assert hold(account, ONE, key=key).status_code == 201
