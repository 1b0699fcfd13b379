"""Two hundred customers: what each of them wants, what becomes of it, and how they insist on it.

Who wants what is the same in every run. Who gets it is not: that is decided by who comes first.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Final, TypeVar
from uuid import uuid4

import msgspec

from service.demo.calls import Answer, Caller, ConnectionLost, Cut, Request
from service.demo.stage import EVENT, Stage

T = TypeVar("T")

CUSTOMERS: Final = 200
FRONT_SEATS: Final = 28
SCARCE_ITEMS: Final = 4
FORGOTTEN_HOLD_SECONDS: Final = 8
"""Of holds that are left to expire: short, so that nobody has to wait for it."""

PATIENCE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.2

encode: Final = msgspec.json.Encoder().encode


class Gone(Exception):
    """The service has given no answer for so long that a customer stopped asking."""


class Fate(Enum):
    """What the customer does with a hold."""

    CONFIRM = "confirm"
    RELEASE = "release"
    FORGET = "forget"


class Customer(msgspec.Struct, frozen=True):
    """`lines` are those of a request; all of them are wanted or none."""

    number: int
    lines: list[dict[str, Any]]
    fate: Fate

    @property
    def name(self) -> str:
        return f"c-{self.number + 1:03}"

    @property
    def copies(self) -> int:
        """How often they send a request at once: three to five times."""
        return 3 + self.number % 3

    @property
    def answers(self) -> int:
        """How many they get: one a copy, and one to the question after the broken connection."""
        return self.copies + 1

    @property
    def cut(self) -> Cut:
        """Where one more of their connections breaks."""
        return tuple(Cut)[self.number // 3 % 3]


class Line(msgspec.Struct):
    """One seat or some units of a stock item."""

    quantity: int
    seat: str | None = None
    sku: str | None = None
    released_at: str | None = None


class Reservation(msgspec.Struct):
    """What a client reads of a reservation."""

    reference: str
    state: str
    version: int
    lines: list[Line]
    external_reference: str | None
    created_at: str
    ended_at: str | None

    def units(self) -> list[tuple[str, int]]:
        return sorted((line.seat or line.sku or "", line.quantity) for line in self.lines)


class Problem(msgspec.Struct):
    """What a client reads of a problem."""

    type: str
    retryable: bool

    @property
    def slug(self) -> str:
        return self.type.rpartition("/")[2]


class Told(msgspec.Struct, frozen=True):
    """Everything that a customer was told about one operation, in order of arrival; never empty.

    `subject` is the external reference of a hold, the reference of an action.
    """

    customer: str
    action: str
    subject: str
    answers: list[Answer]

    @property
    def answer(self) -> Answer:
        return self.answers[0]

    @property
    def slug(self) -> str:
        """Why it was refused; only for a refused one."""
        return msgspec.json.decode(self.answer.body, type=Problem).slug


def reservation_in(answer: Answer) -> Reservation:
    """What a success says."""
    return msgspec.json.decode(answer.body, type=Reservation)


def crowd(stage: Stage) -> list[Customer]:
    """Of five customers three confirm, one releases and one forgets; each fifth is to be found in every group."""
    fates = (Fate.CONFIRM, Fate.CONFIRM, Fate.CONFIRM, Fate.RELEASE, Fate.FORGET)
    return [Customer(number, _wish(number, stage), fates[number % len(fates)]) for number in range(CUSTOMERS)]


def _wish(number: int, stage: Stage) -> list[dict[str, Any]]:
    match number // 10 % 10:
        case 0 | 1 | 2 | 3:
            first = number * 11 % (FRONT_SEATS - 1)
            return [_seats(stage.seats[first : first + 2])]
        case 4 | 5 | 6:
            scarce = sorted(stage.units, key=lambda sku: (stage.units[sku], sku))[number % SCARCE_ITEMS]
            return [_best(1), _units(scarce, 1)]
        case 7 | 8:
            return [_best(2), _units(next(iter(stage.units)), 2)]
        case _:
            return [_best(4)]


def _seats(labels: Sequence[str]) -> dict[str, Any]:
    return {"event": EVENT, "seats": list(labels)}


def _best(quantity: int) -> dict[str, Any]:
    return {"event": EVENT, "best_available": {"quantity": quantity}}


def _units(sku: str, quantity: int) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity}


async def hold(caller: Caller, customer: Customer, attempt: int) -> Told:
    """All that the customer is told of one hold, insisted on under one key. Raises Gone."""
    order = f"order-{customer.number + 1:03}-{attempt}"
    body: dict[str, Any] = {"lines": customer.lines, "customer": customer.name, "external_reference": order}
    if customer.fate is Fate.FORGET and attempt == 1:
        body["hold_seconds"] = FORGOTTEN_HOLD_SECONDS
    request = Request("POST", "/v1/reservations", encode(body), str(uuid4()))
    return Told(customer.name, "hold", order, await _insist(caller, customer, request))


async def act(caller: Caller, customer: Customer, action: str, reference: str) -> Told:
    """All that the customer is told of one action, insisted on under one key. Raises Gone."""
    request = Request("POST", f"/v1/reservations/{reference}/{action}", b"{}", str(uuid4()))
    return Told(customer.name, action, reference, await _insist(caller, customer, request))


async def _insist(caller: Caller, customer: Customer, request: Request) -> list[Answer]:
    """The request several times at once, one of them on a connection that breaks; and, for that one, again."""

    async def broken() -> None:
        try:
            await caller.send_and_cut(request, customer.cut)
        except ConnectionLost:
            return  # broken before it was meant to be

    answers: list[Answer] = []

    async def whole() -> None:
        answers.append(await _until_answered(caller, request))

    await together([broken, *[whole] * customer.copies])
    await whole()
    return answers


async def _until_answered(caller: Caller, request: Request) -> Answer:
    """The final answer: lost ones, and those that say so, are asked for again with the same key. Raises Gone."""
    until = time.monotonic() + PATIENCE_SECONDS
    last = ""
    while time.monotonic() < until:
        try:
            answer = await caller.send(request)
        except ConnectionLost as error:
            last = str(error)
        else:
            if answer.is_success:
                return answer
            problem = msgspec.json.decode(answer.body, type=Problem)
            if not problem.retryable:
                return answer
            last = problem.slug
        await asyncio.sleep(PAUSE_SECONDS)
    raise Gone(f"{request.method} {request.path} had no answer in {PATIENCE_SECONDS:g} s; the last try: {last}")


async def together(works: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """The results of all of them, run at once. If one fails, the others are ended."""
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
