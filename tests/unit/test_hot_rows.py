"""Hot rows: conflicts counted, forgotten with time, remembered under the lanes that met them, in bounded memory."""

import asyncio
from collections.abc import Callable

import pytest

from service.engine import hot_rows
from service.engine.hot_rows import HotRows, Row
from service.metrics import HOT_ROWS

SEAT: Row = ("seats", b"seat-0000000000a")
STOCK: Row = ("stock_items", b"stock-000000000a")


class Time:
    """A clock, and what was asked to be called back by it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.now

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.due.append((self.now + seconds, call))

    def pass_by(self, seconds: float) -> None:
        until = self.now + seconds
        while self.due and min(self.due, key=lambda each: each[0])[0] <= until:
            self.due.sort(key=lambda each: each[0])
            self.now, call = self.due.pop(0)
            call()
        self.now = until


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def rows(time: Time) -> HotRows:
    return HotRows(threshold=3, clock=time, later=time.later)


def conflicts(rows: HotRows, count: int, row: Row = STOCK, *lanes: str) -> None:
    for _ in range(count):
        rows.note([row], lanes or ["lane"])


@pytest.mark.parametrize(("count", "hot"), [(0, []), (2, []), (3, [STOCK]), (9, [STOCK])])
def test_row_is_hot_from_the_threshold_on(rows: HotRows, count: int, hot: list[Row]) -> None:
    conflicts(rows, count)
    assert rows.hot() == hot


@pytest.mark.parametrize(("seconds", "hot"), [(0.0, True), (5.0, True), (10.0, True), (10.1, False), (60.0, False)])
def test_row_that_stays_calm_cools_down_by_halves_of_five_seconds(
    rows: HotRows, time: Time, seconds: float, hot: bool
) -> None:
    conflicts(rows, 12)
    time.now += seconds
    assert (rows.hot() == [STOCK]) == hot
    assert (rows.among(["lane"]) == {STOCK}) == hot


def test_slow_conflicts_never_make_a_row_hot(rows: HotRows, time: Time) -> None:
    for _ in range(100):
        conflicts(rows, 1)
        time.now += 10
    assert rows.hot() == []


def test_quick_conflicts_keep_it_hot(rows: HotRows, time: Time) -> None:
    for _ in range(20):
        conflicts(rows, 1)
        time.now += 1
    assert rows.hot() == [STOCK]


def test_lane_asks_for_the_hot_rows_that_it_has_met_and_no_others(rows: HotRows) -> None:
    conflicts(rows, 3, STOCK, "tea", "both")
    conflicts(rows, 3, SEAT, "final", "both")
    conflicts(rows, 1, ("seats", b"seat-0000000000b"), "both")
    assert rows.among(["tea"]) == {STOCK}
    assert rows.among(["both"]) == {STOCK, SEAT}
    assert rows.among(["final", "tea"]) == {STOCK, SEAT}
    assert rows.among(["elsewhere"]) == frozenset()


def test_conflict_without_a_known_row_counts_for_none(rows: HotRows) -> None:
    """1062 and 1213 do not say which row."""
    for _ in range(9):
        rows.note([], ["lane"])
    assert rows.hot() == []
    assert rows.among(["lane"]) == frozenset()


def test_cold_rows_are_forgotten_when_there_are_many(
    rows: HotRows, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot_rows, "REMEMBERED_MOST", 50)
    for number in range(500):
        rows.note([("seats", number.to_bytes(16))], [f"lane {number}"])
        time.now += 1
    assert len(rows._heats) <= 51
    assert len(rows._rows_of) <= 51


def test_hot_row_that_any_number_of_lanes_meet_keeps_memory_bounded(
    rows: HotRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An action whose reservation was made elsewhere comes under its own reference."""
    monkeypatch.setattr(hot_rows, "REMEMBERED_MOST", 50)
    for number in range(500):
        rows.note([STOCK], [f"reference {number}"])
    assert len(rows._rows_of) <= 50
    assert rows.among(["reference 499"]) == {STOCK}


def gauge() -> float:
    return HOT_ROWS._value.get()


def test_gauge_comes_down_without_another_conflict(rows: HotRows, time: Time) -> None:
    conflicts(rows, 3, SEAT)
    conflicts(rows, 12)
    assert gauge() == 2
    time.pass_by(9)
    assert gauge() == 1, "the seat has cooled"
    time.pass_by(2)
    assert gauge() == 0
    assert time.due == [], "nothing is hot, and still it looks"


def test_gauge_sees_a_row_that_cools_before_an_older_one(rows: HotRows, time: Time) -> None:
    conflicts(rows, 1000)
    time.pass_by(0.2)
    conflicts(rows, 3, SEAT)
    assert gauge() == 2
    time.pass_by(1)
    assert gauge() == 1


def test_row_gets_hot_again_after_the_gauge_came_down(rows: HotRows, time: Time) -> None:
    for _ in range(2):
        conflicts(rows, 3)
        assert gauge() == 1
        time.pass_by(60)
        assert gauge() == 0


def test_conflict_looks_at_no_more_rows_than_it_brings(rows: HotRows, time: Time) -> None:
    """However many are remembered, a conflict costs the same."""
    for number in range(5000):
        rows.note([("seats", number.to_bytes(16))], [f"lane {number}"])
    asked: list[None] = []
    was = hot_rows._Heat.at

    def counted(heat: hot_rows._Heat, now: float) -> float:
        asked.append(None)
        return was(heat, now)

    time.now += 60
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hot_rows._Heat, "at", counted)
        for _ in range(10):
            rows.note([STOCK], ["lane"])
    assert len(asked) <= 40


def test_cold_rows_are_forgotten_one_conflict_after_the_other(rows: HotRows, time: Time) -> None:
    for number in range(100):
        rows.note([("seats", number.to_bytes(16))], [f"lane {number}"])
    time.now += 60
    conflicts(rows, 60)
    assert list(rows._heats) == [STOCK]
    assert list(rows._rows_of) == ["lane"]


async def test_loop_of_a_process_brings_the_gauge_down(time: Time) -> None:
    looked = asyncio.Event()

    def later(seconds: float, call: Callable[[], None]) -> None:
        hot_rows._later(seconds, call)
        hot_rows._later(seconds, looked.set)

    conflicts(HotRows(threshold=3, clock=time, later=later), 3)
    assert gauge() == 1
    time.now += 60
    await looked.wait()
    assert gauge() == 0


def told(rows: HotRows, most: int = 100) -> list[tuple[Row, float, int]]:
    return [(hot.row, round(hot.score, 1), hot.conflicts) for hot in rows.report(most)]


def test_report_has_hot_rows_until_they_are_cold_and_each_conflict_once(rows: HotRows, time: Time) -> None:
    conflicts(rows, 2)
    assert told(rows) == []
    conflicts(rows, 2)
    assert told(rows) == [(STOCK, 4.0, 4)]
    conflicts(rows, 1)
    assert told(rows) == [(STOCK, 5.0, 1)]
    time.pass_by(10)
    assert rows.hot() == []
    assert told(rows) == [(STOCK, 1.2, 0)]
    time.pass_by(10)
    assert told(rows) == []
    conflicts(rows, 3)
    assert told(rows) == [(STOCK, 3.0, 3)]


def test_report_begins_with_the_hottest_and_has_no_more_than_wanted(rows: HotRows) -> None:
    conflicts(rows, 3, SEAT)
    conflicts(rows, 9)
    conflicts(rows, 1, ("seats", b"seat-cold"))
    assert [row for row, *_ in told(rows)] == [STOCK, SEAT]
    assert [row for row, *_ in told(rows, most=1)] == [STOCK]


def test_row_that_was_forgotten_is_not_reported(rows: HotRows, time: Time) -> None:
    conflicts(rows, 5, SEAT)
    time.now += 60
    conflicts(rows, 3)
    assert [row for row, *_ in told(rows)] == [STOCK]
