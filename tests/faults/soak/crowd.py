"""The customers of the soak: they create, confirm, extend, release and cancel, and each insists until it is answered.

Every operation has a key of its own and is written into the ledger before it is sent and when it is answered. Each try
may go to another process. Now and then an answered operation is sent once more, as a client does that forgot, or one is
sent twice at once, as by an impatient finger.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event, Lock
from time import monotonic
from types import TracebackType
from typing import Any

import httpx

from loadtests.insist import Insisting, Reply, Send, Wish, act, create
from loadtests.ledger import Ledger
from tests.accounts import Account
from tests.background import Background
from tests.faults.patient import is_retryable
from tests.make import SEATS, put_event, put_stock

EVENT, HOT, PLENTY = "crowded", "hot", "plenty"
HOT_UNITS = 12
MINE_MOST = 4
PATIENCE_S = 60.0
PAUSE_MOST_S = 0.25
ANSWER_TIMEOUT_S = 4.0
COUNTED = ("requests", "retries", "replays", "acknowledged", "lost", "refused")
FORGETFUL, IMPATIENT = 0.05, 0.05
OVER = frozenset({"released", "expired", "cancelled"})


class AbandonedError(Exception):
    """The soak has ended in the middle of it."""


class Crowd(Background):
    """So many customers of one account, each in a thread, until the block ends and everybody is answered."""

    def __init__(self, account: Account, urls: list[str], ledger: Ledger, seed: str, threads: int) -> None:
        super().__init__(threads)
        self.account = account
        self._abandoned = Event()
        callers = [account.at(url).http for url in urls]
        for caller in callers:
            caller.timeout = httpx.Timeout(ANSWER_TIMEOUT_S)
        self.customers = [Customer(f"{seed}-{number}", callers, ledger, self._abandoned) for number in range(threads)]

    def prepare(self) -> None:
        put_event(self.account, EVENT)
        put_stock(self.account, sku=HOT, on_hand=HOT_UNITS)
        put_stock(self.account, sku=PLENTY, on_hand=1_000_000)

    def once(self, number: int) -> None:
        self.customers[number].do_something()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._abandoned.set()
        try:
            super().__exit__(kind, error, trace)
        finally:
            for customer in self.customers:
                customer.close()

    @property
    def counts(self) -> Counter[str]:
        """requests, retries, replays, acknowledged; lost and refused tries; `at 0` and so on: final answers there."""
        return sum((customer.counts for customer in self.customers), Counter[str]())

    def waits_since(self) -> float:
        """When the oldest operation was begun that has no answer yet; now if there is none."""
        return min((begun for customer in self.customers if (begun := customer.begun) is not None), default=monotonic())


class Customer:
    """One of them. What it does next depends on its own chance alone, and on what it was told."""

    def __init__(self, name: str, callers: list[httpx.Client], ledger: Ledger, abandoned: Event) -> None:
        # With all their names from the start: others read them while they grow.
        self.counts = Counter(dict.fromkeys([*COUNTED, *(f"at {place}" for place in range(len(callers)))], 0))
        self.begun: float | None = None
        self._name = name
        self._random = Random(name)
        self._callers = callers
        self._abandoned = abandoned
        self._twin = ThreadPoolExecutor(max_workers=1)
        self._lock = Lock()
        self._insisting = Insisting(ledger, name, self._rest, PATIENCE_S)
        self._mine: dict[str, dict[str, Any]] = {}
        self._number = 0

    def close(self) -> None:
        """Nothing is under way any more."""
        self._twin.shutdown()

    def do_something(self) -> None:
        """One operation, to its end."""
        if not self._mine or (len(self._mine) < MINE_MOST and self._random.random() < 0.5):
            reply = self._insist(self._wish_to_create())
        else:
            reference = self._random.choice(list(self._mine))
            reply = self._insist(self._wish_to_act(reference))
            if not reply.is_success:  # its time was over, or it waits still
                self._mine.pop(reference)
        if reply.is_success:
            shown = reply.json()
            self._mine[shown["reference"]] = shown
            if shown["state"] in OVER:
                self._mine.pop(shown["reference"])

    def _new_operation(self) -> str:
        self._number += 1
        return f"{self._name}-{self._number}"

    def _wish_to_create(self) -> Wish:
        body: dict[str, Any] = {"hold_seconds": self._random.choice((1, 1, 30, 60))}
        if self._random.random() < 0.15:
            body |= {"wait": True, "wait_seconds": self._random.randint(1, 3)}
        return create(self._new_operation(), self._lines(), **body)

    def _lines(self) -> list[dict[str, Any]]:
        hot = {"sku": HOT, "quantity": self._random.randint(1, 2)}
        plenty = {"sku": PLENTY, "quantity": self._random.randint(1, 5)}
        seats = {"event": EVENT, "seats": self._random.sample(SEATS, self._random.randint(1, 2))}
        best = {"event": EVENT, "best_available": {"quantity": 2, "together": self._random.random() < 0.5}}
        return self._random.choice(([hot], [hot], [hot], [plenty], [seats], [best], [hot, seats], [plenty, best]))

    def _wish_to_act(self, reference: str) -> Wish:
        operation = self._new_operation()
        state = self._mine[reference]["state"]
        if state == "confirmed":
            return act(operation, reference, "cancel")
        if state == "pending":
            return act(operation, reference, self._random.choice(("release", "confirm")))
        late = {"late": "if_available"} if self._random.random() < 0.5 else {}
        action, body = self._random.choice(
            [("confirm", late), ("confirm", late), ("extend", {"hold_seconds": 60}), ("release", {})]
        )
        return act(operation, reference, action, **body)

    def _insist(self, wish: Wish) -> Reply:
        self.begun = monotonic()
        self._insisting.ask(wish)
        if self._random.random() < IMPATIENT:
            twin = self._twin.submit(self._insisting.insist, wish, self._counted())
            reply = self._insisting.insist(wish, self._counted())
            twin.result()
        else:
            reply = self._insisting.insist(wish, self._counted())
        self._count("acknowledged")
        if self._random.random() < FORGETFUL:
            self._insisting.insist(wish, self._counted())
        self.begun = None
        return reply

    def _count(self, name: str) -> None:
        with self._lock:
            self.counts[name] += 1

    def _counted(self) -> Send:
        """How to send it; all tries but the first are retries."""
        tries = 0

        def send(wish: Wish) -> Reply | None:
            nonlocal tries
            self._count("requests")
            if tries:
                self._count("retries")
            tries += 1
            return self._send(wish)

        return send

    def _send(self, wish: Wish) -> Reply | None:
        place = self._random.randrange(len(self._callers))
        try:
            answer = self._callers[place].request(
                wish.method, wish.path, content=wish.body.encode(), headers=wish.headers
            )
        except httpx.TransportError:
            self._count("lost")
            return None
        reply = Reply(answer.status_code, answer.text, dict(answer.headers))
        if reply.is_final:
            self._count(f"at {place}")
            if reply.headers.get("idempotent-replayed") == "true":
                self._count("replays")
        else:
            assert is_retryable(answer), answer.text
            self._count("refused")
        return reply

    def _rest(self, seconds: float) -> None:
        # Less than it was asked for: what is not ready yet shall be seen to refuse.
        if self._abandoned.wait(min(seconds, PAUSE_MOST_S)):
            raise AbandonedError
