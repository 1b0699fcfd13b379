"""A crowd: many callers that start at the same moment, spread over the server processes."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import httpx

from tests.accounts import Account
from tests.api.reading import at_once

T = TypeVar("T")


def crowd(callers: Sequence[Account], size: int, call: Callable[[Account, int], T]) -> list[T]:
    """What `call(caller, number)` gave each of `size` callers, all started at once."""
    return at_once([lambda number=number: call(callers[number % len(callers)], number) for number in range(size)])


def statuses(answers: Sequence[httpx.Response]) -> dict[int, int]:
    """How many answers had each status; the text of one that must never be, a 5xx, in its place."""
    for answer in answers:
        assert answer.status_code < 500, f"{answer.request.method} {answer.request.url.path}: {answer.text}"
    return dict(Counter(answer.status_code for answer in answers))


def with_status(answers: Sequence[httpx.Response], status: int) -> list[httpx.Response]:
    return [answer for answer in answers if answer.status_code == status]
