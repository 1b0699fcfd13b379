"""What the API says in the end of everything that the account has. Read page by page, as any client would."""

import asyncio
from functools import partial
from typing import Final
from urllib.parse import quote

import msgspec

from service.demo.calls import Caller, Request
from service.demo.customers import Reservation, together
from service.demo.place import DemoFailed
from service.demo.stage import EVENT

PAGE: Final = 500
READERS: Final = 16


class Change(msgspec.Struct, rename={"target": "to"}):
    """One row of a reservation's history."""

    version: int
    target: str


class Seat(msgspec.Struct):
    """One seat of the event."""

    seat: str
    state: str


class StockItem(msgspec.Struct):
    """The counts of one stock item."""

    sku: str
    on_hand: int
    held: int
    confirmed: int


class Page(msgspec.Struct):
    """A page of whatever was asked for; the other lists are empty."""

    next_cursor: str | None
    reservations: list[Reservation] = []
    history: list[Change] = []
    seats: list[Seat] = []
    stock: list[StockItem] = []


class Found(msgspec.Struct):
    """The truth: reservations by reference, their histories, the seats' states, the counts of stock."""

    reservations: dict[str, Reservation]
    histories: dict[str, list[Change]]
    seats: dict[str, str]
    stock: dict[str, StockItem]


async def find(caller: Caller) -> Found:
    """Everything. Raises DemoFailed where the service refuses to say, ConnectionLost."""
    reservations = {
        reservation.reference: reservation
        for page in await _pages(caller, "/v1/reservations")
        for reservation in page.reservations
    }
    free = asyncio.Semaphore(READERS)

    async def history(reference: str) -> tuple[str, list[Change]]:
        async with free:
            pages = await _pages(caller, f"/v1/reservations/{reference}/history")
        return reference, [change for page in pages for change in page.history]

    histories = dict(await together([partial(history, reference) for reference in reservations]))
    seats = await _pages(caller, f"/v1/events/{EVENT}/seats")
    stock = await _pages(caller, "/v1/stock")
    return Found(
        reservations=reservations,
        histories=histories,
        seats={seat.seat: seat.state for page in seats for seat in page.seats},
        stock={item.sku: item for page in stock for item in page.stock},
    )


async def _pages(caller: Caller, path: str) -> list[Page]:
    pages: list[Page] = []
    cursor: str | None = None
    while not pages or cursor is not None:
        after = "" if cursor is None else f"&cursor={quote(cursor, safe='')}"
        answer = await caller.send(Request("GET", f"{path}?limit={PAGE}{after}"))
        if not answer.is_success:
            raise DemoFailed(f"GET {path} was answered with {answer.status}: {answer.body.decode(errors='replace')}")
        pages.append(msgspec.json.decode(answer.body, type=Page))
        cursor = pages[-1].next_cursor
    return pages
