"""How the actions on recent reservations are queued: a hint, which may be lost or wrong at any time without harm.

Bounded: entries live in two generations, and a full young one takes the place of the old. About 120 bytes an entry:
the key is a hash, and reservations of one place share what is remembered of them.
"""

from collections.abc import Hashable
from typing import NamedTuple


class Queued(NamedTuple):
    """How a command is queued: by which lane key, and as about how many rows."""

    lane_key: Hashable
    rows: int


class Remembered:
    """What is known of at least the last `least` and at most twice as many reservations."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._young: dict[int, Queued] = {}
        self._old: dict[int, Queued] = {}
        self._shared: dict[Queued, Queued] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, account_id: bytes, reference: str) -> Queued | None:
        key = hash((account_id, reference))
        return self._young.get(key) or self._old.get(key)

    def put(self, account_id: bytes, reference: str, queued: Queued) -> None:
        if len(self._young) >= self._least:
            self._old, self._young = self._young, {}
            self._shared.clear()
        self._young[hash((account_id, reference))] = self._shared.setdefault(queued, queued)
