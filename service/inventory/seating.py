"""Best available: which free seats of an event a group gets. Pure: no I/O, no clock, no random.

The decision of a batch asks a `SeatingPlan` while it decides, so seats are chosen from what is free at that very
moment (never before, or two groups of one batch would be given the same seats). The plan holds only what does
not change inside a batch: where seats are and what category they have. Whether a seat is free is asked anew each time.

The rules (api.md, "Reservations" and fine print 11), and what they leave open:

- Rows and sections stand in order of (length, text): A, B .. Z, AA. Numbers stand in numeric order of their leading
  digits, then by what follows: 2, 10, 12, 12A, 13. Numbers that begin with a letter come last, by (length, text).
- Neighbours are consecutive in that order among *all* seats of the row in that section, whatever their state or
  category. A taken seat, or one of another category, separates: a group has one category. An aisle does not.
- The front is the first row, unless the event names another; then rows count by their distance from it in the order
  of the plan's rows, the later row first where two are equally far. A front row that the plan lacks counts as if it
  were there and empty. Among equally near rows the first section is the nearer one, in a row the lowest number.
- An orphan is a single free seat that the choice leaves between two separators and that was not single before.
- Together: the front-most seats that leave no orphan, else the front-most of all.
- Not together: the front-most free seats of one category, the one whose group is complete nearest to the front.
  Not the one that begins there: it may have one seat in the first row and its next one in the last.

It must never guess a neighbour: a plan holds every seat of every row it knows. One that was narrowed to a category
would show two seats as neighbours that have a third between them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import compress, groupby
from typing import NamedTuple


class SeatPosition(NamedTuple):
    """Where a seat is and what it costs; the part of a seat that no reservation changes."""

    seat_id: bytes
    section: str
    row: str
    number: str
    category_id: bytes


class _Stretch(NamedTuple):
    """Neighbouring seats of one category, as many as there are: no group reaches across its ends."""

    category_id: bytes
    seat_ids: list[bytes]


class SeatingPlan:
    """The seats of one event, or of some of its sections, ordered once from the front to the back.

    Give it every seat of each section it shall know, in any order. It may be kept for as long as the definitions of
    these seats, and the event's front row, stay the same.
    """

    def __init__(self, seats: Iterable[SeatPosition], *, front_row: str | None = None) -> None:
        rows: defaultdict[tuple[str, str], list[SeatPosition]] = defaultdict(list)
        for seat in seats:
            rows[seat.section, seat.row].append(seat)
        nearest = nearest_first({row for _, row in rows}, front_row)
        nearness = {row: place for place, row in enumerate(nearest)}

        self._stretches: list[_Stretch] = []
        self._stretches_of_section: defaultdict[str, list[_Stretch]] = defaultdict(list)
        for section, row in sorted(rows, key=lambda at: (nearness[at[1]], _label_order(at[0]))):
            stretches = _stretches(rows[section, row])
            self._stretches += stretches
            self._stretches_of_section[section] += stretches

    def choose(
        self,
        *,
        quantity: int,
        is_free: Callable[[bytes], bool],
        together: bool = True,
        section: str | None = None,
        category_id: bytes | None = None,
        orphans: bool = True,
    ) -> list[bytes] | None:
        """The ids of `quantity` seats of one category, front-most first, or None if there is no such place.

        `is_free` is asked about each seat at most once, from the front, and no further than the first fit. It has to
        answer True or False for every seat of the plan; a set's own `__contains__` is the fastest one. Without
        `orphans`, neighbours whose choice leaves a single free seat beside them are no place.
        """
        if quantity < 1:
            raise ValueError(f"a group has at least one seat, not {quantity}")
        candidates = (
            stretch
            for stretch in self._in_section(section)
            if category_id is None or stretch.category_id == category_id
        )
        if together:
            return _seek_together(candidates, quantity, is_free, orphans=orphans)
        return _seek_apart(candidates, quantity, is_free)

    def _in_section(self, section: str | None) -> list[_Stretch]:
        if section is None:
            return self._stretches
        return self._stretches_of_section.get(section, [])


def _seek_together(
    candidates: Iterable[_Stretch], quantity: int, is_free: Callable[[bytes], bool], *, orphans: bool
) -> list[bytes] | None:
    """The start of the front-most free run that leaves no orphan, else of the front-most one that is long enough.

    Only the start of a run needs a look. With one seat to spare, every choice in the run leaves that one single; with
    none or with two and more, the start leaves no orphan, and nothing in the run is nearer to the front.
    """
    leaving_an_orphan: list[bytes] | None = None
    for _, seat_ids in candidates:
        if len(seat_ids) < quantity:
            continue
        for start, end in _free_runs(seat_ids, quantity, is_free):
            if end - start != quantity + 1:
                return seat_ids[start : start + quantity]
            if orphans and leaving_an_orphan is None:
                leaving_an_orphan = seat_ids[start : start + quantity]
    return leaving_an_orphan


def _seek_apart(candidates: Iterable[_Stretch], quantity: int, is_free: Callable[[bytes], bool]) -> list[bytes] | None:
    """The first `quantity` free seats of the category that is the first to have them, going from front to back."""
    found: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for category_id, seat_ids in candidates:
        group = found[category_id]
        group += compress(seat_ids, map(is_free, seat_ids))
        if len(group) >= quantity:
            return group[:quantity]
    return None


def _free_runs(seat_ids: list[bytes], length_min: int, is_free: Callable[[bytes], bool]) -> Iterator[tuple[int, int]]:
    """Half-open intervals [start, end) of free neighbours, each as long as it goes and at least `length_min`.

    One byte a seat lets `bytes.find` do the walking: a batch may look at the same 5,000 seats hundreds of times.
    """
    free = bytes(map(is_free, seat_ids))
    wanted = b"\x01" * length_min
    start = free.find(wanted)
    while start >= 0:
        end = free.find(b"\x00", start + length_min)
        if end < 0:
            end = len(free)
        yield start, end
        start = free.find(wanted, end)


def _stretches(row: list[SeatPosition]) -> list[_Stretch]:
    in_order = sorted(row, key=lambda seat: _number_order(seat.number))
    return [
        _Stretch(category_id, [seat.seat_id for seat in neighbours])
        for category_id, neighbours in groupby(in_order, key=lambda seat: seat.category_id)
    ]


def nearest_first(rows: Iterable[str], front_row: str | None) -> list[str]:
    """The rows, each once, in the order in which groups get them (see above)."""
    in_order = sorted({*rows} if front_row is None else {*rows, front_row}, key=_label_order)
    if front_row is None:
        return in_order
    front = in_order.index(front_row)
    places = sorted(range(len(in_order)), key=lambda place: (abs(place - front), -place))
    known = {*rows}
    return [in_order[place] for place in places if in_order[place] in known]


def _label_order(label: str) -> tuple[int, str]:
    return len(label), label


def _number_order(number: str) -> tuple[bool, int, int, str, str]:
    # The whole number closes the key: `7` and `07` are two seats, and their order must not depend on the input's.
    rest = number.lstrip("0123456789")
    digits = number[: len(number) - len(rest)]
    return digits == "", int(digits or "0"), len(rest), rest, number
