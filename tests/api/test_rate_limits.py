"""Rate limits of API keys: who asks too often is told when to come again, and nothing of the request is kept."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.accounts import Account, http_client
from tests.api.contract import refused
from tests.api.reading import references, stock_counts
from tests.make import hold, new_idempotency_key, put_stock, wait_until
from tests.running import RunningService, start_service

UNIT = [{"sku": "NW-001", "quantity": 1}]
QUOTA = 3
HOUR = 3600
SECONDS_EACH = 2

RATE_LIMIT = re.compile(r'"key";r=(\d+);t=(\d+)')


@pytest.fixture(scope="module")
def strict(store_url: str) -> Iterator[RunningService]:
    """A server with so few requests an hour that none comes back during a test."""
    env = {"HOLDFAST_RATE_LIMIT_REQUESTS": str(QUOTA), "HOLDFAST_RATE_LIMIT_WINDOW_SECONDS": str(HOUR)}
    with start_service(store_url, env=env) as service:
        yield service


@pytest.fixture(scope="module")
def slow(store_url: str) -> Iterator[RunningService]:
    """A server with one request every few seconds."""
    env = {"HOLDFAST_RATE_LIMIT_REQUESTS": "1", "HOLDFAST_RATE_LIMIT_WINDOW_SECONDS": str(SECONDS_EACH)}
    with start_service(store_url, env=env) as service:
        yield service


@pytest.fixture
def limited(account: Account, strict: RunningService) -> Account:
    """The account at the strict server; at the shared one it is not limited."""
    return account.at(strict.url)


def use_up(limited: Account) -> None:
    for _ in range(QUOTA):
        assert limited.http.get("/v1/me").status_code == 200
    refused(limited.http.get("/v1/me"), "rate-limited")


def remaining(response: httpx.Response) -> tuple[int, int]:
    """Requests that are left and seconds until all are back, of the header RateLimit."""
    found = RATE_LIMIT.fullmatch(response.headers["RateLimit"])
    assert found, response.headers["RateLimit"]
    return int(found[1]), int(found[2])


def test_every_answer_tells_quota_window_and_what_is_left(limited: Account) -> None:
    answers = [limited.http.get("/v1/me"), limited.http.get("/v1/stock/NW-001"), limited.http.get("/v1/stock?limit=0")]
    assert [answer.status_code for answer in answers] == [200, 404, 400]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {f'"key";q={QUOTA};w={HOUR}'}
    left, seconds = zip(*map(remaining, answers), strict=True)
    assert left == (2, 1, 0)
    # The whole quota is back after as many shares of the hour as were used.
    for number, second in enumerate(seconds, 1):
        assert number * HOUR / QUOTA - 60 < second <= number * HOUR / QUOTA


def test_request_past_the_quota_is_told_when_to_come_again(limited: Account) -> None:
    use_up(limited)
    response = limited.http.get("/v1/me")
    facts = refused(response, "rate-limited")
    assert HOUR / QUOTA - 60 < facts["retry_after_s"] <= HOUR / QUOTA
    assert response.headers["Retry-After"] == str(facts["retry_after_s"])
    assert response.headers["RateLimit-Policy"] == f'"key";q={QUOTA};w={HOUR}'
    assert remaining(response)[0] == 0


def test_every_key_has_a_quota_of_its_own(limited: Account, other_account: Account, strict: RunningService) -> None:
    use_up(limited)
    with limited.client(limited.new_key(name="second")) as second:
        assert remaining(second.get("/v1/me"))[0] == QUOTA - 1
    assert remaining(other_account.at(strict.url).http.get("/v1/me"))[0] == QUOTA - 1


def test_two_keys_of_one_name_have_each_their_own(limited: Account) -> None:
    """A rotated key must not be used up by the one that it replaces."""
    use_up(limited)
    with limited.client(limited.new_key(name="default")) as rotated:
        assert rotated.get("/v1/me").status_code == 200


def test_who_is_nobody_or_lacks_the_scope_uses_nothing_and_is_told_that_first(limited: Account) -> None:
    with limited.client(limited.new_key(name="reader", scopes=["reservations:read"])) as reader:
        for _ in range(QUOTA + 1):
            refused(reader.put("/v1/stock/NW-001", json={}), "forbidden")
        for _ in range(QUOTA):
            assert reader.get("/v1/reservations").status_code == 200
        refused(reader.get("/v1/reservations"), "rate-limited")
        refused(reader.put("/v1/stock/NW-001", json={}), "forbidden")
    with http_client(limited.url) as nobody:
        for _ in range(QUOTA + 1):
            response = nobody.get("/v1/me")
            refused(response, "unauthenticated")
            assert "RateLimit" not in response.headers
    use_up(limited)
    with limited.client(f"{limited.key}x") as impostor:
        refused(impostor.get("/v1/me"), "unauthenticated")


def post(
    client: httpx.Client, content: bytes, key: str | None, content_type: str = "application/json"
) -> httpx.Response:
    headers = {"Content-Type": content_type} | ({} if key is None else {"Idempotency-Key": key})
    return client.post("/v1/reservations", content=content, headers=headers)


LATER: dict[str, Callable[[httpx.Client], httpx.Response]] = {
    "too large a body": lambda client: post(client, b'{"lines": "' + b"x" * 10_000_001 + b'"}', "k-1"),
    "another media type": lambda client: post(client, b"lines", "k-1", "text/plain"),
    "no key": lambda client: post(client, b"{}", None),
    "a bad key": lambda client: post(client, b"{}", "a b"),
    "a bad body": lambda client: post(client, b'{"lines": "none"}', "k-1"),
    "no JSON": lambda client: post(client, b"{", "k-1"),
    "an unknown query parameter": lambda client: client.get("/v1/me?fields=all"),
    "a bad path": lambda client: client.get("/v1/reservations/K7QX2-9PMDB"),
    "an unknown name": lambda client: client.get("/v1/events/none"),
}


def test_429_comes_before_everything_that_is_wrong_with_the_request(limited: Account) -> None:
    use_up(limited)
    for what, ask in LATER.items():
        response = ask(limited.http)
        assert response.status_code == 429, f"{what}: {response.text}"
        refused(response, "rate-limited")


def test_pages_without_a_key_are_not_limited(strict: RunningService) -> None:
    with http_client(strict.url) as nobody:
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/problems/rate-limited"):
            for _ in range(QUOTA + 1):
                response = nobody.get(path)
                assert response.status_code == 200, path
                assert "RateLimit-Policy" not in response.headers


def test_limited_request_is_not_stored_and_executes_when_it_comes_again(account: Account, slow: RunningService) -> None:
    put_stock(account, on_hand=100)
    limited = account.at(slow.url)
    key, made = refused_key(limited)
    assert stock_counts(account) == (made, 0, 100 - made)
    response = wait_until(lambda: passed(lambda: hold(limited, UNIT, key=key)), 30, "the request comes through")
    assert (response.status_code, response.headers["Idempotent-Replayed"]) == (201, "false"), response.text
    assert stock_counts(account) == (made + 1, 0, 99 - made)
    assert len(references(account)) == made + 1


def test_replay_is_limited_as_any_request_and_comes_when_it_may(account: Account, slow: RunningService) -> None:
    put_stock(account, on_hand=100)
    first = hold(account, UNIT, key="k-1")
    assert first.status_code == 201, first.text
    limited = account.at(slow.url)
    refused_key(limited)
    response = wait_until(lambda: passed(lambda: hold(limited, UNIT, key="k-1")), 30, "the request comes through")
    assert (response.status_code, response.headers["Idempotent-Replayed"]) == (201, "true"), response.text
    assert response.content == first.content


def refused_key(limited: Account) -> tuple[str, int]:
    """The key of a hold that was refused for its rate, and how many holds came through before it."""
    for made in range(100):
        key = new_idempotency_key()
        response = hold(limited, UNIT, key=key)
        if response.status_code == 429:
            assert 1 <= int(response.headers["Retry-After"]) <= SECONDS_EACH
            return key, made
        assert response.status_code == 201, response.text
    raise AssertionError("a hundred holds, and none was refused")


def passed(ask: Callable[[], httpx.Response]) -> httpx.Response | None:
    """The answer, unless the request came too early again."""
    response = ask()
    return None if response.status_code == 429 else response


def test_quota_is_20000_in_10_seconds_unless_set(account: Account) -> None:
    assert account.http.get("/v1/me").headers["RateLimit-Policy"] == '"key";q=20000;w=10'
