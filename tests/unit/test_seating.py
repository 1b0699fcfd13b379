"""Best available seats: tables that read as sentences, a brute-force reference on small plans, and the real stadium.

Rows are drawn with one character a seat: `.` free, `x` taken, `2` free and of category 2 (all others are of 1).
"""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.inventory.seating import SeatingPlan, SeatPosition

STADIUM = Path(__file__).parents[2] / "service" / "samples" / "stadium-seats.csv"


def seat(label: str, category: str = "1") -> SeatPosition:
    section, row, number = label.split("-")
    return SeatPosition(label.encode(), section, row, number, category.encode())


def seats_of(section: str, row: str, drawing: str) -> list[SeatPosition]:
    return [
        seat(f"{section}-{row}-{number}", "2" if state == "2" else "1") for number, state in enumerate(drawing, start=1)
    ]


def free_of(section: str, row: str, drawing: str) -> set[bytes]:
    return {f"{section}-{row}-{number}".encode() for number, state in enumerate(drawing, start=1) if state != "x"}


def choose(  # one keyword for each thing a case may say
    drawings: dict[str, str],
    quantity: int,
    *,
    together: bool = True,
    section: str | None = None,
    category: str | None = None,
    front_row: str | None = None,
) -> str | None:
    """The labels chosen in a venue drawn as {"section-row": "..x."}, as one text; None if there is no such place."""
    rows = [(*at.split("-"), drawing) for at, drawing in drawings.items()]
    free = {seat_id for row in rows for seat_id in free_of(*row)}
    plan = SeatingPlan((position for row in rows for position in seats_of(*row)), front_row=front_row)
    chosen = plan.choose(
        quantity=quantity,
        is_free=free.__contains__,
        together=together,
        section=section,
        category_id=None if category is None else category.encode(),
    )
    return None if chosen is None else b" ".join(chosen).decode()


@pytest.mark.parametrize(
    ("sentence", "rows", "quantity", "chosen"),
    [
        ("an empty row is filled from its lowest number", {"A": "....."}, 2, "A1 A2"),
        ("the first row comes before the second", {"B": ".....", "A": "....."}, 2, "A1 A2"),
        ("a row that is too short is passed over", {"A": "..", "B": "....."}, 3, "B1 B2 B3"),
        ("the whole row is a place", {"A": "..."}, 3, "A1 A2 A3"),
        ("a taken seat separates neighbours", {"A": ".x.x..x."}, 2, "A5 A6"),
        ("a seat of another category separates neighbours", {"A": ".2.2.."}, 2, "A5 A6"),
        ("a group has one category", {"A": "..22"}, 3, None),
        ("no row has so many neighbours, though enough are free", {"A": "..x..", "B": "..x.."}, 3, None),
        ("nothing is free", {"A": "xx"}, 1, None),
        ("a run with one seat to spare would leave an orphan, the next run has none", {"A": "...x.."}, 2, "A5 A6"),
        ("an orphan in the first row is avoided in the last", {"A": "...", "B": "x..x"}, 2, "B2 B3"),
        ("two seats to spare are no orphan", {"A": "....x.."}, 2, "A1 A2"),
        ("an orphan beside another category counts", {"A": "...2", "B": ".."}, 2, "B1 B2"),
        ("where every choice leaves an orphan the front-most is taken", {"A": "x...", "B": "..."}, 2, "A2 A3"),
        ("a seat that was single already is no orphan", {"A": ".x..", "B": ".."}, 2, "A3 A4"),
        ("one guest takes a single seat before breaking a pair", {"A": "..x.", "B": "....."}, 1, "A4"),
        ("one guest breaks a pair if nothing else is left", {"A": "..", "B": "xx"}, 1, "A1"),
        ("one guest begins a row of three, which leaves a pair", {"A": "...", "B": "."}, 1, "A1"),
    ],
)
def test_together(sentence: str, rows: dict[str, str], quantity: int, chosen: str | None) -> None:
    found = choose({f"S-{row}": drawing for row, drawing in rows.items()}, quantity)
    assert (found and found.replace("S-", "").replace("-", "")) == chosen, sentence


@pytest.mark.parametrize(
    ("sentence", "rows", "quantity", "chosen"),
    [
        ("single seats are taken from the front", {"A": "x.x.", "B": ".x.."}, 3, "A2 A4 B1"),
        ("orphans do not matter", {"A": "...", "B": ".."}, 2, "A1 A2"),
        ("one category a group", {"A": ".2.2", "B": ".2"}, 3, "A1 A3 B1"),
        ("the category that is complete first, not the one that begins first", {"A": ".22", "Z": "."}, 2, "A2 A3"),
        ("enough seats are free, but of no one category", {"A": "..22"}, 3, None),
        ("all that is free is enough", {"A": "x.", "B": ".x"}, 2, "A2 B1"),
    ],
)
def test_not_together(sentence: str, rows: dict[str, str], quantity: int, chosen: str | None) -> None:
    found = choose({f"S-{row}": drawing for row, drawing in rows.items()}, quantity, together=False)
    assert (found and found.replace("S-", "").replace("-", "")) == chosen, sentence


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("sentence", "narrowed", "chosen"),
    [
        ("rows count before sections", {}, "9-A-1 9-A-2"),
        ("a section narrows the choice", {"section": "10"}, "10-A-1 10-A-2"),
        ("a category narrows the choice", {"category": "2"}, "9-B-1 9-B-2"),
        ("section and category narrow it together", {"section": "10", "category": "2"}, "10-B-3 10-B-4"),
        ("a section that is not there has no place", {"section": "11"}, None),
        ("a category that is not there has no place", {"category": "3"}, None),
    ],
)
def test_narrowed(sentence: str, narrowed: dict[str, str], chosen: str | None, together: bool) -> None:
    venue = {"10-B": "..22", "10-A": "....", "9-B": "2222", "9-A": "...."}
    assert choose(venue, 2, together=together, **narrowed) == chosen, sentence


@pytest.mark.parametrize(
    ("sentence", "front_row", "order"),
    [
        ("unless the event names one the front is the first row", None, "A B C D E"),
        ("the nearer row comes first, of two equally near ones the later", "C", "C D B E A"),
        ("the front may be at the back", "E", "E D C B A"),
        ("towards the one end only one side is left", "B", "B C A D E"),
        ("a front row without seats counts where it would be", "BB", "E D C B A"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_front_row(sentence: str, front_row: str | None, order: str, together: bool) -> None:
    venue = {f"S-{row}": "." for row in "EADBC"}
    in_order = []
    while chosen := choose(venue, 1, front_row=front_row, together=together):
        in_order.append(chosen[2])
        venue[chosen[:3]] = "x"
    assert " ".join(in_order) == order, sentence


@pytest.mark.parametrize(
    ("sentence", "in_order"),
    [
        ("numbers are numbers", "S-A-1 S-A-2 S-A-10 S-A-11"),
        ("a letter after the digits comes behind the bare number", "S-A-12 S-A-12A S-A-12B S-A-13"),
        ("one letter comes before two", "S-A-1 S-A-1B S-A-1AA S-A-2"),
        ("numbers that begin with a letter come last, shorter first", "S-A-99 S-A-A S-A-B1 S-A-A10"),
        ("leading zeros do not change the place, and keep one order", "S-A-01 S-A-1 S-A-02 S-A-3"),
        ("digits of other scripts are no digits", "S-A-1 S-A-9 S-A-² S-A-٣"),
    ],
)
def test_numbers_of_a_row(sentence: str, in_order: str) -> None:
    expected = in_order.encode().split()
    for labels in (in_order.split(), in_order.split()[::-1]):
        plan = SeatingPlan(map(seat, labels))
        assert plan.choose(quantity=len(expected), is_free=set(expected).__contains__) == expected, sentence


@pytest.mark.parametrize(
    ("sentence", "in_order"),
    [
        ("row AA comes after row Z", "S-A-1 S-Z-1 S-AA-1 S-AB-1"),
        ("row 10 comes after row 9", "S-1-1 S-9-1 S-10-1 S-A10-1"),
        ("section 10 comes after section 9, in every row", "9-A-1 10-A-1 9-B-1 10-B-1"),
        ("a row is as near in one section as in another", "Stalls-A-1 Stalls-J-1 Circle-K-1 Circle-L-1"),
    ],
)
def test_rows_and_sections(sentence: str, in_order: str) -> None:
    expected = in_order.encode().split()
    plan = SeatingPlan(map(seat, in_order.split()[::-1]))
    chosen = plan.choose(quantity=len(expected), is_free=set(expected).__contains__, together=False)
    assert chosen == expected, sentence


def test_missing_numbers_are_an_aisle_and_do_not_separate() -> None:
    plan = SeatingPlan(map(seat, ["S-A-1", "S-A-2", "S-A-8", "S-A-9"]))
    chosen = plan.choose(quantity=4, is_free=lambda _: True)
    assert chosen == [b"S-A-1", b"S-A-2", b"S-A-8", b"S-A-9"]


def test_no_seat_behind_the_first_fit_is_asked_about() -> None:
    asked: list[bytes] = []

    def is_free(seat_id: bytes) -> bool:
        asked.append(seat_id)
        return True

    plan = SeatingPlan(seats_of("S", "A", "...") + seats_of("S", "B", "....") + seats_of("S", "C", "...."))
    assert plan.choose(quantity=4, is_free=is_free) is not None
    assert [seat_id[2:3] for seat_id in asked] == [b"B"] * 4


def test_plan_without_seats_has_no_place() -> None:
    assert SeatingPlan([]).choose(quantity=1, is_free=lambda _: True) is None
    assert SeatingPlan([], front_row="C").choose(quantity=1, is_free=lambda _: True, together=False) is None


@pytest.mark.parametrize("quantity", [0, -1])
def test_group_of_nobody_is_a_bug_of_the_caller(quantity: int) -> None:
    with pytest.raises(ValueError, match="at least one seat"):
        SeatingPlan([seat("S-A-1")]).choose(quantity=quantity, is_free=lambda _: True)


# A second way to say the rules: every window of every row is tried, and orphans are counted by looking at the row.

Drawing = dict[tuple[str, str], str]

drawings = st.dictionaries(
    st.tuples(st.sampled_from(["9", "10"]), st.sampled_from(["A", "B", "Z", "AA"])),
    st.text(alphabet="...x2", min_size=1, max_size=9),
    max_size=6,
)
groups = st.integers(min_value=1, max_value=5)
# No deadline: a busy machine is no failure of the plan.
many = settings(max_examples=100, deadline=None)
few = settings(max_examples=40, deadline=None)
front_rows = st.sampled_from([None, "A", "B", "M", "AA"])


def planned(drawing: Drawing, front_row: str | None = None) -> SeatingPlan:
    return SeatingPlan(
        (position for at, row in drawing.items() for position in seats_of(*at, row)), front_row=front_row
    )


def free_in(drawing: Drawing) -> set[bytes]:
    return {seat_id for at, row in drawing.items() for seat_id in free_of(*at, row)}


def single_seats(row: str) -> set[int]:
    return {i for i, state in enumerate(row) if state != "x" and state not in (row[i - 1 : i], row[i + 1 : i + 2])}


def from_the_front(drawing: Drawing, front_row: str | None) -> list[tuple[str, str]]:
    """The rows as someone meets them who walks from the front row outwards, one row back and one forth a step."""
    walk = ["A", "B", "M", "Z", "AA"]
    walk = [row for row in walk if row == front_row or any(row == at[1] for at in drawing)]
    behind = walk[walk.index(front_row) :] if front_row else walk
    before = walk[: len(walk) - len(behind)][::-1]
    met = behind[:1]
    for step in range(len(walk)):
        met += behind[step + 1 : step + 2] + before[step : step + 1]
    return [(section, row) for row in met for section in ("9", "10") if (section, row) in drawing]


def reference_choice(drawing: Drawing, quantity: int, front_row: str | None) -> list[bytes] | None:
    orphaning = None
    for section, label in from_the_front(drawing, front_row):
        row = drawing[section, label]
        for start in range(len(row) - quantity + 1):
            window = row[start : start + quantity]
            if window not in ("." * quantity, "2" * quantity):
                continue
            chosen = [f"{section}-{label}-{start + i + 1}".encode() for i in range(quantity)]
            after = row[:start] + "x" * quantity + row[start + quantity :]
            if not single_seats(after) - single_seats(row):
                return chosen
            orphaning = orphaning or chosen
    return orphaning


@many
@given(drawing=drawings, quantity=groups, front_row=front_rows)
def test_together_is_what_trying_every_window_finds(drawing: Drawing, quantity: int, front_row: str | None) -> None:
    chosen = planned(drawing, front_row).choose(quantity=quantity, is_free=free_in(drawing).__contains__)
    assert chosen == reference_choice(drawing, quantity, front_row)


@many
@given(drawing=drawings, quantity=groups, front_row=front_rows)
def test_not_together_ends_nearest_to_the_front(drawing: Drawing, quantity: int, front_row: str | None) -> None:
    chosen = planned(drawing, front_row).choose(
        quantity=quantity, is_free=free_in(drawing).__contains__, together=False
    )
    seats = [
        (f"{section}-{label}-{i}".encode(), state)
        for section, label in from_the_front(drawing, front_row)
        for i, state in enumerate(drawing[section, label], start=1)
    ]
    groups_of_one_category = [[at for at, (_, state) in enumerate(seats) if state == kind][:quantity] for kind in ".2"]
    complete = [group for group in groups_of_one_category if len(group) == quantity]
    nearest = min(complete, key=lambda group: group[-1], default=None)
    assert chosen == (None if nearest is None else [seats[at][0] for at in nearest])


@few
@given(
    drawing=drawings,
    quantity=groups,
    together=st.booleans(),
    section=st.sampled_from([None, "9", "10"]),
    category=st.sampled_from([None, b"1", b"2"]),
)
def test_group_gets_what_it_asked_for(
    drawing: Drawing, quantity: int, together: bool, section: str | None, category: bytes | None
) -> None:
    free = free_in(drawing)
    chosen = planned(drawing).choose(
        quantity=quantity, is_free=free.__contains__, together=together, section=section, category_id=category
    )
    if chosen is None:
        return
    known = {position.seat_id: position for at, row in drawing.items() for position in seats_of(*at, row)}
    assert len(set(chosen)) == quantity
    assert set(chosen) <= free
    assert {known[seat_id].category_id for seat_id in chosen} in (
        [{b"1"}, {b"2"}] if category is None else [{category}]
    )
    assert section is None or {known[seat_id].section for seat_id in chosen} == {section}


@few
@given(drawing=drawings, quantity=groups, together=st.booleans(), random=st.randoms(use_true_random=False))
def test_order_of_the_input_does_not_matter(drawing: Drawing, quantity: int, together: bool, random: Random) -> None:
    seats = [position for at, row in drawing.items() for position in seats_of(*at, row)]
    shuffled = list(seats)
    random.shuffle(shuffled)
    free = free_in(drawing)
    one, other = (
        SeatingPlan(order).choose(quantity=quantity, is_free=free.__contains__, together=together)
        for order in (seats, shuffled)
    )
    assert one == other


@few
@given(drawing=drawings, quantity=groups, together=st.booleans(), section=st.sampled_from(["9", "10"]))
def test_section_is_chosen_from_as_if_it_stood_alone(
    drawing: Drawing, quantity: int, together: bool, section: str
) -> None:
    free = free_in(drawing)
    alone = {at: row for at, row in drawing.items() if at[0] == section}
    within = planned(drawing).choose(quantity=quantity, is_free=free.__contains__, together=together, section=section)
    assert within == planned(alone).choose(quantity=quantity, is_free=free.__contains__, together=together)


# The real stadium: 16,054 seats, 60 sections, 154 rows of more than one category.


@pytest.fixture(scope="module")
def stadium() -> list[SeatPosition]:
    with STADIUM.open(newline="", encoding="utf-8") as file:
        return [seat(f"{r['section']}-{r['row']}-{r['seat']}", r["category"]) for r in csv.DictReader(file)]


def sell_out(plan: SeatingPlan, free: set[bytes], quantity: int, **narrowed: str) -> Iterable[Sequence[bytes]]:
    while chosen := plan.choose(quantity=quantity, is_free=free.__contains__, **narrowed):  # type: ignore[arg-type]
        assert free.issuperset(chosen)
        free.difference_update(chosen)
        yield chosen


def test_stadium_sells_from_the_pitch_outwards(stadium: list[SeatPosition]) -> None:
    free = {position.seat_id for position in stadium}
    first = next(iter(sell_out(SeatingPlan(stadium), free, 2)))
    assert first == [b"101-A-1", b"101-A-2"]


@pytest.mark.parametrize("quantity", [1, 2, 3, 4, 7])
def test_section_of_the_stadium_sells_out_and_no_place_is_overlooked(
    stadium: list[SeatPosition], quantity: int
) -> None:
    section = [position for position in stadium if position.section == "101"]
    free = {position.seat_id for position in section}
    sold = list(sell_out(SeatingPlan(stadium), free, quantity, section="101"))
    in_stretches = Counter((position.row, position.category_id) for position in section)
    assert len({seat_id for group in sold for seat_id in group}) == quantity * len(sold) == len(section) - len(free)
    assert len(sold) == sum(size // quantity for size in in_stretches.values())


def test_stadium_gives_a_full_row_only_where_there_is_one(stadium: list[SeatPosition]) -> None:
    plan = SeatingPlan(stadium)
    sold = list(sell_out(plan, {position.seat_id for position in stadium}, 16))
    in_stretches = Counter((position.section, position.row, position.category_id) for position in stadium)
    assert len(sold) == sum(size >= 16 for size in in_stretches.values()) > 0
