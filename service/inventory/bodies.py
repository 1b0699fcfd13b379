"""What clients send of inventory.

Grammar and bounds stand in the types. What concerns several members at once is said by `problems`, which the decoder
asks last: a body that fails there has no effect and no record either.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.clock import from_rfc3339
from service.names import (
    Currency,
    Description,
    ExternalReference,
    Instant,
    Name,
    Number,
    Reason,
    Row,
    SeatLabel,
    Section,
    Title,
)

AMOUNT_MAX = 1_000_000_000_000
COUNT_MAX = 1_000_000_000
HOLD_SECONDS_LONGEST = 604_800  # a week
CATEGORIES_MAX = 100
SEATS_MAX = 5000
BLOCK_SEATS_MAX = 1000
"""A block is one command, and a batch has room for a few of the largest."""

Amount = Annotated[int, Meta(ge=0, le=AMOUNT_MAX, description="Price in minor units of the currency: 0 to 10^12")]
OnHand = Annotated[int, Meta(ge=0, le=COUNT_MAX, description="Units on hand: 0 to 10^9")]
Delta = Annotated[
    int, Meta(ge=-COUNT_MAX, le=COUNT_MAX, description="Change of the units on hand: -10^9 to 10^9, but not 0")
]
HoldSeconds = Annotated[int, Meta(ge=1, le=HOLD_SECONDS_LONGEST, description="Seconds: 1 to 604800")]
Coordinate = Annotated[float, Meta(ge=-1e9, le=1e9, description="Place on the venue's plan: -10^9 to 10^9")]
Sales = Literal["open", "closed"]
SeatState = Literal["available", "held", "confirmed", "blocked"]

Errors = list[tuple[str, str]]
"""Path and message of each."""


class Category(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A price group of an event's seats."""

    category: Name
    name: Title
    amount: Amount
    currency: Currency


class PutEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event as its operator defines it. `front_row` is where the best seats begin; null: the first row."""

    name: Title
    starts_at: Instant
    hold_seconds: HoldSeconds = 600
    hold_seconds_max: HoldSeconds = 3600
    sales: Sales = "open"
    front_row: Row | None = None
    categories: Annotated[list[Category], Meta(max_length=CATEGORIES_MAX)] = []

    def problems(self) -> Errors:
        errors: Errors = []
        try:
            from_rfc3339(self.starts_at)
        except ValueError as error:
            errors.append(("$.starts_at", str(error)))
        if self.hold_seconds > self.hold_seconds_max:
            errors.append(("$.hold_seconds", f"must be at most hold_seconds_max, {self.hold_seconds_max}"))
        errors += _repetitions([category.category for category in self.categories], "$.categories[{}].category")
        return errors


class PutSeat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One seat's definition. Without coordinates it is on no plan."""

    section: Section
    row: Row
    number: Number
    category: Name
    x: Coordinate | None = None
    y: Coordinate | None = None


class PutSeats(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seats to create or to change, each once; seats that are not named stay as they are."""

    seats: Annotated[list[PutSeat], Meta(max_length=SEATS_MAX)]

    def problems(self) -> Errors:
        return [*_repetitions([(seat.section, seat.row, seat.number) for seat in self.seats], "$.seats[{}]")]


class PostBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seats to take out of sale or to put back, all or none."""

    seats: Annotated[list[SeatLabel], Meta(min_length=1, max_length=BLOCK_SEATS_MAX)]
    reason: Reason | None = None

    def problems(self) -> Errors:
        return [*_repetitions(self.seats, "$.seats[{}]")]


class StockQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of a SKU's locations."""

    location: Name = "default"


class PutStockItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stock item's definition and its count on hand."""

    on_hand: OnHand
    amount: Amount
    currency: Currency
    description: Description = ""


class PostAdjustment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of the count on hand, made once however often its `reference` is sent."""

    reference: ExternalReference
    delta: Delta
    reason: Reason | None = None

    def problems(self) -> Errors:
        return [("$.delta", "must not be 0")] if self.delta == 0 else []


def _repetitions(values: Sequence[Hashable], path: str) -> Iterator[tuple[str, str]]:
    """An error for each value that has stood before; `path` has braces for its place."""
    first: dict[Hashable, int] = {}
    for place, value in enumerate(values):
        earlier = first.setdefault(value, place)
        if earlier != place:
            yield path.format(place), f"repeats {path.format(earlier)}"
