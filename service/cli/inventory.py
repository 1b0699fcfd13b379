"""`holdfast inventory`: counts of an event or a stock item, and a section's seats as a coloured map."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.desk import Desk, Where, at_desk, run_at_desk
from service.cli.durations import show_duration
from service.cli.failures import CommandFailed
from service.cli.output import JsonOption, examples, print_json, print_line, print_table
from service.cli.selecting import head

if TYPE_CHECKING:
    from service.inventory.wire import Availability, EventView, SeatView, StockView

app = typer.Typer(help="Look at events and stock.", no_args_is_help=True)

COUNTS = ("available", "held", "confirmed", "blocked")


@app.command("list", epilog=examples("inventory list", "inventory list --limit 20 --json"))
@at_desk
def list_inventory(
    where: Where,
    limit: Annotated[int, typer.Option(min=1, help="How many of each are shown at most.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List the account's events and stock items, by name."""

    async def look(desk: Desk) -> "tuple[list[EventView], bool, list[StockView], bool]":
        return *await head(desk.client.events, limit), *await head(desk.client.stock_items, limit)

    events, more_events, items, more_items = run_at_desk(where, look)
    if as_json:
        print_json({"events": events, "more_events": more_events, "stock": items, "more_stock": more_items})
        return
    if not events and not items:
        print_line("There is no event and no stock item. `holdfast import` reads both from files.")
    if events:
        print_table(
            ["event", "name", "starts", "sales"],
            [[event.event, event.name, event.starts_at, event.sales] for event in events],
        )
    if items:
        _print_stock(items)
    if more_events or more_items:
        print_line("There are more (--limit).")


@app.command("show", epilog=examples("inventory show final", "inventory show NW-001"))
@at_desk
def show(
    where: Where,
    name: Annotated[str, typer.Argument(metavar="EVENT|SKU", help="The event's code, or a stock item's SKU.")],
    as_json: JsonOption = False,
) -> None:
    """Count an event's seats by section, or a stock item's units by location; both, where both have the name."""
    found = run_at_desk(where, lambda desk: _look_up(desk, name))
    event, availability, items = found
    if event is None and not items:
        raise CommandFailed(f"there is no event and no stock item {name!r}.")
    if as_json:
        print_json({"event": event, "availability": availability, "stock": items})
        return
    if event is not None and availability is not None:
        _print_event(event, availability)
    if items:
        _print_stock(items)


async def _look_up(desk: Desk, name: str) -> "tuple[EventView | None, Availability | None, list[StockView]]":
    from service.client import problems

    event, availability = None, None
    try:
        event = await desk.client.event(name)
        availability = await desk.client.availability(name)
    except problems.NotFound:
        pass
    items = [item async for item in desk.client.stock_items(page_size=500, sku=name)]
    return event, availability, items


def _print_event(event: "EventView", availability: "Availability") -> None:
    holds = f"holds {show_duration(event.hold_seconds)}, at most {show_duration(event.hold_seconds_max)}"
    print_line(f"{event.event}: {event.name}, {event.starts_at}, sales {event.sales}, {holds}")
    rows = [
        [counts.section, counts.category, *(f"{getattr(counts, name):,}" for name in COUNTS)]
        for counts in availability.sections
    ]
    total = [f"{getattr(availability.total, name):,}" for name in COUNTS]
    print_table(["section", "category", *COUNTS], [*rows, ["total", "", *total]])
    print_line(f"As of {availability.as_of}. `holdfast inventory map {event.event} SECTION` draws a section.")


def _print_stock(items: "list[StockView]") -> None:
    columns = ("on_hand", "held", "confirmed", "available")
    print_table(
        ["sku", "location", "description", "on hand", "held", "confirmed", "available"],
        [
            [item.sku, item.location, item.description, *(f"{getattr(item, name):,}" for name in columns)]
            for item in items
        ],
    )


@app.command("map", epilog=examples("inventory map final 101"))
@at_desk
def draw(
    where: Where,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The event's code.")],
    section: Annotated[str, typer.Argument(metavar="SECTION", help="One of its sections.")],
    as_json: JsonOption = False,
) -> None:
    """Draw a section's seats, a row a line, the front first: what is free, held, confirmed, blocked."""
    seats = run_at_desk(where, lambda desk: _seats(desk, event, section))
    if as_json:
        print_json({"event": event, "section": section, "seats": seats})
    else:
        from service.cli.seat_map import print_map

        print_map(seats)


async def _seats(desk: Desk, event: str, section: str) -> "list[SeatView]":
    seats = [seat async for seat in desk.client.seat_map(event, section=section, page_size=500)]
    if not seats:
        sections = await _sections(desk, event)
        there = f"its sections are {', '.join(sections)}" if sections else "it has no seats yet"
        raise CommandFailed(f"the event {event!r} has no section {section!r}: {there}.")
    return seats


async def _sections(desk: Desk, event: str) -> list[str]:
    availability = await desk.client.availability(event)
    return list(dict.fromkeys(counts.section for counts in availability.sections))
