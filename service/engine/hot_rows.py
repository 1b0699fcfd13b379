"""Which rows are hot: several processes keep losing to each other on them.

Conflicts are counted per row and halved every five seconds, so a row that stays calm cools down.
A batch knows its rows only after it has read; so a hot row is remembered under the lane keys of the commands that
touched it.
"""

import math
import time
from collections.abc import Callable, Hashable, Iterable

from service.metrics import HOT_ROWS

Row = tuple[str, bytes]
HALF_LIFE_SECONDS = 5.0
REMEMBERED_MOST = 10_000


class HotRows:
    """Conflict counts of one process. `threshold` recent conflicts make a row hot."""

    def __init__(self, threshold: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = threshold
        self._clock = clock
        self._scores: dict[Row, tuple[float, float]] = {}
        self._rows_of: dict[Hashable, set[Row]] = {}

    def note(self, rows: Iterable[Row], lane_keys: Iterable[Hashable]) -> None:
        """These rows were in the way of commands with these lane keys."""
        now = self._clock()
        rows = set(rows)
        for row in rows:
            self._scores[row] = (self._score(row, now) + 1.0, now)
        if not rows:
            return
        for lane_key in lane_keys:
            self._rows_of.setdefault(lane_key, set()).update(rows)
        # One hot row is met by any number of lane keys: each reservation's own, where an action came from elsewhere.
        while len(self._rows_of) > REMEMBERED_MOST:
            del self._rows_of[next(iter(self._rows_of))]
        if len(self._scores) > REMEMBERED_MOST:
            self._forget(now)
        HOT_ROWS.set(len(self.hot()))

    def among(self, lane_keys: Iterable[Hashable]) -> frozenset[Row]:
        """The hot rows that commands with these lane keys have met."""
        if not self._scores:
            return frozenset()
        now = self._clock()
        met = {row for lane_key in lane_keys for row in self._rows_of.get(lane_key, ())}
        return frozenset(row for row in met if self._score(row, now) >= self._threshold)

    def hot(self) -> list[Row]:
        """All rows that are hot now."""
        now = self._clock()
        return [row for row in self._scores if self._score(row, now) >= self._threshold]

    def _score(self, row: Row, now: float) -> float:
        score, since = self._scores.get(row, (0.0, now))
        return score * math.pow(0.5, (now - since) / HALF_LIFE_SECONDS)

    def _forget(self, now: float) -> None:
        self._scores = {row: entry for row, entry in self._scores.items() if self._score(row, now) >= 1.0}
        self._rows_of = {
            key: kept for key, rows in self._rows_of.items() if (kept := {row for row in rows if row in self._scores})
        }
