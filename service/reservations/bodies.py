"""What clients send about reservations: bodies and queries, and the commands' lines that come of them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.clock import from_rfc3339
from service.http.parameters import Cursor, Limit
from service.http.validate import metadata_errors
from service.inventory.bodies import Errors, HoldSeconds
from service.names import ExternalReference, Instant, Name, Reason, SeatLabel, Section
from service.reservations.commands import BestAvailableLine, RequestLine, SeatsLine, StockLine

SEAT_UNITS_MAX = 100
LINES_MAX = 100

Quantity = Annotated[int, Meta(ge=1, le=1_000_000, description="Units of stock: 1 to 1000000")]
SeatQuantity = Annotated[int, Meta(ge=1, le=SEAT_UNITS_MAX, description="Seats: 1 to 100")]
WaitSeconds = Annotated[int, Meta(ge=1, le=86_400, description="Seconds: 1 to 86400")]
LineNumber = Annotated[int, Meta(ge=1, le=10_000, description="The number of a line, from 1")]


class BestAvailable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seats for the service to choose; `section` and `category` narrow them, `together` means neighbours in one row."""

    quantity: SeatQuantity
    section: Section | None = None
    category: Name | None = None
    together: bool = True


class PostLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of: `event` with `seats`; `event` with `best_available`; `sku` with `quantity` (and `location`)."""

    event: Name | UnsetType = UNSET
    seats: Annotated[list[SeatLabel], Meta(min_length=1, max_length=SEAT_UNITS_MAX)] | UnsetType = UNSET
    best_available: BestAvailable | UnsetType = UNSET
    sku: Name | UnsetType = UNSET
    location: Name | UnsetType = UNSET
    quantity: Quantity | UnsetType = UNSET

    def flaw(self) -> str | None:
        """Why this is none of the three kinds of line."""
        if self.sku is not UNSET:
            if self.event is not UNSET or self.seats is not UNSET or self.best_available is not UNSET:
                return "has a sku and so no event, seats or best_available"
            return None if self.quantity is not UNSET else "has a sku and so needs a quantity"
        if self.event is UNSET:
            return "needs an event or a sku"
        if self.quantity is not UNSET or self.location is not UNSET:
            return "has an event and so no quantity or location of its own"
        if (self.seats is UNSET) == (self.best_available is UNSET):
            return "has an event and so needs either seats or best_available"
        return None

    def command_line(self, number: int) -> RequestLine:
        """The line as commands have it; only for a line without a flaw."""
        if self.event is UNSET:
            return StockLine(number, self.sku or "", self.location or "default", self.quantity or 0)
        if self.seats is not UNSET:
            return SeatsLine(number, self.event, tuple(self.seats))
        best = self.best_available
        if best is UNSET:
            raise ValueError(number)
        return BestAvailableLine(number, self.event, best.quantity, best.together, best.section, best.category)


class PostReservation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to hold: all of the lines or nothing; with `wait`, pending until all can be had."""

    lines: Annotated[list[PostLine], Meta(min_length=1, max_length=LINES_MAX)]
    customer: Name | None = None
    external_reference: ExternalReference | None = None
    hold_seconds: HoldSeconds | None = None
    wait: bool = False
    wait_seconds: WaitSeconds = 3600
    metadata: dict[str, Any] | None = None
    reason: Reason | None = None

    def problems(self) -> Errors:
        errors: Errors = [
            (f"$.lines[{place}]", flaw) for place, line in enumerate(self.lines) if (flaw := line.flaw()) is not None
        ]
        if not errors:
            errors = [*self._repeated(), *self._too_many()]
        if self.metadata is not None:
            errors += metadata_errors("$.metadata", self.metadata)
        return errors

    def _repeated(self) -> Errors:
        errors: Errors = []
        seen: set[tuple[str, str | UnsetType, str]] = set()
        for place, line in enumerate(self.lines):
            if line.sku is not UNSET:
                name = ("stock", line.sku, line.location or "default")
                if name in seen:
                    errors.append((f"$.lines[{place}].sku", "is in the request twice"))
                seen.add(name)
            for at, seat in enumerate(line.seats or ()):
                if ("seat", line.event, seat) in seen:
                    errors.append((f"$.lines[{place}].seats[{at}]", "is in the request twice"))
                seen.add(("seat", line.event, seat))
        return errors

    def _too_many(self) -> Errors:
        seats = sum(len(line.seats or ()) for line in self.lines)
        seats += sum(line.best_available.quantity for line in self.lines if line.best_available is not UNSET)
        return (
            [("$.lines", f"want {seats} seats, but at most {SEAT_UNITS_MAX} are held at once")]
            if seats > SEAT_UNITS_MAX
            else []
        )

    def command_lines(self) -> tuple[RequestLine, ...]:
        return tuple(line.command_line(number) for number, line in enumerate(self.lines, 1))


class PostConfirm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`late`: whether a hold past its time is confirmed if every unit is still free."""

    late: Literal["never", "if_available"] = "never"
    reason: Reason | None = None


class PostExtend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`hold_seconds` counts from now; without it the hold_seconds of the create."""

    hold_seconds: HoldSeconds | None = None
    reason: Reason | None = None


class PostRelease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`lines`: numbers of the lines to give back; without them the whole."""

    lines: Annotated[list[LineNumber], Meta(min_length=1)] | None = None
    reason: Reason | None = None


class PostCancel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`lines`: numbers of the lines to give back; without them the whole. `refund`: what becomes of its payments."""

    lines: Annotated[list[LineNumber], Meta(min_length=1)] | None = None
    refund: Literal["original", "credit", "none"] = "none"
    reason: Reason | None = None


class ReservationFilters(msgspec.Struct, forbid_unknown_fields=True):
    """Which reservations; all filters that are given hold together."""

    state: Literal["pending", "held", "confirmed", "released", "expired", "cancelled"] | None = None
    customer: Name | None = None
    event: Name | None = None
    sku: Name | None = None
    expires_before: Instant | None = None
    created_before: Instant | None = None
    stale: Annotated[
        bool | None,
        Meta(description="`true`: holds past their time that no sweep has met yet; `false`: holds within their time"),
    ] = None
    external_reference: ExternalReference | None = None

    def problems(self) -> Errors:
        errors: Errors = []
        for path, text in (("?expires_before", self.expires_before), ("?created_before", self.created_before)):
            try:
                text is None or from_rfc3339(text)
            except ValueError as error:
                errors.append((path, str(error)))
        if self.stale is not None and self.state not in (None, "held"):
            errors.append(
                ("?stale", f"is about held reservations, and so never about {self.state} ones; leave one out")
            )
        return errors


class ReservationsQuery(ReservationFilters, forbid_unknown_fields=True):
    """Which reservations, in which order, and which page of them."""

    order: Annotated[
        Literal["newest", "oldest", "expires"],
        Meta(description="By their making, either way; or by when time ends them, held and pending ones only"),
    ] = "newest"
    cursor: Cursor = None
    limit: Limit = 100

    def problems(self) -> Errors:
        errors = ReservationFilters.problems(self)
        if self.order == "expires" and self.state not in (None, "pending", "held"):
            errors.append(
                ("?order", f"cannot be expires: time ends no {self.state} reservation; ask for newest or oldest")
            )
        return errors


class ReservationCountQuery(ReservationFilters, forbid_unknown_fields=True):
    """Which reservations to count, and how far."""

    at_most: Annotated[int, Meta(ge=1, le=1_000_000, description="Where counting stops")] = 10_000
