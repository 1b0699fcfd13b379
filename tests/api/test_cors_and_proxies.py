"""Browsers of other origins, and proxies in front of the server: who is let in and believed is a setting.

Neither has to do with the store, so most of it runs on one.
"""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
import uvicorn

from service.cli.serve import _options
from service.settings import Settings
from tests.accounts import Account, http_client, new_account
from tests.api.contract import refused
from tests.make import hold, put_event, put_stock
from tests.races.databases import sqlite_database
from tests.running import RunningService, start_service

SHOP = "https://shop.example"
KIOSK = "http://localhost:3000"
STRANGER = "https://shop.example.evil.example"

ALLOWED_HEADERS = {"authorization", "content-type", "idempotency-key", "if-match", "x-request-id"}
SHOWN_HEADERS = {
    "etag",
    "idempotency-expires",
    "idempotent-replayed",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "x-request-id",
}
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}


@pytest.fixture(scope="module")
def open_service() -> Iterator[RunningService]:
    """A server that two origins may call; a key may ask it four times an hour."""
    env = {
        "HOLDFAST_CORS_ORIGINS": f"{SHOP}, {KIOSK}",
        "HOLDFAST_RATE_LIMIT_REQUESTS": "4",
        "HOLDFAST_RATE_LIMIT_WINDOW_SECONDS": "3600",
    }
    with sqlite_database() as url, start_service(url, env=env) as service:
        yield service


@pytest.fixture
def shopper(open_service: RunningService) -> Iterator[Account]:
    """An account that is called from a page of SHOP."""
    with closing(new_account(open_service.url, open_service.database_url)) as account:
        account.http.headers["Origin"] = SHOP
        yield account


def words(response: httpx.Response, header: str) -> set[str]:
    return {word.strip().lower() for word in response.headers.get(header, "").split(",")}


def preflight(service: RunningService, origin: str, path: str = "/v1/reservations") -> httpx.Response:
    with http_client(service.url) as browser:
        return browser.options(path, headers={"Origin": origin, **PREFLIGHT})


def cors_headers(response: httpx.Response) -> set[str]:
    return {name for name in response.headers if name.startswith("access-control-")}


@pytest.mark.parametrize("origin", [SHOP, KIOSK])
@pytest.mark.parametrize("path", ["/v1/reservations", "/v1/events/final", "/nothing/here"])
def test_preflight_of_a_named_origin_is_answered_without_a_key(
    open_service: RunningService, origin: str, path: str
) -> None:
    response = preflight(open_service, origin, path)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert words(response, "Access-Control-Allow-Methods") >= {"get", "post", "put"}
    assert words(response, "Access-Control-Allow-Headers") >= ALLOWED_HEADERS
    assert int(response.headers["Access-Control-Max-Age"]) > 0
    assert "origin" in words(response, "Vary")
    assert response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "origin", [STRANGER, "http://shop.example", "https://SHOP.example", "null", f"{SHOP}, {KIOSK}"]
)
def test_origin_that_is_not_named_is_allowed_nothing(open_service: RunningService, origin: str) -> None:
    assert cors_headers(preflight(open_service, origin)) == set()
    with http_client(open_service.url) as browser:
        response = browser.get("/healthz", headers={"Origin": origin})
    assert "access-control-allow-origin" not in cors_headers(response)
    assert "origin" in words(response, "Vary"), "a cache would give this answer to the shop"


def test_answer_to_a_named_origin_may_be_read_with_its_headers(shopper: Account) -> None:
    response = shopper.http.get("/v1/me")
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == SHOP
    assert words(response, "Access-Control-Expose-Headers") >= SHOWN_HEADERS
    assert "origin" in words(response, "Vary")
    # Keys are sent in a header; cookies have no part in it.
    assert "access-control-allow-credentials" not in cors_headers(response)


def test_every_refusal_may_be_read_too(shopper: Account, open_service: RunningService) -> None:
    ask = shopper.http.request
    stranger = http_client(open_service.url)
    stranger.headers["Origin"] = SHOP
    with stranger:
        answers = {
            "unauthenticated": stranger.get("/v1/me"),
            "method-not-allowed": ask("DELETE", "/v1/me"),
            "not-found": ask("GET", "/v1/nothing"),
            "invalid-request": ask("GET", "/v1/stock?limit=0"),
            "idempotency-key-missing": ask("POST", "/v1/reservations", json={"lines": []}),
            "unsupported-media-type": ask(
                "POST", "/v1/reservations", content=b"x", headers={"Content-Type": "text/plain"}
            ),
            "payload-too-large": ask("POST", "/v1/reservations", content=b"x" * 10_000_001),
            "rate-limited": ask("GET", "/v1/me"),
        }
    for slug, response in answers.items():
        refused(response, slug)
        assert response.headers["Access-Control-Allow-Origin"] == SHOP, slug
        assert words(response, "Access-Control-Expose-Headers") >= SHOWN_HEADERS, slug


def test_request_without_an_origin_is_none_of_a_browsers_business(open_service: RunningService) -> None:
    with http_client(open_service.url) as program:
        response = program.get("/healthz")
        assert response.status_code == 200
        assert cors_headers(response) == set()
        # Asks what may be done there, and is no preflight.
        response = program.options("/v1/reservations")
        assert cors_headers(response) == set()
        assert words(response, "Allow") >= {"get", "post"}


def test_every_origin_may_call_where_the_setting_is_a_star() -> None:
    env = {"HOLDFAST_CORS_ORIGINS": "*"}
    with sqlite_database() as url, start_service(url, env=env) as service:
        response = preflight(service, STRANGER)
        assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (204, "*")
        with http_client(service.url) as browser:
            response = browser.get("/v1/me", headers={"Origin": STRANGER})
        refused(response, "unauthenticated")
        assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_no_origin_may_call_unless_set(account: Account, service: RunningService) -> None:
    response = account.http.get("/v1/me", headers={"Origin": SHOP})
    assert response.status_code == 200
    assert cors_headers(response) == set()
    assert cors_headers(preflight(service, SHOP)) == set()


PROXY, OTHER = "10.1.2.3", "192.0.2.7"
CLIENT = "203.0.113.9"

# Setting, address of whoever connects, what X-Forwarded-For says, and who is then taken for the client.
PROXIES = {
    "nobody but this host is believed unless set": (None, PROXY, CLIENT, PROXY),
    "this host is believed unless set": (None, "127.0.0.1", CLIENT, CLIENT),
    "one that is named is believed": (f"{OTHER},{PROXY}", PROXY, CLIENT, CLIENT),
    "one of a network that is named is believed": ("10.0.0.0/8", PROXY, CLIENT, CLIENT),
    "one that is not named is not": (OTHER, PROXY, CLIENT, PROXY),
    "what the client wrote itself before the proxies did is not": (PROXY, PROXY, f"6.6.6.6, {CLIENT}", CLIENT),
    "nobody is believed where none is named": ("", "127.0.0.1", CLIENT, "127.0.0.1"),
}


@pytest.mark.parametrize(("trusted", "peer", "forwarded", "client"), PROXIES.values(), ids=PROXIES)
async def test_forwarded_client(trusted: str | None, peer: str, forwarded: str, client: str) -> None:
    """What the server that `holdfast serve` sets up makes of the headers."""
    environ = {} if trusted is None else {"HOLDFAST_TRUSTED_PROXIES": trusted}
    seen: dict[str, Any] = {}

    async def app(scope: dict[str, Any], _receive: object, _send: object) -> None:
        seen.update(scope)

    options = _options(Settings.from_environment(environ)) | {"app": app, "factory": False}
    config = uvicorn.Config(**options)
    config.load()
    headers = [(b"x-forwarded-for", forwarded.encode()), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "scheme": "http", "client": (peer, 4711), "headers": headers}
    await config.loaded_app(scope, asyncio.Queue().get, asyncio.Queue().put)
    assert seen["client"][0] == client
    assert seen["scheme"] == ("http" if client == peer else "https")


def test_answer_never_repeats_what_a_proxy_or_a_client_says_of_the_host(account: Account) -> None:
    put_event(account)
    put_stock(account)
    account.http.headers.update(
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "ftp", "Host": "evil.example"}
    )
    response = hold(account, [{"sku": "NW-001", "quantity": 1}])
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"/v1/reservations/{response.json()['reference']}"
    for path in (response.headers["Location"], "/v1/events/final", "/openapi.json", "/docs"):
        assert "evil.example" not in account.http.get(path).text
