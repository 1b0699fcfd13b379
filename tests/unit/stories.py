"""Tests of the decision as tables that read as sentences: one row a step.

    0      | anna | holds A1 A2 + 2 tea | held 1
    599.999| anna | confirms            | confirmed 2
    600    | ben  | holds A2            | inventory-unavailable: A2
    600    |      | A1 confirmed, tea 0/2/3

Seconds since the story began; who acts (a name is one reservation's); what happens; what is answered. A row without
a name looks: seats by their state, stock as held/confirmed/available, a reservation by its state and version.
"""

import re
from collections.abc import Callable
from typing import Any

from service.reservations import commands as c
from tests.unit.builders import START, Venue, act, adjust_stock, best, block, hold, identifier, put_stock, told, units
from tests.unit.builders import seats as seats_line
from tests.unit.invariants import broken

VERBS: dict[str, tuple[type[c.ReservationCommand], dict[str, Any]]] = {
    "confirms": (c.ConfirmReservation, {}),
    "confirms late": (c.ConfirmReservation, {"late": "if_available"}),
    "extends": (c.ExtendReservation, {}),
    "releases": (c.ReleaseReservation, {}),
    "cancels": (c.CancelReservation, {}),
    "is swept": (c.ExpireReservation, {"actor": "worker"}),
}


class Story:
    """A venue, and who made which reservation."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.numbers: dict[str, int] = {}

    def step(self, row: str) -> None:
        at, who, does, *then = (cell.strip() for cell in row.split("|"))
        self.venue.now = START + round(1000 * float(at))
        if who:
            assert told(self._act(who, does)) == then[0], row
        else:
            for look in does.split(","):
                self._look(look.strip(), row)
        assert not broken(self.venue), row

    def _act(self, who: str, does: str) -> Any:
        made = self._command(who, does)
        (outcome,) = self.venue.decide(made)
        if isinstance(made, c.CreateReservation):
            self.numbers[who] = self.venue.creates
        return outcome

    def _command(self, who: str, does: str) -> c.Command:
        asked = re.fullmatch(r"(holds|waits)(?: (\d+) s)? (?:for )?(.+)", does)
        if asked:
            return _create(asked[1], asked[2], asked[3])
        if who == "operator":
            return _of_operator(does)
        if who == "worker":
            return _promotion(self.venue, does.removeprefix("serves "))
        verb, seconds, lines = re.fullmatch(r"([a-z ]+?)(?: for (\d+) s)?(?: lines? ([\d ]+))?", does).groups()
        kind, facts = VERBS[verb]
        more: dict[str, Any] = {} if seconds is None else {"hold_seconds": int(seconds)}
        if lines is not None:
            more["lines"] = tuple(int(number) for number in lines.split())
        return act(kind, self.numbers[who], **facts | more)

    def _look(self, look: str, row: str) -> None:
        name, _, expected = look.partition(" ")
        if name in self.numbers:
            reservation = self.venue.reservation(self.numbers[name])
            seen = f"{reservation.state} {reservation.version}"
        elif "/" in expected:
            seen = "/".join(map(str, self.venue.counts(name)))
        else:
            seen = self.venue.seat_state(name)
        assert seen == expected, f"{name} is {seen}: {row}"


def play(venue: Venue, story: str) -> Story:
    """Every row of the story, with the invariants checked after each."""
    played = Story(venue)
    for row in story.strip().splitlines():
        played.step(row)
    return played


def _create(verb: str, seconds: str | None, wanted: str) -> c.CreateReservation:
    lines = [_line(part.strip()) for part in wanted.split("+")]
    if verb == "waits":
        return hold(*lines, wait=True, **({} if seconds is None else {"wait_seconds": int(seconds)}))
    return hold(*lines, hold_seconds=None if seconds is None else int(seconds))


def _line(wanted: str) -> c.RequestLine:
    chosen = re.fullmatch(r"best (\d+)( apart)?(?: of (\d))?", wanted)
    if chosen:
        return best(int(chosen[1]), together=chosen[2] is None, category=chosen[3])
    counted = re.fullmatch(r"(\d+) ([a-z]+)", wanted)
    if counted:
        return units(int(counted[1]), counted[2])
    return seats_line(*wanted.split())


def _of_operator(does: str) -> c.Command:
    patterns: dict[str, Callable[[re.Match[str]], c.Command]] = {
        r"sets ([a-z]+) to (\d+)": lambda said: put_stock(int(said[2]), said[1]),
        r"adds (-?\d+) ([a-z]+) as (\S+)": lambda said: adjust_stock(int(said[1]), said[3], said[2]),
        r"blocks ([A-Z0-9 ]+)": lambda said: block(*said[1].split()),
        r"unblocks ([A-Z0-9 ]+)": lambda said: block(*said[1].split(), blocked=False),
    }
    return next(make(said) for pattern, make in patterns.items() if (said := re.fullmatch(pattern, does)))


def _promotion(venue: Venue, pool: str) -> c.PromoteWaiting:
    facts = {"account_id": next(iter(venue.stock.values())).account_id, "actor": "worker"}
    if pool in venue.events:
        return c.PromoteWaiting(**facts, pool_id=identifier(f"{pool}=1"), event=pool)
    return c.PromoteWaiting(**facts, pool_id=identifier(f"{pool}@default"), sku=pool, location="default")
