"""How many requests an API key may send: a token bucket for each key, in one process.

Kept as the one instant at which the bucket would be full again (the generic cell rate algorithm): a bucket that is full
need not be kept at all. With several server processes a key has its quota in each of them.
The headers are those of the IETF's draft-ietf-httpapi-ratelimit-headers: quota `q`, window `w`, remaining `r`, and the
seconds `t` until the whole quota is back.
"""

import time
from collections.abc import Callable
from typing import Final

from service.refusals import RateLimited
from service.settings import Settings

BUCKETS_MAX: Final = 10_000
_NS_PER_S: Final = 1_000_000_000

Header = tuple[bytes, bytes]


class RateLimits:
    """The buckets of one process. `clock` gives monotonic nanoseconds: whole numbers, so that the quota is exact."""

    def __init__(self, settings: Settings, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._quota = settings.rate_limit_requests
        self._window_s = settings.rate_limit_window_seconds
        self._clock = clock
        self._ns_each = self._window_s * _NS_PER_S // self._quota if self._quota else 0
        self._ns_all = self._ns_each * self._quota
        self._full_at: dict[str, int] = {}
        policy = f'"key";q={self._quota};w={self._window_s}'
        self._policy: Header = (b"ratelimit-policy", policy.encode())

    def take(self, key: str) -> tuple[Header, ...]:
        """Take one request out of the key's bucket; the headers that tell what is left. Raises RateLimited."""
        if not self._quota:
            return ()
        now = self._clock()
        missing = max(self._full_at.get(key, now) - now, 0) + self._ns_each
        if missing > self._ns_all:
            raise RateLimited(
                retry_after_s=_seconds_up(missing - self._ns_all), quota=self._quota, window_s=self._window_s
            )
        if key not in self._full_at and len(self._full_at) >= BUCKETS_MAX:
            self._forget_full(now)
        self._full_at[key] = now + missing
        left = (self._ns_all - missing) // self._ns_each
        return (b"ratelimit", b'"key";r=%d;t=%d' % (left, _seconds_up(missing))), self._policy

    def _forget_full(self, now: int) -> None:
        """Callers are authenticated, so what stays are as many buckets as keys that are in use."""
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}


def _seconds_up(nanoseconds: int) -> int:
    return -(-nanoseconds // _NS_PER_S)
