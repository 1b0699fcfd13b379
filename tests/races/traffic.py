"""Traffic that goes on until it is told to stop: holds, confirms, releases and lapsing holds, from many threads."""

import random
from collections import Counter
from collections.abc import Sequence
from threading import Lock

from tests.accounts import Account
from tests.background import Background
from tests.make import SEATS, act, hold, put_event, put_stock

STOCK = 40


class Traffic(Background):
    """Callers run while the block does. `counts` says how often each status was the answer."""

    def __init__(self, callers: Sequence[Account], threads: int = 12, seed: int = 1) -> None:
        super().__init__(threads)
        self.counts: Counter[str] = Counter()
        self._callers = callers
        self._chances = [random.Random(seed + number) for number in range(threads)]
        self._lock = Lock()

    def prepare(self) -> None:
        put_event(self._callers[0], "traffic")
        put_stock(self._callers[0], sku="traffic", on_hand=STOCK)

    def once(self, number: int) -> None:
        self._customer(self._callers[number % len(self._callers)], self._chances[number])

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
