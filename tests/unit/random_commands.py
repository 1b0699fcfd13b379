"""Random histories of one small venue: batches of any commands, with time passing between them.

Chance looks at the venue, so that most actions find a reservation and most of the time that passes ends something.
A command may come again as it was, with its idempotency key, or with its key and something else.
"""

from random import Random
from typing import Any

from msgspec.structs import replace

from service.reservations import commands as c
from service.reservations.records import Reservation
from tests.unit.builders import (
    ACCOUNT,
    Venue,
    act,
    adjust_stock,
    best,
    block,
    hold,
    identifier,
    keyed,
    put_stock,
    seats,
    units,
)

ROWS = {"A": 3, "B": 3}
CATEGORIES = {"A": "1", "B": "2"}
ON_HAND = {"tea": 4, "mug": 2}
HOLD_SECONDS, HOLD_SECONDS_MAX = 300, 400
SEATS = [f"{row}{number}" for row, count in ROWS.items() for number in range(1, count + 1)]
MILLISECONDS = (0, 1, 999, 10_000, 59_999, 60_000, 300_000)

ACTIONS = {
    "pending": (c.ReleaseReservation, c.ExpireReservation, c.ConfirmReservation),
    "held": (c.ConfirmReservation, c.ExtendReservation, c.ReleaseReservation, c.ExpireReservation),
    "confirmed": (c.CancelReservation, c.ConfirmReservation, c.CancelReservation, c.ReleaseReservation),
    "expired": (c.ConfirmReservation, c.ConfirmReservation, c.ConfirmReservation, c.ReleaseReservation),
    "released": (c.ReleaseReservation, c.ConfirmReservation),
    "cancelled": (c.CancelReservation, c.ConfirmReservation),
}


def venue() -> Venue:
    made = Venue()
    made.add_event(rows=ROWS, categories=CATEGORIES, hold_seconds=HOLD_SECONDS, hold_seconds_max=HOLD_SECONDS_MAX)
    for sku, on_hand in ON_HAND.items():
        made.add_stock(sku, on_hand)
    return made


class Chance:
    """Makes the same history of the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.keyed: list[Any] = []

    def milliseconds(self, venue: Venue) -> int:
        """To pass before the next batch: often just to the end of something, or just not."""
        ends = [row.lapses_at - venue.now for row in venue.reservations.values() if row.lapses_at is not None]
        until = [wait for end in ends for wait in (end - 1, end) if wait > 0]
        return self.random.choice([0, 0, *MILLISECONDS, *(until or [0] * 3)])

    def batch(self, venue: Venue, most: int = 4) -> list[c.Command]:
        return [self._command(venue) for _ in range(self.random.randint(1, most))]

    def _command(self, venue: Venue) -> c.Command:
        repeat = self.random.random()
        if self.keyed and repeat < 0.15:
            return self._again()
        command = self._new(venue)
        if repeat < 0.5 and not isinstance(command, c.ExpireReservation):  # the worker's own, which has no key
            command = keyed(command, f"key-{len(self.keyed)}")
            self.keyed.append(command)
        return command

    def _again(self) -> c.Command:
        earlier = self.random.choice(self.keyed)
        if self.random.random() < 0.7:
            return earlier
        other = replace(earlier, reason="another")
        if isinstance(other, c.ReservationCommand) and self.random.random() < 0.3:
            other = replace(other, reference="R000000000")
        again = keyed(other, "")
        return replace(again, key=replace(again.key, scope_hash=earlier.key.scope_hash))

    def _new(self, venue: Venue) -> Any:
        kind = self.random.random()
        if kind < 0.4 or not venue.reservations:
            return self._create()
        if kind < 0.8:
            return self._action(venue)
        return self.random.choice([self._put, self._adjust, self._block, self._promote])()

    def _create(self) -> c.Command:
        return hold(
            *self._lines(),
            hold_seconds=self.random.choice([None, None, 10, 30, 390, 401]),
            external_reference=self.random.choice([None] * 6 + ["order-1", "order-2"]),
            wait=self.random.random() < 0.5,
            wait_seconds=self.random.choice([30, 120, 3600]),
        )

    def _lines(self) -> list[c.RequestLine]:
        """One to three lines that name nothing twice."""
        kinds = self.random.sample(["seats", "best", "tea", "mug"], self.random.choice([1, 1, 2, 3]))
        return [self._line(kind) for kind in kinds]

    def _line(self, kind: str) -> c.RequestLine:
        if kind == "seats":
            return seats(*self.random.sample(SEATS, self.random.choice([1, 1, 2, 3])))
        if kind == "best":
            return best(
                self.random.choice([1, 2, 3]),
                category=self.random.choice([None, "1", "2"]),
                section=self.random.choice([None, "S"]),
                together=self.random.random() < 0.7,
            )
        return units(self.random.randint(1, ON_HAND[kind]), kind)

    def _action(self, venue: Venue) -> c.Command:
        rows = sorted(venue.reservations.values(), key=lambda row: row.reference)[-8:]
        row = self.random.choice(rows)
        kind = self.random.choice(ACTIONS[row.state])
        number = int(row.reference[1:]) + (self.random.random() < 0.05)
        return act(kind, number, if_match=self._if_match(row), **self._facts(kind, row))

    def _if_match(self, row: Reservation) -> int | None:
        return self.random.choice([None] * 6 + [row.version, row.version - 1])

    def _facts(self, kind: type[c.Command], row: Reservation) -> dict[str, Any]:
        if kind is c.ConfirmReservation:
            return {"late": self.random.choice(["never", "if_available", "if_available"])}
        if kind is c.ExtendReservation:
            return {"hold_seconds": self.random.choice([None, 5, 350, 1000])}
        if kind is c.ExpireReservation or self.random.random() < 0.5:
            return {}
        return {"lines": tuple(self.random.choices(range(1, len(row.lines) + 2), k=self.random.choice([1, 1, 2])))}

    def _sku(self) -> str:
        return self.random.choice(sorted(ON_HAND))

    def _put(self) -> c.Command:
        return put_stock(self.random.randint(0, 6), self._sku())

    def _adjust(self) -> c.Command:
        return adjust_stock(self.random.choice([-3, -1, 1, 3]), self.random.choice("abcdef"), self._sku())

    def _block(self) -> c.Command:
        chosen = self.random.sample(SEATS, self.random.choice([1, 2]))
        return block(*chosen, blocked=self.random.random() < 0.4)

    def _promote(self) -> c.Command:
        usual: dict[str, Any] = {"account_id": ACCOUNT, "actor": "worker"}
        if self.random.random() < 0.5:
            sku = self._sku()
            return c.PromoteWaiting(**usual, pool_id=identifier(f"{sku}@default"), sku=sku, location="default")
        pool_id = identifier(f"final={self.random.choice('12')}")
        return c.PromoteWaiting(**usual, pool_id=pool_id, event="final")
