"""Which holds a command is about: options, and what they find by the service's own clock. The first of any list."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
import typer

from service.cli.desk import Desk
from service.cli.durations import parse_duration
from service.cli.failures import CommandFailed

if TYPE_CHECKING:
    from service.client.calls import Listing
    from service.reservations.views import ReservationPage, ReservationView

T = TypeVar("T")

PANEL: Final = "Which holds"
COUNTED_MOST: Final = 1_000_000
PAGE_MOST: Final = 500

StaleOption = Annotated[
    bool,
    typer.Option(
        "--stale", rich_help_panel=PANEL, help="Only holds whose time is over, and which no worker has ended."
    ),
]
EventOption = Annotated[
    str | None,
    typer.Option("--event", metavar="EVENT", rich_help_panel=PANEL, help="Only holds with a seat of this event."),
]
SkuOption = Annotated[
    str | None,
    typer.Option("--sku", metavar="SKU", rich_help_panel=PANEL, help="Only holds with units of this stock item."),
]
CustomerOption = Annotated[
    str | None,
    typer.Option("--customer", metavar="CUSTOMER", rich_help_panel=PANEL, help="Only holds of this customer."),
]
OlderOption = Annotated[
    str | None,
    typer.Option(
        "--older-than",
        rich_help_panel=PANEL,
        metavar="SPAN",
        help="Only holds made longer ago than this, as in 15m or 2h: live ones too, without --stale.",
    ),
]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which holds, as the options say it."""

    stale: StaleOption = False
    older_than: OlderOption = None
    event: EventOption = None
    sku: SkuOption = None
    customer: CustomerOption = None

    @property
    def names_any(self) -> bool:
        return self != Wanted()

    def check(self) -> None:
        """Raises CommandFailed where a span is none: before anything is opened."""
        if self.older_than is not None:
            parse_duration(self.older_than, "--older-than")

    def filters(self, as_of: str, expires_in_s: int | None = None) -> dict[str, Any]:
        """As the API has them; spans count from `as_of`, the service's clock, never from this host's."""
        from service.clock import from_rfc3339, to_rfc3339

        now = from_rfc3339(as_of)
        before = None
        if self.older_than is not None:
            before = to_rfc3339(max(0, now - parse_duration(self.older_than, "--older-than") * 1000))
        ends = None if expires_in_s is None else to_rfc3339(now + expires_in_s * 1000)
        return {
            "state": "held",
            "stale": True if self.stale else None,
            "event": self.event,
            "sku": self.sku,
            "customer": self.customer,
            "created_before": before,
            "expires_before": ends,
        }


class Found(msgspec.Struct, frozen=True):
    """How many holds there are at `as_of`, and how to page through them."""

    count: int
    exact: bool
    as_of: str
    filters: dict[str, Any]

    @property
    def how_many(self) -> str:
        return f"{self.count:,}{'' if self.exact else ' or more'} hold{'' if self.count == 1 else 's'}"

    def listing(self, page_size: int) -> "Listing[ReservationPage, ReservationView]":
        """They in the order in which they end."""
        from service.client import calls

        return calls.reservations(**self.filters, order="expires", page_size=page_size)


async def require_names(desk: Desk, event: str | None, sku: str | None) -> None:
    """A typing error must not look like "nothing to do". Raises Problem, CommandFailed."""
    if event is not None:
        await desk.client.event(event)
    if sku is not None and not [item async for item in desk.client.stock_items(sku=sku)]:
        raise CommandFailed(f"there is no stock item {sku!r}.")


async def head(listing: Callable[..., AsyncIterator[T]], limit: int, **filters: Any) -> tuple[list[T], bool]:  # noqa: ANN401
    """The first of what a listing of the client has, and whether there are more."""
    found: list[T] = []
    async for item in listing(**filters, page_size=min(limit + 1, PAGE_MOST)):
        if len(found) == limit:
            return found, True
        found.append(item)
    return found, False


async def find(desk: Desk, wanted: Wanted, expires_in_s: int | None = None) -> Found:
    """Count what is wanted, by the service's clock."""
    await require_names(desk, wanted.event, wanted.sku)
    filters = wanted.filters(await desk.now(), expires_in_s)
    counted = await desk.client.count_reservations(**filters, at_most=COUNTED_MOST)
    return Found(counted.count, counted.exact, counted.as_of, filters)


async def count_stale(desk: Desk, found: Found) -> int:
    """How many of them are past their time; somebody may be paying for the others now."""
    counted = await desk.client.count_reservations(**{**found.filters, "stale": True}, at_most=COUNTED_MOST)
    return counted.count
