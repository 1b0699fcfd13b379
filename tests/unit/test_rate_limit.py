"""Token buckets of API keys: how many requests in a row, how soon the next one, and what the headers tell."""

import msgspec
import pytest

from service.http.rate_limit import BUCKETS_MAX, RateLimits
from service.refusals import RateLimited
from service.settings import Settings


class Clock:
    """Monotonic nanoseconds; they move by seconds, when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> int:
        return round(self.now * 1_000_000_000)


def limits(clock: Clock, requests: int, window_seconds: int) -> RateLimits:
    settings = msgspec.structs.replace(
        Settings(), rate_limit_requests=requests, rate_limit_window_seconds=window_seconds
    )
    return RateLimits(settings, clock)


def refusal(limited: RateLimits, key: str = "a") -> RateLimited:
    with pytest.raises(RateLimited) as raised:
        limited.take(key)
    return raised.value


def remaining(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return dict(headers)[b"ratelimit"]


def test_quota_is_had_at_once_and_the_next_request_is_refused() -> None:
    limited = limits(Clock(), requests=5, window_seconds=10)
    for _ in range(5):
        limited.take("a")
    refused = refusal(limited)
    assert (refused.quota, refused.window_s, refused.retry_after_s) == (5, 10, 2)


@pytest.mark.parametrize("requests", [1, 3, 7, 600, 1999])
@pytest.mark.parametrize("window_seconds", [1, 10, 3600])
def test_exactly_the_quota_passes_whatever_the_numbers(requests: int, window_seconds: int) -> None:
    limited = limits(Clock(), requests, window_seconds)
    for left in reversed(range(requests)):
        assert remaining(limited.take("a")).startswith(b'"key";r=%d;' % left)
    refusal(limited)


def test_one_request_comes_back_after_its_share_of_the_window() -> None:
    clock = Clock()
    limited = limits(clock, requests=5, window_seconds=10)
    for _ in range(5):
        limited.take("a")
    clock.now += 1.9
    refusal(limited)
    clock.now += 0.1
    limited.take("a")
    refusal(limited)


def test_whole_quota_is_back_after_the_window() -> None:
    clock = Clock()
    limited = limits(clock, requests=3, window_seconds=60)
    for _ in range(3):
        limited.take("a")
    clock.now += 60
    for _ in range(3):
        limited.take("a")
    refusal(limited)


def test_waiting_as_long_as_told_is_enough() -> None:
    clock = Clock()
    limited = limits(clock, requests=600, window_seconds=3600)
    for _ in range(600):
        limited.take("a")
    clock.now += refusal(limited).retry_after_s
    limited.take("a")


def test_refused_requests_cost_nothing() -> None:
    clock = Clock()
    limited = limits(clock, requests=1, window_seconds=1)
    limited.take("a")
    for _ in range(100):
        refusal(limited)
    clock.now += 1
    limited.take("a")


def test_each_key_has_a_bucket_of_its_own() -> None:
    limited = limits(Clock(), requests=1, window_seconds=1)
    limited.take("a")
    limited.take("b")
    refusal(limited, "a")
    refusal(limited, "b")


def test_headers_tell_quota_window_remaining_and_reset() -> None:
    limited = limits(Clock(), requests=10, window_seconds=60)
    assert dict(limited.take("a")) == {b"ratelimit": b'"key";r=9;t=6', b"ratelimit-policy": b'"key";q=10;w=60'}


def test_quota_of_zero_limits_nothing_and_says_nothing() -> None:
    limited = limits(Clock(), requests=0, window_seconds=10)
    assert [limited.take("a") for _ in range(100)] == [()] * 100


def test_full_buckets_are_forgotten_and_used_ones_kept() -> None:
    clock = Clock()
    limited = limits(clock, requests=2, window_seconds=10)
    for number in range(BUCKETS_MAX - 1):
        limited.take(f"idle-{number}")
    clock.now += 10
    limited.take("busy")
    limited.take("busy")
    limited.take("new")
    assert set(limited._full_at) == {"busy", "new"}
    refusal(limited, "busy")
