"""The acts: everybody holds at once, then confirms, gives back or forgets; and who came too late tries again."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from service.demo.calls import Caller, Request
from service.demo.customers import (
    FORGOTTEN_HOLD_SECONDS,
    Customer,
    Fate,
    Reservation,
    Told,
    act,
    hold,
    reservation_in,
    together,
)
from service.demo.place import DemoFailed
from service.demo.screen import Screen

SWEEP_SECONDS: Final = 20.0
"""Patience with the sweep, beyond the life of the holds. It comes within about a second."""

LOOK_SECONDS: Final = 1.0

Work = Callable[[], Awaitable[Told]]


class HeldPage(msgspec.Struct):
    """Enough of a page of held reservations to wait for their end."""

    reservations: list["HeldReservation"]


class HeldReservation(msgspec.Struct):
    """Whole seconds that are left of it."""

    hold_remaining_s: int


class Story:
    """`told` is everything that a customer was told, in the order of the acts."""

    def __init__(self, screen: Screen, caller: Caller, watcher: Caller, customers: Sequence[Customer]) -> None:
        self.told: list[Told] = []
        self._screen = screen
        self._caller = caller
        self._watcher = watcher
        self._customers = customers

    async def play(self) -> None:
        """All acts. Raises Gone, DemoFailed, ConnectionLost."""
        screen = self._screen
        screen.heading(
            f"1  {len(self._customers)} customers hold at once, many of them the same seats and the last units"
        )
        screen.say("each", "sends it 3 to 5 times at once, loses one more connection, and asks again with the same key")
        first = await self._hold(self._customers, attempt=1)
        screen.heading("2  They confirm, give back, or forget")
        await self._act("confirm", self._with(first, Fate.CONFIRM))
        await self._act("release", self._with(first, Fate.RELEASE))
        forgotten = self._with(first, Fate.FORGET)
        screen.heading(f"3  {len(forgotten)} forgotten holds expire")
        await self._wait_for_sweep()
        await self._act("confirm", forgotten)
        late = [customer for customer in self._customers if not first[customer.number].answer.is_success]
        screen.heading(f"4  The {len(late)} who were refused try again, with a new key")
        second = await self._hold(late, attempt=2)
        await self._act("confirm", self._with(second, *Fate))

    async def _hold(self, customers: Sequence[Customer], attempt: int) -> dict[int, Told]:
        """What each of them was told, by the customer's number."""
        works = [partial(hold, self._caller, who, attempt) for who in customers]
        told = await self._all("hold", customers, works)
        return {who.number: one for who, one in zip(customers, told, strict=True)}

    async def _act(self, action: str, held: Sequence[tuple[Customer, Reservation]]) -> None:
        works = [partial(act, self._caller, who, action, seen.reference) for who, seen in held]
        await self._all(action, [who for who, _ in held], works)

    async def _all(self, label: str, customers: Sequence[Customer], works: Sequence[Work]) -> list[Told]:
        """What everybody is told; shows the answers as they come."""
        began, before = time.monotonic(), self._caller.tally.answers
        with self._screen.bar(label, sum(who.answers for who in customers)) as show:
            self._caller.on_answer = lambda tally: show(tally.answers - before)
            told = await together(works)
        self.told += told
        self._screen.say(label, f"{_outcomes(told)}; {time.monotonic() - began:.1f} s")
        return told

    def _with(self, told: dict[int, Told], *fates: Fate) -> list[tuple[Customer, Reservation]]:
        """Those of these fates who got what they wanted."""
        return [
            (who, reservation_in(told[who.number].answer))
            for who in self._customers
            if who.fate in fates and who.number in told and told[who.number].answer.is_success
        ]

    async def _wait_for_sweep(self) -> None:
        """Until no hold is left. Nothing is said to the service: its own clock ends them."""
        until = time.monotonic() + FORGOTTEN_HOLD_SECONDS + SWEEP_SECONDS
        with self._screen.waiting("expire") as show:
            while held := await self._held():
                if time.monotonic() > until:
                    raise DemoFailed(f"{len(held)} holds are past their time, and no sweep has ended them")
                show(f"{len(held)} holds; the last is over in {max(one.hold_remaining_s for one in held)} s")
                await asyncio.sleep(LOOK_SECONDS)
        self._screen.say("expire", "all of them: the sweep has given their seats and units back")

    async def _held(self) -> list[HeldReservation]:
        answer = await self._watcher.send(Request("GET", "/v1/reservations?state=held&limit=500"))
        return msgspec.json.decode(answer.body, type=HeldPage).reservations


def _outcomes(told: Sequence[Told]) -> str:
    """As in `79 held, 121 refused (inventory-unavailable)`."""
    done = Counter(reservation_in(one.answer).state for one in told if one.answer.is_success)
    refused = Counter(one.slug for one in told if not one.answer.is_success)
    parts = [f"{count} {state}" for state, count in done.items()]
    parts += [f"{count} refused ({slug})" for slug, count in refused.items()]
    return ", ".join(parts) or "nobody"
