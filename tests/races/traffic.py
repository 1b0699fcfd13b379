"""Traffic that goes on until it is told to stop: holds, confirms, releases and lapsing holds, from many threads."""

import random
from collections import Counter
from collections.abc import Sequence
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from tests.accounts import Account
from tests.make import SEATS, act, hold, put_event, put_stock

STOCK = 40


class Traffic:
    """A context manager; callers run while its block does. `counts` says how often each status was the answer."""

    def __init__(self, callers: Sequence[Account], threads: int = 12, seed: int = 1) -> None:
        self.counts: Counter[str] = Counter()
        self._callers = callers
        self._over = Event()
        self._lock = Lock()
        self._failures: list[BaseException] = []
        self._threads = [Thread(target=self._run, args=(number, seed + number)) for number in range(threads)]

    def __enter__(self) -> Self:
        put_event(self._callers[0], "traffic")
        put_stock(self._callers[0], sku="traffic", on_hand=STOCK)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if error is None and self._failures:
            raise self._failures[0]

    def _run(self, number: int, seed: int) -> None:
        chance = random.Random(seed)
        try:
            while not self._over.is_set():
                self._customer(self._callers[number % len(self._callers)], chance)
        except BaseException as failure:  # noqa: BLE001 - told by whoever ends the traffic
            self._failures.append(failure)

    def _customer(self, caller: Account, chance: random.Random) -> None:
        """One customer's way: a hold that soon lapses or not, then an action, or none."""
        lines: list[dict[str, object]] = [{"sku": "traffic", "quantity": chance.randint(1, 3)}]
        if chance.random() < 0.5:
            lines.append({"event": "traffic", "seats": chance.sample(SEATS, 2)})
        held = hold(caller, lines, hold_seconds=chance.choice([1, 60]))
        self._count("hold", held.status_code)
        if held.status_code != 201:
            return
        reference = held.json()["reference"]
        for action in chance.choice([(), ("release",), ("extend", "release"), ("confirm", "cancel"), ("confirm",)]):
            self._count(action, act(caller, reference, action).status_code)

    def _count(self, action: str, status: int) -> None:
        assert status in {200, 201, 409, 410}, f"{action}: {status}"
        with self._lock:
            self.counts[f"{action} {status}"] += 1
