"""Every operation of the API as a function that returns the Call to send. Pure, but for the key that it draws.

A Call is one logical operation: whoever sends it, however often, sends the same bytes under the same key. An operation
that changes something has a key from the start, also where the contract does not ask for one, so that the first answer
is what every retry gets.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from service.accounts.wire import MeView
from service.idempotency.key import parse_idempotency_key
from service.idempotency.routes import KeyView
from service.ids import id_text, new_id
from service.inventory.bodies import Category, PostAdjustment, PostBlock, PutEvent, PutSeat, PutSeats, PutStockItem
from service.inventory.wire import (
    Availability,
    BlockView,
    EventsPage,
    EventView,
    SeatCounts,
    SeatsPage,
    SeatView,
    StockPage,
    StockView,
)
from service.outbox.routes import MessagePage
from service.refusals import IdempotencyKeyInvalid
from service.reservations.bodies import BestAvailable, PostLine
from service.reservations.views import HistoryEntry, HistoryPage, ReservationPage, ReservationView

T = TypeVar("T")
Page = TypeVar("Page")

RESERVATIONS = "/v1/reservations"
ADJUSTMENTS = "/v1/stock/{sku}/adjustments"
ENDINGS = ("confirm", "release", "cancel")
"""Actions that, done twice, are done once."""


class Call(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One operation: what is sent, and the type of its answer.

    `route` is the path as the API's document writes it; `target` the path as it is sent, with its query.
    `natural_key` is the caller's own name of what is made, by which it is found when the key is long forgotten.
    """

    method: Literal["GET", "POST", "PUT"]
    route: str
    target: str
    answer: Any  # type[T], which msgspec could not check
    body: bytes | None = None
    key: str | None = None
    if_match: int | None = None
    natural_key: str | None = None


AnyCall = Call[Any]


class Listing(msgspec.Struct, Generic[Page, T], frozen=True):
    """A collection: the call for the page at a cursor, and what is on a page."""

    at: Callable[[str | None], Call[Page]]
    items: Callable[[Page], Sequence[T]]
    next_cursor: Callable[[Page], str | None]


def new_key() -> str:
    """A key that nobody has used before."""
    return id_text(new_id())


def seats(event: str, *labels: str) -> PostLine:
    """A line of a hold: these seats of one event."""
    return PostLine(event=event, seats=list(labels))


def best_available(
    event: str, quantity: int, *, section: str | None = None, category: str | None = None, together: bool = True
) -> PostLine:
    """A line of a hold: so many seats, chosen by the service; `together` means next to each other in one row."""
    return PostLine(event=event, best_available=BestAvailable(quantity, section, category, together))


def stock(sku: str, quantity: int = 1, *, location: str = "default") -> PostLine:
    """A line of a hold: so many units of a stock item."""
    return PostLine(sku=sku, location=location, quantity=quantity)


def hold(
    *lines: PostLine,
    customer: str | None = None,
    external_reference: str | None = None,
    hold_seconds: int | None = None,
    wait: bool = False,
    wait_seconds: int | None = None,
    metadata: dict[str, Any] | None = None,
    reason: str | None = None,
    key: str | None = None,
) -> Call[ReservationView]:
    """Hold all lines or nothing; with `wait`, stay pending until all can be had."""
    body = _members(
        lines=lines,
        customer=customer,
        external_reference=external_reference,
        hold_seconds=hold_seconds,
        wait=wait or None,
        wait_seconds=wait_seconds,
        metadata=metadata,
        reason=reason,
    )
    return change("POST", RESERVATIONS, ReservationView, body, key, natural_key=external_reference)


def confirm(
    reference: str,
    *,
    late: Literal["never", "if_available"] | None = None,
    reason: str | None = None,
    if_match: int | None = None,
    key: str | None = None,
) -> Call[ReservationView]:
    """Confirm a hold; past its time only with `late="if_available"`, and if every unit is still free."""
    return _action("confirm", reference, _members(late=late, reason=reason), if_match, key)


def extend(
    reference: str,
    hold_seconds: int | None = None,
    *,
    reason: str | None = None,
    if_match: int | None = None,
    key: str | None = None,
) -> Call[ReservationView]:
    """Let a hold last so long from now, within its cap."""
    return _action("extend", reference, _members(hold_seconds=hold_seconds, reason=reason), if_match, key)


def release(
    reference: str,
    lines: Sequence[int] | None = None,
    *,
    reason: str | None = None,
    if_match: int | None = None,
    key: str | None = None,
) -> Call[ReservationView]:
    """Give back before confirm: the whole, or the lines of these numbers."""
    return _action("release", reference, _members(lines=lines, reason=reason), if_match, key)


def cancel(
    reference: str,
    lines: Sequence[int] | None = None,
    *,
    refund: Literal["original", "credit", "none"] | None = None,
    reason: str | None = None,
    if_match: int | None = None,
    key: str | None = None,
) -> Call[ReservationView]:
    """Give back after confirm: the whole, or the lines of these numbers."""
    return _action("cancel", reference, _members(lines=lines, refund=refund, reason=reason), if_match, key)


def reservation(reference: str) -> Call[ReservationView]:
    """One reservation as it is now."""
    return read(f"{RESERVATIONS}/{{reference}}", ReservationView, reference=reference)


def reservations(  # noqa: PLR0913 - all that narrows a list
    *,
    state: Literal["pending", "held", "confirmed", "released", "expired", "cancelled"] | None = None,
    customer: str | None = None,
    event: str | None = None,
    sku: str | None = None,
    expires_before: str | None = None,
    created_before: str | None = None,
    stale: bool | None = None,
    external_reference: str | None = None,
    order: Literal["newest", "oldest", "expires"] | None = None,
    page_size: int | None = None,
) -> Listing[ReservationPage, ReservationView]:
    """Reservations, newest first unless `order` says otherwise; all filters that are given hold together.

    `stale` are holds past their time that no sweep has met. `order="expires"` is by the end of hold or wait.
    """

    def at(cursor: str | None) -> Call[ReservationPage]:
        return read(
            RESERVATIONS,
            ReservationPage,
            query={
                "state": state,
                "customer": customer,
                "event": event,
                "sku": sku,
                "expires_before": expires_before,
                "created_before": created_before,
                "stale": stale,
                "external_reference": external_reference,
                "order": order,
                "limit": page_size,
                "cursor": cursor,
            },
        )

    return Listing(at, lambda page: page.reservations, lambda page: page.next_cursor)


def history(reference: str, *, page_size: int | None = None) -> Listing[HistoryPage, HistoryEntry]:
    """Every change of one reservation's state, oldest first."""

    def at(cursor: str | None) -> Call[HistoryPage]:
        query = {"limit": page_size, "cursor": cursor}
        return read(f"{RESERVATIONS}/{{reference}}/history", HistoryPage, query=query, reference=reference)

    return Listing(at, lambda page: page.history, lambda page: page.next_cursor)


def put_event(  # noqa: PLR0913 - all that defines an event
    event: str,
    *,
    name: str,
    starts_at: str,
    categories: Sequence[Category] = (),
    hold_seconds: int | None = None,
    hold_seconds_max: int | None = None,
    sales: Literal["open", "closed"] | None = None,
    front_row: str | None = None,
    if_match: int | None = None,
    key: str | None = None,
) -> Call[EventView]:
    """Create or replace an event; what is left out gets its default."""
    body = PutEvent(name=name, starts_at=starts_at, categories=list(categories), front_row=front_row)
    given = _members(hold_seconds=hold_seconds, hold_seconds_max=hold_seconds_max, sales=sales)
    body = msgspec.structs.replace(body, **given)
    return change("PUT", "/v1/events/{event}", EventView, body, key, if_match=if_match, event=event)


def event(event: str) -> Call[EventView]:
    """One event's definition."""
    return read("/v1/events/{event}", EventView, event=event)


def events(*, page_size: int | None = None) -> Listing[EventsPage, EventView]:
    """All events, in the order of their names."""
    return Listing(
        lambda cursor: read("/v1/events", EventsPage, query={"limit": page_size, "cursor": cursor}),
        lambda page: page.events,
        lambda page: page.next_cursor,
    )


def put_seats(event: str, seats: Sequence[PutSeat], *, key: str | None = None) -> Call[SeatCounts]:
    """Create or change up to 5,000 seats of an event; a live seat keeps its state."""
    return change("PUT", "/v1/events/{event}/seats", SeatCounts, PutSeats(list(seats)), key, event=event)


def seat_map(
    event: str,
    *,
    section: str | None = None,
    state: Literal["available", "held", "confirmed", "blocked"] | None = None,
    category: str | None = None,
    page_size: int | None = None,
) -> Listing[SeatsPage, SeatView]:
    """Seats of an event with their states and coordinates, in the order of their labels."""

    def at(cursor: str | None) -> Call[SeatsPage]:
        query = {"section": section, "state": state, "category": category, "limit": page_size, "cursor": cursor}
        return read("/v1/events/{event}/seats", SeatsPage, query=query, event=event)

    return Listing(at, lambda page: page.seats, lambda page: page.next_cursor)


def availability(event: str) -> Call[Availability]:
    """How many seats of an event are in which state, by section and category."""
    return read("/v1/events/{event}/availability", Availability, event=event)


def block_seats(event: str, *labels: str, reason: str | None = None, key: str | None = None) -> Call[BlockView]:
    """Take available seats out of sale, all or none."""
    body = PostBlock(list(labels), reason)
    return change("POST", "/v1/events/{event}/blocks", BlockView, body, key, event=event)


def unblock_seats(event: str, *labels: str, reason: str | None = None, key: str | None = None) -> Call[BlockView]:
    """Put blocked seats back on sale, all or none."""
    body = PostBlock(list(labels), reason)
    return change("POST", "/v1/events/{event}/unblocks", BlockView, body, key, event=event)


def put_stock(
    sku: str,
    *,
    on_hand: int,
    amount: int,
    currency: str,
    description: str = "",
    location: str | None = None,
    if_match: int | None = None,
    key: str | None = None,
) -> Call[StockView]:
    """Create or replace a stock item's definition and its count on hand."""
    body = PutStockItem(on_hand, amount, currency, description)
    query = {"location": location}
    return change("PUT", "/v1/stock/{sku}", StockView, body, key, if_match=if_match, query=query, sku=sku)


def adjust_stock(
    sku: str,
    *,
    reference: str,
    delta: int,
    reason: str | None = None,
    location: str | None = None,
    key: str | None = None,
) -> Call[StockView]:
    """Change the count on hand, once however often this `reference` is sent."""
    body = PostAdjustment(reference, delta, reason)
    query = {"location": location}
    return change("POST", ADJUSTMENTS, StockView, body, key, query=query, sku=sku)


def stock_item(sku: str, *, location: str | None = None) -> Call[StockView]:
    """One stock item with its counts."""
    return read("/v1/stock/{sku}", StockView, query={"location": location}, sku=sku)


def stock_items(*, sku: str | None = None, page_size: int | None = None) -> Listing[StockPage, StockView]:
    """Stock items of all locations, in the order of SKU and location; with `sku`, those of one SKU."""
    return Listing(
        lambda cursor: read("/v1/stock", StockPage, query={"sku": sku, "limit": page_size, "cursor": cursor}),
        lambda page: page.stock,
        lambda page: page.next_cursor,
    )


def messages(*, after: str | None = None, limit: int | None = None) -> Call[MessagePage]:
    """Messages, oldest first; go on from the answer's `next_after`, and miss none."""
    return read("/v1/messages", MessagePage, query={"after": after, "limit": limit})


def status(
    key: str, *, method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST", route: str = RESERVATIONS
) -> Call[KeyView]:
    """What became of the request with this key; by default a hold. `unseen`: send it again with the same key."""
    return read("/v1/idempotency-keys", KeyView, query={"key": key, "method": method, "route": route})


def me() -> Call[MeView]:
    """Who is calling: account, name of the API key, scopes."""
    return read("/v1/me", MeView)


def _members(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON can say
    """Those that were given: what is left out, the service decides."""
    return {name: value for name, value in members.items() if value is not None}


def _action(
    name: str, reference: str, body: dict[str, Any], if_match: int | None, key: str | None
) -> Call[ReservationView]:
    route = f"{RESERVATIONS}/{{reference}}/{name}"
    return change("POST", route, ReservationView, body, key, if_match=if_match, reference=reference)


def change(
    method: Literal["POST", "PUT"],
    route: str,
    answer: type[T],
    body: object,
    key: str | None = None,
    *,
    if_match: int | None = None,
    natural_key: str | None = None,
    query: dict[str, str | None] | None = None,
    **names: str,
) -> Call[T]:
    return Call(
        method=method,
        route=route,
        target=_target(route, query or {}, names),
        answer=answer,
        body=msgspec.json.encode(body),
        key=new_key() if key is None else _checked(key),
        if_match=if_match,
        natural_key=natural_key,
    )


def _checked(key: str) -> str:
    """A key of the caller's own. Raises ValueError: what is no header would never reach the service."""
    try:
        bare = parse_idempotency_key([key.encode()]) or ""
    except IdempotencyKeyInvalid as refusal:
        raise ValueError(f"the idempotency key {refusal.reason}") from None
    if '"' in bare:
        raise ValueError("the idempotency key has a quote, which a bare key cannot have")
    return bare


def read(route: str, answer: type[T], *, query: dict[str, Any] | None = None, **names: str) -> Call[T]:
    return Call(method="GET", route=route, target=_target(route, query or {}, names), answer=answer)


def _said(value: object) -> object:
    """As a query says it: JSON's words for what is true and false."""
    return str(value).lower() if isinstance(value, bool) else value


def _target(route: str, query: dict[str, Any], names: dict[str, str]) -> str:
    path = route.format(**{name: quote(value, safe="") for name, value in names.items()})
    given = {name: _said(value) for name, value in _members(**query).items()}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path
