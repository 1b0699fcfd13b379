"""Whether the lines that a create was told are what it asked for: the same seats, as many, the same units."""

from collections import Counter

import msgspec


class BestAvailable(msgspec.Struct, frozen=True):
    """Seats of the service's choice."""

    quantity: int


class AskedLine(msgspec.Struct, frozen=True):
    """A line of a request."""

    event: str | None = None
    seats: list[str] = []
    best_available: BestAvailable | None = None
    sku: str | None = None
    location: str = "default"
    quantity: int = 0


class AskedBody(msgspec.Struct, frozen=True):
    """What of a create says which units it wants."""

    lines: list[AskedLine]


class ShownLine(msgspec.Struct, frozen=True):
    """A line of a reservation as it is shown; times as RFC 3339."""

    line: int
    quantity: int
    amount: int | None
    currency: str | None
    event: str | None = None
    seat: str | None = None
    sku: str | None = None
    location: str | None = None
    released_at: str | None = None

    @property
    def name(self) -> str | None:
        return self.event if self.sku is None else self.sku

    @property
    def place(self) -> str | None:
        return self.seat if self.sku is None else self.location


def misfit(asked_body: str, shown_lines: msgspec.Raw) -> str:
    """How the lines differ from those asked for, in words; empty where they do not."""
    asked = msgspec.json.decode(asked_body, type=AskedBody).lines
    shown = msgspec.json.decode(shown_lines, type=list[ShownLine])
    stock = Counter({(line.sku, line.location): line.quantity for line in asked if line.sku is not None})
    told_stock = Counter({(line.sku, line.location): line.quantity for line in shown if line.sku is not None})
    if stock != told_stock:
        return f"with {dict(told_stock)} of stock where {dict(stock)} was asked for"
    seats: Counter[str | None] = Counter(
        {line.event: len(line.seats) for line in asked if line.event is not None and line.seats}
    )
    seats.update({line.event: line.best_available.quantity for line in asked if line.best_available is not None})
    told_seats = Counter(line.event for line in shown if line.event is not None)
    if seats != told_seats:
        return f"with {dict(told_seats)} seats where {dict(seats)} were asked for"
    named = {(line.event, seat) for line in asked for seat in line.seats}
    missing = named - {(line.event, line.seat) for line in shown}
    # A pending reservation has no seats yet where the service chooses them; those named it has.
    return f"without {sorted(f'{event} {seat}' for event, seat in missing)}" if missing else ""
