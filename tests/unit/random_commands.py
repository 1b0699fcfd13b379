"""Random histories of one small venue: batches of any commands, with time passing between them.

Chance looks at the model, so that most actions find a reservation and most of the time that passes ends something.
A command may come again as it was, with its idempotency key, or with its key and something else. Each step has a seed
of its own: hypothesis leaves out the steps that a failure does not need, and what is left reads as commands.

Drawing the commands member by member would shrink further, and was tried: it hardly made a reservation, and let
sixteen of eighteen planted mistakes pass.
"""

from collections import Counter
from random import Random
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from service.reservations import commands as c
from tests.unit.builders import (
    ACCOUNT,
    START,
    Venue,
    act,
    adjust_stock,
    best,
    block,
    hold,
    identifier,
    keyed,
    put_stock,
    reference,
    seats,
    units,
)
from tests.unit.model import Model
from tests.unit.model_inventory import Booking

ROWS = {"A": 4, "B": 3}
CATEGORIES = {"A": "1", "B": "2"}
ON_HAND = {"tea": 4, "mug": 2}
HOLD_SECONDS, HOLD_SECONDS_MAX = 300, 400
SEATS = [f"{row}{number}" for row, count in ROWS.items() for number in range(1, count + 1)]
MILLISECONDS = (1, 999, 10_000, 59_999, 60_000, 300_000)
SEEDS = st.integers(0, 2**24 - 1)
UNKNOWN = reference(0)

ACTIONS = {
    "pending": (c.ReleaseReservation, c.ExpireReservation, c.ConfirmReservation),
    "held": (c.ConfirmReservation, c.ExtendReservation, c.ReleaseReservation, c.ExpireReservation),
    "confirmed": (c.CancelReservation, c.ConfirmReservation, c.CancelReservation, c.ReleaseReservation),
    "expired": (c.ConfirmReservation, c.ConfirmReservation, c.ConfirmReservation, c.ReleaseReservation),
    "released": (c.ReleaseReservation, c.ConfirmReservation),
    "cancelled": (c.CancelReservation, c.ConfirmReservation),
}


def in_words(command: c.Command) -> str:
    """What a reader of a failed program wants to see of a command: its kind, its own facts, the start of its key."""
    own = [name for name in command.__struct_fields__ if name not in c.Command.__struct_fields__ or name == "reason"]
    facts = {name: value for name in own if (value := getattr(command, name)) not in (None, ())}
    key = f", key {command.key.scope_hash.hex()[:6]}" if command.key is not None else ""
    return f"{type(command).__name__}({', '.join(f'{name}={value}' for name, value in facts.items())}{key})"


def venue() -> Venue:
    made = Venue()
    made.add_event(rows=ROWS, categories=CATEGORIES, hold_seconds=HOLD_SECONDS, hold_seconds_max=HOLD_SECONDS_MAX)
    for sku, on_hand in ON_HAND.items():
        made.add_stock(sku, on_hand)
    return made


def new_model(now: int = START) -> Model:
    return Model(rows=ROWS, categories=CATEGORIES, on_hand=dict(ON_HAND), hold_s_max=HOLD_SECONDS_MAX, now=now)


class Chance:
    """Makes the same step of the same seed and model. `keyed` are the commands with keys that it has made.

    `by_clients`: only commands that come over HTTP.
    """

    def __init__(self, model: Model, *, by_clients: bool = False) -> None:
        self.model = model
        self.random = Random(0)
        self.keyed: list[Any] = []
        self._begun: Counter[int] = Counter()
        self._by_clients = by_clients

    def begin(self, seed: int) -> None:
        """The next step. Hypothesis likes to say the same again; a seed that comes again means something new."""
        self._begun[seed] += 1
        self.random = Random(seed + (self._begun[seed] << 32))

    def milliseconds(self) -> int:
        """To pass before the next batch: often just to the end of something, or just not."""
        model = self.model
        ends = [booking.lapses - model.now for booking in model.bookings if booking.lapses is not None]
        until = [wait for end in ends for wait in (end - 1, end) if wait > 0]
        return self.random.choice(self.random.choice([(0,), (0,), (0,), MILLISECONDS, until or (0,)]))

    def batch(self, most: int = 4) -> list[c.Command]:
        return [self.command() for _ in range(self.random.randint(1, most))]

    def command(self) -> c.Command:
        repeat = self.random.random()
        if self.keyed and repeat < 0.15:
            return self._again()
        command = self._new()
        if repeat < 0.5 and not isinstance(command, c.ExpireReservation):  # the worker's own, which has no key
            command = keyed(command, f"key-{len(self.keyed)}")
            self.keyed.append(command)
        return command

    def _again(self) -> c.Command:
        earlier = self.random.choice(self.keyed)
        if self.random.random() < 0.7:
            return earlier
        if isinstance(earlier, c.PutStock):  # its body has no reason
            other: Any = replace(earlier, on_hand=earlier.on_hand + 1)
        else:
            other = replace(earlier, reason="another")
        if isinstance(other, c.ReservationCommand) and self.random.random() < 0.3:
            other = replace(other, reference=UNKNOWN)
        again = keyed(other, "")
        return replace(again, key=replace(again.key, scope_hash=earlier.key.scope_hash))

    def _new(self) -> Any:
        kind = self.random.random()
        if kind < 0.35 or not self.model.bookings:
            return self._create()
        if kind < 0.8:
            return self._action()
        operator = [self._put, self._adjust, self._block, *([] if self._by_clients else [self._promote])]
        return self.random.choice(operator)()

    def _create(self) -> c.Command:
        return hold(
            *self._lines(),
            hold_seconds=self.random.choice([None] * 4 + [10, 30, 90, 390] * 2 + [401]),
            external_reference=self.random.choice([None] * 16 + ["order-1", "order-2"]),
            wait=self.random.random() < 0.5,
            wait_seconds=self.random.choice([30, 120, 3600, 3600]),
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

    def _action(self) -> c.Command:
        newest = self.model.bookings[-12:]
        going = [booking for booking in newest if booking.state in {"pending", "held", "confirmed"}]
        booking = self.random.choice(going if going and self.random.random() < 0.6 else newest)
        possible = [kind for kind in ACTIONS[booking.state] if not (self._by_clients and kind is c.ExpireReservation)]
        kind = self.random.choice(possible)
        number = booking.number + (self.random.random() < 0.05)
        return act(kind, number, if_match=self._if_match(booking.version), **self._facts(kind, booking))

    def _if_match(self, version: int) -> int | None:
        return self.random.choice([None] * 6 + [version, version - 1])

    def _facts(self, kind: type[c.Command], booking: Booking) -> dict[str, Any]:
        if kind is c.ConfirmReservation:
            return {"late": self.random.choice(["never", "if_available", "if_available"])}
        if kind is c.ExtendReservation:
            return {"hold_seconds": self.random.choice([None, 5, 350, 1000])}
        if kind is c.ExpireReservation or self.random.random() < 0.6:
            return {}
        lines = range(1, len(booking.parts) + 1 + (self.random.random() < 0.1))
        return {"lines": tuple(self.random.choices(lines, k=self.random.choice([1, 1, 2])))}

    def _sku(self) -> str:
        return self.random.choice(sorted(ON_HAND))

    def _put(self) -> c.Command:
        sku = self._sku()
        return put_stock(self.random.randint(0, 6), sku, if_match=self._if_match(self.model.stock_versions[sku]))

    def _adjust(self) -> c.Command:
        delta, reason = self.random.choice([-3, -1, 1, 3]), self.random.choice([None, None, "counted"])
        return adjust_stock(delta, self.random.choice("abcdef"), self._sku(), reason=reason)

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
