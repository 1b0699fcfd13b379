"""The checker of concurrent histories finds each way in which a chain of versions can be broken, and nothing else."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loadtests.version_chain import Change, RealTimeOrder, Row, Told, check_chains

HELD = Change("R1", 1, None, "held", "create", b"a")
EXTENDED = Change("R1", 2, "held", "held", "extend", b"b")
CONFIRMED = Change("R1", 3, "held", "confirmed", "confirm", b"c")
CANCELLED = Change("R1", 4, "confirmed", "cancelled", "cancel", b"d")
WHOLE = [HELD, EXTENDED, CONFIRMED, CANCELLED]
END = Row("R1", 4, "cancelled")

LAPSED = [
    Change("R1", 1, None, "pending", "create", b"a"),
    Change("R1", 2, "pending", "held", "hold", b"a"),
    Change("R1", 3, "held", "expired", "expire", b"b"),
    Change("R1", 4, "expired", "confirmed", "confirm", b"c"),
]
COUNTED = [Change("tea", version, None, None, "adjust") for version in (1, 2, 3)]


def kinds(changes: list[Change], *rows: Row, told: tuple[Told, ...] = ()) -> list[str]:
    return [offence.kind for offence in check_chains(changes, rows, told)]


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ([HELD], Row("R1", 1, "held")),
        (WHOLE, END),
        (LAPSED, Row("R1", 4, "confirmed")),
        (COUNTED, Row("tea", 3)),
        ([HELD, EXTENDED._replace(batch=b"a")], Row("R1", 2, "held")),
        ([HELD._replace(batch=None), EXTENDED._replace(batch=None)], Row("R1", 2, "held")),
    ],
    ids=["created", "to its end", "late confirm", "stock", "one batch", "batches unknown"],
)
def test_whole_chain_has_no_offence(changes: list[Change], row: Row) -> None:
    told = tuple(Told(change.subject, change.version, change.target) for change in changes for _ in range(2))
    assert list(check_chains(changes, [row], told)) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([EXTENDED, CONFIRMED, CANCELLED], ["beginning"]),
        ([HELD._replace(source="held", action="extend"), *WHOLE[1:]], ["source"]),
        ([HELD, CONFIRMED, CANCELLED], ["gap"]),
        ([HELD, EXTENDED, CONFIRMED, CONFIRMED, CANCELLED], ["double"]),
        ([*WHOLE[:2], CONFIRMED, Change("R1", 3, "held", "released", "release", b"e"), CANCELLED], ["fork"]),
        ([*WHOLE[:2], CONFIRMED._replace(source="expired"), CANCELLED], ["source"]),
        ([*WHOLE[:2], CONFIRMED._replace(action="cancel"), CANCELLED], ["step"]),
        ([*WHOLE[:2], Change("R1", 3, "held", "released", "release", b"c"), CANCELLED], ["source", "end"]),
        ([HELD, EXTENDED, CONFIRMED._replace(batch=b"a"), CANCELLED], ["batch"]),
        (WHOLE[:3], ["row"]),
        ([*WHOLE[:3], Change("R1", 4, "confirmed", "confirmed", "cancel", b"d")], ["row"]),
        ([*WHOLE, CANCELLED._replace(target="confirmed", batch=b"e")], ["fork", "row"]),
        ([], ["row"]),
    ],
    ids=[
        "first is not 1", "first has a source", "gap", "double", "fork", "other source", "not in the table",
        "after the end", "batch comes back", "row is ahead", "row is in another state", "fork at the end", "no history",
    ],
)  # fmt: skip
def test_broken_chain_is_named_by_what_is_wrong(changes: list[Change], found: list[str]) -> None:
    assert kinds(changes, END) == found


def test_history_without_a_row_and_a_row_twice_are_offences() -> None:
    assert kinds(WHOLE) == ["row"]
    assert kinds(WHOLE, END, END) == ["row"]


def test_stock_item_has_no_states() -> None:
    assert kinds([COUNTED[0], COUNTED[1]._replace(target="held")], Row("tea", 2)) == ["step", "row"]


@pytest.mark.parametrize(
    "told",
    [Told("R1", 2, "confirmed"), Told("R1", 5, "cancelled"), Told("R1", 0, "held"), Told("R2", 1, None)],
    ids=["another state", "a version that is not", "before the first", "a subject that is not"],
)
def test_what_a_client_was_told_and_the_history_does_not_have_is_an_offence(told: Told) -> None:
    assert "told" in kinds(WHOLE, END, told=(told,))


def test_an_answer_without_a_state_is_judged_by_its_version_alone() -> None:
    assert kinds(WHOLE, END, told=(Told("R1", 3),)) == []


def test_an_offence_does_not_hide_those_of_the_next_subject() -> None:
    others = [Change("R2", 1, None, "held", "create"), Change("R2", 3, "held", "released", "release")]
    found = check_chains([*WHOLE[1:], *others], [END, Row("R2", 3, "released")])
    assert [(offence.subject, offence.kind) for offence in found] == [("R1", "beginning"), ("R2", "gap")]


@pytest.mark.parametrize("changes", [[CONFIRMED, EXTENDED], [Change("R2", 1, None, "held", "create"), HELD]])
def test_stream_out_of_order_is_refused_and_not_judged(changes: list[Change]) -> None:
    with pytest.raises(ValueError, match="must ascend"):
        kinds(changes)


def test_answer_that_began_after_another_ended_must_not_be_older() -> None:
    order = RealTimeOrder()
    order.ask("first", "R1")
    order.ask("at the same time", "R1")
    assert order.tell("first", "R1", 3) is None
    order.ask("later", "R1")
    assert order.tell("at the same time", "R1", 2) is None
    offence = order.tell("later", "R1", 2)
    assert offence is not None
    assert (offence.kind, offence.words) == ("stale", "later was told version 2 after 3 had been told")


def test_newer_and_equal_answers_and_those_of_other_subjects_are_in_order() -> None:
    order = RealTimeOrder()
    for number, (subject, version) in enumerate([("R1", 4), ("R1", 4), ("R2", 1), ("R1", 5), ("R2", 1)]):
        order.ask(str(number), subject)
        assert order.tell(str(number), subject, version) is None


def test_answer_of_another_subject_than_was_asked_for_is_an_offence() -> None:
    order = RealTimeOrder()
    order.ask("read", "R1")
    assert order.tell("read", "R2", 9) is not None


def test_create_and_its_later_duplicate_are_older_than_nothing() -> None:
    order = RealTimeOrder()
    order.ask("create")
    order.ask("confirm", "R1")
    assert order.tell("confirm", "R1", 2) is None
    assert order.tell("create", "R1", 1) is None
    assert order.tell("create", "R1", 1) is None


def long_chain(length: int) -> Iterator[Change]:
    """One subject of so many versions."""
    yield HELD
    for version in range(2, length + 1):
        yield Change("R1", version, "held", "held", "extend", version.to_bytes(4))


def many_chains(length: int) -> Iterator[Change]:
    """So many rows in chains of four."""
    for number in range(length // 4):
        yield from (change._replace(subject=f"R{number:09}") for change in WHOLE)


def judge(changes: Iterator[Change], rows: Iterator[Row]) -> None:
    assert list(check_chains(changes, rows)) == []


def judge_long(length: int) -> None:
    judge(long_chain(length), iter([Row("R1", length, "held")]))


def judge_many(length: int) -> None:
    judge(many_chains(length), (Row(f"R{number:09}", 4, "cancelled") for number in range(length // 4)))


def steps_of(work: Callable[[], None]) -> int:
    """How many functions were called and returned from while it ran."""
    steps = 0

    def count(*_: Any) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return steps


@pytest.mark.parametrize("judged", [judge_long, judge_many])
def test_twice_the_history_takes_twice_the_steps(judged: Callable[[int], None]) -> None:
    once, twice = steps_of(lambda: judged(4_000)), steps_of(lambda: judged(8_000))
    assert twice < 2.01 * once


def test_two_hundred_thousand_rows_are_judged_one_subject_at_a_time() -> None:
    read = ahead = 0

    def counted() -> Iterator[Change]:
        nonlocal read
        for change in many_chains(200_000):
            read += 1
            yield change

    def rows() -> Iterator[Row]:
        nonlocal ahead
        for number in range(50_000):
            ahead = max(ahead, read - 4 * number)
            yield Row(f"R{number:09}", 4, "cancelled")

    judge(counted(), rows())
    assert read == 200_000
    assert ahead <= 5
