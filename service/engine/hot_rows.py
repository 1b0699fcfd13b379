"""Which rows are hot: several processes keep losing to each other on them.

Conflicts are counted per row and halved every five seconds, so a row that stays calm cools down and is forgotten.
A batch knows its rows only after it has read; so a hot row is remembered under the lane keys of the commands that
touched it.
"""

import asyncio
import math
import time
from collections.abc import Callable, Hashable, Iterable

import msgspec

from service.metrics import HOT_ROWS

Row = tuple[str, bytes]
HALF_LIFE_SECONDS = 5.0
REMEMBERED_MOST = 10_000
COLD_BELOW = 0.5
"""A single conflict of five seconds ago. It takes two recent ones at least to make a row hot."""

LOOK_SECONDS = 0.5
"""Pause between two looks at whether hot rows have cooled; there are none while no row is hot."""


def _later(seconds: float, call: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, call)


class HotRow(msgspec.Struct, frozen=True):
    """What is told of a row: its score, halved every five seconds, and its conflicts since that was told last."""

    row: Row
    score: float
    conflicts: int


class _Heat:
    """Conflicts on one row, as counted at `since`, and the lane keys that met it."""

    __slots__ = ("lane_keys", "score", "since", "untold")

    def __init__(self, now: float) -> None:
        self.score = 0.0
        self.untold = 0
        self.since = now
        self.lane_keys: set[Hashable] = set()

    def at(self, now: float) -> float:
        return self.score * math.pow(0.5, (now - self.since) / HALF_LIFE_SECONDS)


class HotRows:
    """Conflict counts of one process. `threshold` recent conflicts make a row hot.

    `clock` gives monotonic seconds; `later` calls back after so many of them.
    """

    def __init__(
        self,
        threshold: int,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], object] = _later,
    ) -> None:
        self._threshold = threshold
        self._clock = clock
        self._later = later
        self._heats: dict[Row, _Heat] = {}  # the longest without a conflict first
        self._rows_of: dict[Hashable, set[Row]] = {}
        self._hot: set[Row] = set()  # what the gauge counts
        self._lately: set[Row] = set()  # were hot, and have not gone cold
        self._looking = False

    def note(self, rows: Iterable[Row], lane_keys: Iterable[Hashable]) -> None:
        """These rows were in the way of commands with these lane keys."""
        now = self._clock()
        rows = set(rows)
        lane_keys = set(lane_keys)
        # Twice what comes in goes at most, so that a conflict costs the same however many rows are remembered.
        self._forget_cold(now, 2 * len(rows))
        for row in rows:
            heat = self._heats.pop(row, None) or _Heat(now)
            self._heats[row] = heat
            heat.score, heat.since = heat.at(now) + 1.0, now
            heat.untold += 1
            heat.lane_keys |= lane_keys
            if heat.score >= self._threshold:
                self._hot.add(row)
                self._lately.add(row)
        if rows:
            for lane_key in lane_keys:
                self._rows_of.setdefault(lane_key, set()).update(rows)
        self._bound()
        self._show()

    def among(self, lane_keys: Iterable[Hashable]) -> frozenset[Row]:
        """The hot rows that commands with these lane keys have met."""
        if not self._hot:
            return frozenset()
        now = self._clock()
        met = {row for lane_key in lane_keys for row in self._rows_of.get(lane_key, ()) if row in self._hot}
        return frozenset(row for row in met if self._is_hot(row, now))

    def hot(self) -> list[Row]:
        """All rows that are hot now."""
        now = self._clock()
        return [row for row in self._hot if self._is_hot(row, now)]

    def report(self, most: int) -> list[HotRow]:
        """The hottest of the rows that are hot, or were and have not gone cold; what it tells is told."""
        if not self._lately:
            return []
        now = self._clock()
        scores = {row: self._heats[row].at(now) for row in self._lately}
        self._lately = {row for row, score in scores.items() if score >= COLD_BELOW}
        hottest = sorted(self._lately, key=lambda row: scores[row], reverse=True)[:most]
        return [HotRow(row, scores[row], self._told(row)) for row in hottest]

    def _told(self, row: Row) -> int:
        heat = self._heats[row]
        conflicts, heat.untold = heat.untold, 0
        return conflicts

    def _is_hot(self, row: Row, now: float) -> bool:
        return self._heats[row].at(now) >= self._threshold

    def _show(self) -> None:
        """Set the gauge, and again until nothing is hot any more.

        With several server processes the one that answers /metrics reads what the others have last set: so each must
        set it without being asked.
        """
        HOT_ROWS.set(len(self._hot))
        if self._hot and not self._looking:
            self._looking = True
            self._later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looking = False
        self._hot = set(self.hot())
        self._show()

    def _forget_cold(self, now: float, most: int) -> None:
        for _ in range(most):
            row = next(iter(self._heats), None)
            if row is None or self._heats[row].at(now) >= COLD_BELOW:
                return
            self._forget(row)

    def _bound(self) -> None:
        while len(self._heats) > REMEMBERED_MOST:
            self._forget(next(iter(self._heats)))
        # One hot row is met by any number of lane keys: each reservation's own, where an action came from elsewhere.
        while len(self._rows_of) > REMEMBERED_MOST:
            lane_key = next(iter(self._rows_of))
            for row in self._rows_of.pop(lane_key):
                self._heats[row].lane_keys.discard(lane_key)

    def _forget(self, row: Row) -> None:
        self._hot.discard(row)
        self._lately.discard(row)
        for lane_key in self._heats.pop(row).lane_keys:
            rows = self._rows_of[lane_key]
            rows.discard(row)
            if not rows:
                del self._rows_of[lane_key]
