"""When a Call is sent again: always the same bytes with the same key, never a new one (engine.md, "Idempotency").

Pure but for the clock and the chance that it is given. A conversation is a generator: it yields what is to be done,
`Send` or `Rest`, is sent the outcome, and returns the answer that stays; `sending.py` does the doing, once with threads
and once with asyncio.

What the service says of a retry wins over the status: `retryable` and `retry_with` of a problem. An answer without them
is not the service's own, and is judged by its status: 408, 425, 429 and 5xx are tried again, nothing else. No answer at
all says nothing of what happened, so it is always tried again: every Call that changes something has a key.
"""

import random
import time
from collections.abc import Callable, Generator
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from service.client.calls import AnyCall
from service.client.problems import Unreached
from service.client.replies import Reply

REQUEST_TIMEOUT, TOO_EARLY, TOO_MANY, LEAST_SERVER_ERROR = 408, 425, 429, 500
LEAST_ATTEMPT_S: Final = 0.05
"""A pause may last longer than it should, and less would be no attempt."""

_AGAIN: Final = frozenset({REQUEST_TIMEOUT, TOO_EARLY, TOO_MANY})


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long one call may take in all, and how its retries are spread. All in seconds.

    The n-th pause is drawn between 0 and `pause_s` doubled n times, at most `pause_max_s` (full jitter), and comes on
    top of what `Retry-After` asks for, so that those who were told the same second do not all come in it.
    """

    deadline_s: float = 60.0
    attempt_s: float = 15.0  # the service itself gives up after 10, and says so
    pause_s: float = 0.2
    pause_max_s: float = 10.0
    attempts_max: int | None = None

    def __post_init__(self) -> None:
        for name in ("deadline_s", "attempt_s", "pause_s", "pause_max_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.attempts_max is not None and self.attempts_max < 1:
            raise ValueError(f"attempts_max must be at least 1, not {self.attempts_max}")


class Send(msgspec.Struct, frozen=True):
    """Send the call, and wait for its whole answer for at most so long."""

    timeout_s: float


class Rest(msgspec.Struct, frozen=True):
    """Let time pass."""

    seconds: float


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What a hook is told after each attempt: for logs and metrics. `pause_s` is None where it was the last one."""

    call: AnyCall
    number: int
    seconds: float
    status: int | None  # None: no whole answer came, see `error`
    error: Exception | None
    pause_s: float | None


Outcome = Reply | Exception | None
"""Of a Send a Reply or why there is none; of a Rest nothing."""

Conversation = Generator[Send | Rest, Outcome, Reply]


def converse(
    call: AnyCall,
    policy: Policy,
    on_attempt: Callable[[Attempt], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    chance: Callable[[float, float], float] = random.uniform,
) -> Conversation:
    """Returns the answer that stays, a refusal included. Raises Unreached where none came in time."""
    began = clock()
    number = 0
    while True:
        number += 1
        sent_at = clock()
        outcome = yield Send(max(LEAST_ATTEMPT_S, min(policy.attempt_s, policy.deadline_s - (sent_at - began))))
        now = clock()
        pause = _pause(outcome, policy, number, now - began, chance)
        if on_attempt is not None:
            reply, error = (outcome, None) if isinstance(outcome, Reply) else (None, outcome)
            on_attempt(
                Attempt(
                    call=call,
                    number=number,
                    seconds=now - sent_at,
                    status=None if reply is None else reply.status,
                    error=error,
                    pause_s=pause,
                )
            )
        if pause is None:
            if isinstance(outcome, Reply):
                return outcome
            raise Unreached(call.key, number, outcome) from outcome
        yield Rest(pause)


def _pause(
    outcome: Outcome, policy: Policy, number: int, spent: float, chance: Callable[[float, float], float]
) -> float | None:
    """Seconds until the next attempt; None where there is none."""
    asked = 0.0
    if isinstance(outcome, Reply):
        if not is_tried_again(outcome):
            return None
        asked = retry_after(outcome)
    if number == policy.attempts_max:
        return None
    # The doubling is bounded, too: 2 to the thousandth is no float any more.
    longest = min(policy.pause_max_s, policy.pause_s * 2 ** min(number - 1, 60))
    pause = asked + chance(0.0, longest)
    return pause if spent + pause < policy.deadline_s else None


def is_tried_again(reply: Reply) -> bool:
    """Whether the same request with the same key may have another outcome."""
    if not reply.is_error:
        return False
    problem = reply.problem() or {}
    if isinstance(retry_with := problem.get("retry_with"), str):
        return retry_with == "same_key"
    if isinstance(retryable := problem.get("retryable"), bool):
        return retryable
    return reply.status in _AGAIN or reply.status >= LEAST_SERVER_ERROR


def retry_after(reply: Reply) -> float:
    """Seconds that the answer asks to wait (RFC 9110, section 10.2.3); 0 where it does not, or not readably."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        # Against the answer's own clock: ours may be off by hours.
        return max(
            0.0, (parsedate_to_datetime(text) - parsedate_to_datetime(reply.headers.get("date", ""))).total_seconds()
        )
    except (TypeError, ValueError):
        return 0.0
