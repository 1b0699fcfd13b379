"""Patient customers: each sends a hold under its own key until it has a final answer, whatever happens in between.

A final answer is a success or a stored refusal. A connection that broke, and a 503, are none: the same request is sent
again under the same key. `settle` then looks at what every key has led to: exactly one effect, and a true answer.
"""

import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.accounts import Account
from tests.api.contract import refused, rows
from tests.api.reading import messages, stock_counts
from tests.background import Background
from tests.make import SEATS, hold, new_idempotency_key, problem, put_event, put_stock
from tests.polling import wait_until

ON_HAND = 10_000
PATIENCE_S = 90.0
CALM_SENT_AGAIN = 60
RETRYABLE = frozenset({"/problems/store-unavailable", "/problems/overloaded", "/problems/idempotency-in-progress"})


@dataclass
class Order:
    """One customer's wish under one key, its final answer, and how the tries before it ended."""

    key: str
    lines: list[dict[str, Any]]
    answer: httpx.Response | None = None
    lost: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def send(self, account: Account) -> httpx.Response | None:
        """The answer, if it is a final one."""
        try:
            # The customer's name is the key's, so that a second effect of one key would be seen.
            answer = hold(account, self.lines, key=self.key, customer=self.key)
        except httpx.TransportError:
            self.lost += 1
            return None
        if answer.status_code in {201, 409} and not is_retryable(answer):
            self.answer = answer
            return answer
        assert is_retryable(answer), answer.text
        self.refused[answer.json()["type"]] += 1
        return None

    def insist(self, account: Account) -> None:
        """Send it until there is a final answer."""

        def try_again() -> httpx.Response | None:
            return self.send(account) if not self.lost or is_listened_to(account.url) else None

        wait_until(try_again, PATIENCE_S, f"a final answer to {self}")


def is_listened_to(url: str) -> bool:
    """Whether anybody takes connections there; costs less than a request, while a server is down."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=1).close()
    except OSError:
        return False
    return True


def is_retryable(answer: httpx.Response) -> bool:
    """Whether this is a problem that asks for the same key again, and says when."""
    if answer.is_success:
        return False
    told = problem(answer)
    if not told["retryable"]:
        return False
    assert told["type"] in RETRYABLE, answer.text
    assert told["retry_with"] == "same_key"
    assert int(answer.headers["Retry-After"]) >= 1
    return True


class Customers(Background):
    """Customers come for as long as the block runs, and each stays until it has its answer.

    Every second one wants a unit and a seat that others want, too; the others only a unit of one stock item.
    """

    def __init__(self, callers: Sequence[Account], threads: int = 8) -> None:
        super().__init__(threads)
        self.orders: list[Order] = []
        self.account = callers[0]
        self._callers = callers
        self._lock = Lock()

    @property
    def answered(self) -> int:
        """How many have their answer."""
        return sum(order.answer is not None for order in list(self.orders))

    def wait_for(self, more: int) -> None:
        """Return when so many more have their answer."""
        until = self.answered + more
        wait_until(lambda: self.answered >= until or self.failures, PATIENCE_S, f"{more} more answers")

    def prepare(self) -> None:
        put_event(self.account, "crowded")
        put_stock(self.account, sku="crowded", on_hand=ON_HAND)

    def once(self, number: int) -> None:
        order = self._next()
        order.insist(self._callers[number % len(self._callers)])

    def _next(self) -> Order:
        with self._lock:
            number = len(self.orders)
            lines: list[dict[str, Any]] = [{"sku": "crowded", "quantity": 1}]
            if number % 2:
                lines.append({"event": "crowded", "seats": [SEATS[number // 2 % len(SEATS)]]})
            self.orders.append(Order(new_idempotency_key(), lines))
            return self.orders[-1]

    @property
    def tries_lost(self) -> int:
        """Requests whose connection broke."""
        return sum(order.lost for order in self.orders)

    @property
    def tries_refused(self) -> int:
        """Requests that were answered with a retryable problem."""
        return sum(order.refused.total() for order in self.orders)

    def settle(self) -> None:
        """AssertionError unless every key led to one effect or to one refusal, and its answer is replayed."""
        won = [order for order in self.orders if order.answer is not None and order.answer.status_code == 201]
        assert won
        for place, order in enumerate(self.orders):
            assert order.answer is not None
            if order.answer.status_code != 201:
                refused(order.answer, "inventory-unavailable")
            # Each that had trouble is sent once more, and enough of those that had none.
            if order.lost or order.refused or place < CALM_SENT_AGAIN:
                again = hold(self.account, order.lines, key=order.key, customer=order.key)
                assert again.content == order.answer.content
                assert again.headers["Idempotent-Replayed"] == "true"
        found = rows(self.account.http, "/v1/reservations", "reservations", limit=500)
        made = Counter(reservation["customer"] for reservation in found if reservation["customer"])
        assert made == {order.key: 1 for order in won}
        told = Counter(m["reference"] for m in messages(self.account) if m["type"] == "reservation.held")
        for order in won:
            assert told[order.answer.json()["reference"]] == 1
        assert stock_counts(self.account, "crowded") == (len(won), 0, ON_HAND - len(won))
        seats = [line["seat"] for order in won for line in order.answer.json()["lines"] if "seat" in line]
        assert len(seats) == len(set(seats))
