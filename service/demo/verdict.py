"""Pure: everything that clients were told, against what there is in the end. Nobody's word is taken for anything.

A double is one unit, or one operation, given twice. An untruth is an answer that the service does not stand by: two
answers to one operation that differ, a success that is nowhere, a reservation that nobody was told of, a count that
does not follow from what was told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from service.demo.customers import Reservation, Told, reservation_in
from service.demo.found import Found

Span = tuple[str, str, int]
"""From when to when some units were claimed, as RFC 3339; without an end "~", which comes after every digit."""

NEVER = "~"
LIVE = ("held", "confirmed")


class Verdict(msgspec.Struct, frozen=True):
    """In words, and empty where all is well."""

    doubles: list[str]
    untruths: list[str]

    @property
    def is_clean(self) -> bool:
        return not self.doubles and not self.untruths


def judge(told: Sequence[Told], found: Found) -> Verdict:
    """`told` in the order of the acts, so that the last success about a reservation is its state."""
    return Verdict(
        doubles=[*_carried_out_twice(told), *_claimed_twice(found), *_confirmed_to_two(told)],
        untruths=[
            *_answers_that_differ(told),
            *_not_as_told(told, found),
            *_untold(told, found),
            *_counts(told, found),
        ],
    )


def _carried_out_twice(told: Sequence[Told]) -> Iterator[str]:
    """Of all the answers under one key at most one may be the first; it may have gone to the broken connection."""
    for one in told:
        firsts = sum(answer.replayed is False for answer in one.answers)
        if firsts > 1:
            yield f"{one.action} of {one.subject} was carried out {firsts} times"
    holders = Counter(reservation_in(one.answer).reference for one in _holds(told))
    yield from (f"{reference} was given to {count} holds" for reference, count in holders.items() if count > 1)


def _answers_that_differ(told: Sequence[Told]) -> Iterator[str]:
    for one in told:
        texts = {(answer.status, answer.body, answer.etag, answer.location) for answer in one.answers}
        if len(texts) > 1:
            yield f"{one.customer} had {len(texts)} different answers to one {one.action} of {one.subject}"


def _claimed_twice(found: Found) -> Iterator[str]:
    """No seat in two reservations at one time, and no more units of an item than there are."""
    spans: dict[tuple[str, int], list[Span]] = defaultdict(list)
    for reservation in found.reservations.values():
        for line in reservation.lines:
            seat = (f"seat {line.seat}", 1)
            unit = seat if line.sku is None else (line.sku, found.stock[line.sku].on_hand)
            until = line.released_at or reservation.ended_at or NEVER
            spans[unit].append((reservation.created_at, until, line.quantity))
    for (name, most), claims in spans.items():
        peak = _peak(claims)
        if peak > most:
            yield f"{peak} units claimed at one time of {name}, of which there are {most}"


def _peak(claims: Iterable[Span]) -> int:
    """The most units claimed at any one time. What ends in the same millisecond made room for what begins in it."""
    steps = [step for since, until, units in claims for step in ((since, 1, units), (until, 0, -units))]
    now = peak = 0
    for _, _, units in sorted(steps):
        now += units
        peak = max(peak, now)
    return peak


def _confirmed_to_two(told: Sequence[Told]) -> Iterator[str]:
    owners: dict[str, set[str]] = defaultdict(set)
    for reservation in told_at_last(told).values():
        if reservation.state == "confirmed":
            for line in reservation.lines:
                if line.seat is not None:
                    owners[line.seat].add(reservation.reference)
    yield from (f"seat {seat} was confirmed to {len(many)}" for seat, many in owners.items() if len(many) > 1)


def _not_as_told(told: Sequence[Told], found: Found) -> Iterator[str]:
    """Each success must be in the history, with the same units; each refusal must have left nothing."""
    by_order = {one.external_reference: one for one in found.reservations.values()}
    for one in told:
        where = f"{one.customer}, {one.action} of {one.subject}: told {one.answer.status}"
        if not one.answer.is_success:
            if one.action == "hold" and one.subject in by_order:
                yield f"{where}, but there is {by_order[one.subject].reference}"
            continue
        seen = reservation_in(one.answer)
        there = found.reservations.get(seen.reference)
        if there is None:
            yield f"{where}, but there is no {seen.reference}"
        elif (seen.version, seen.state) not in {(at.version, at.target) for at in found.histories[seen.reference]}:
            yield f"{where}, but {seen.reference} was never {seen.state} as version {seen.version}"
        elif seen.units() != there.units() or seen.external_reference != there.external_reference:
            yield f"{where}, but {seen.reference} has other units or another owner"


def _untold(told: Sequence[Told], found: Found) -> Iterator[str]:
    """Every reservation was told to somebody, and is in the state that was told last; time alone may end a hold."""
    last = told_at_last(told)
    for reference, reservation in found.reservations.items():
        if reference not in last:
            yield f"nobody was told of {reference} ({reservation.external_reference})"
        elif reservation.state != (state := _due(last[reference])):
            yield f"{reference} is {reservation.state}, and its customer believes it to be {state}"


def _due(told: Reservation) -> str:
    return "expired" if told.state == "held" else told.state


def _counts(told: Sequence[Told], found: Found) -> Iterator[str]:
    """In the end nothing is held, and what is confirmed is what was told to be."""
    seats: set[str] = set()
    units: Counter[str] = Counter()
    for reservation in told_at_last(told).values():
        if reservation.state == "confirmed":
            seats |= {line.seat for line in reservation.lines if line.seat is not None}
            units.update({line.sku: line.quantity for line in reservation.lines if line.sku is not None})
    live = {seat: state for seat, state in found.seats.items() if state in LIVE}
    for seat in sorted(seats | live.keys()):
        if (seat in seats) != (live.get(seat) == "confirmed") or live.get(seat) == "held":
            yield f"seat {seat} is {found.seats.get(seat)}, told as {'confirmed' if seat in seats else 'free'}"
    for sku, item in found.stock.items():
        if (item.held, item.confirmed) != (0, units[sku]):
            yield f"{sku} has {item.held} held and {item.confirmed} confirmed units; {units[sku]} were told to be"


def told_at_last(told: Sequence[Told]) -> dict[str, Reservation]:
    """By reference, what its customer was told in the last success."""
    return {seen.reference: seen for one in told if one.answer.is_success for seen in [reservation_in(one.answer)]}


def _holds(told: Sequence[Told]) -> Iterator[Told]:
    return (one for one in told if one.action == "hold" and one.answer.is_success)
