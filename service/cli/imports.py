"""`holdfast import`: a venue's seats and a warehouse's stock from CSV files. A file with a bad row is refused whole."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.changing import DRY, DryRunOption, progress
from service.cli.failures import CommandFailed
from service.cli.output import JsonOption, examples, print_json, print_line
from service.cli.running import require_account, run_on_store

if TYPE_CHECKING:
    from service.database.store import Store
    from service.imports.counts import ImportCounts
    from service.imports.seats import SeatsPlan
    from service.imports.stock import StockPlan

app = typer.Typer(help="Import seats or stock from a CSV file.", no_args_is_help=True)

AccountOption = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="Whose; may be left out where there is only one account."),
]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE.csv", help="UTF-8, with a header line.")]


@app.command(
    "seats",
    epilog=examples(
        "import seats final seats.csv --name Final --starts-at 2027-06-05T19:00:00Z",
        "import seats final seats.csv --dry-run",
    ),
)
def seats(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The event's code.")],
    file: FileArgument,
    account: AccountOption = None,
    name: Annotated[str | None, typer.Option(help="The event's name; with --starts-at the event is created.")] = None,
    starts_at: Annotated[str | None, typer.Option(help="When it starts, as in 2027-06-05T19:00:00Z.")] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import an event's seats, categories and prices.

    Columns: section, row, seat, category, price_minor, currency, x, y. A live seat keeps its state, seats that the
    file does not name stay as they are, and importing a file again changes nothing.
    """
    from service.imports.seats import plan_seats

    plan = plan_seats(file)
    counts = run_on_store(lambda store: _import_seats(store, account, event, plan, name, starts_at, dry_run))
    _tell(counts, "seats", event, dry_run=dry_run, as_json=as_json)


async def _import_seats(
    store: "Store",
    account_name: str | None,
    event: str,
    plan: "SeatsPlan",
    name: str | None,
    starts_at: str | None,
    dry_run: bool,
) -> "ImportCounts":
    from service.imports.seats import import_seats, preview_seats
    from service.refusals import InvalidRequest, NotFound

    account = await require_account(store, account_name)
    try:
        if dry_run:
            return await preview_seats(store, account.id, event, plan, name=name, starts_at=starts_at)
        with progress("rows", len(plan.seats)) as on_progress:
            return await import_seats(
                store, account.id, event, plan, name=name, starts_at=starts_at, on_progress=on_progress
            )
    except NotFound:
        raise CommandFailed(
            f"there is no event {event!r}. Give --name and --starts-at, and it will be created."
        ) from None
    except InvalidRequest as error:
        raise _wrong_arguments(error) from None


def _wrong_arguments(error: Exception) -> CommandFailed:
    from service.cli.failures import ExitCode

    told = "; ".join(f"{path.strip('$./') or 'the event'} {message}" for path, message in getattr(error, "errors", ()))
    return CommandFailed(f"{told}. Correct the argument and try again.", ExitCode.USAGE)


@app.command("stock", epilog=examples("import stock stock.csv --dry-run", "import stock stock.csv --location Lager"))
def stock(
    file: FileArgument,
    account: AccountOption = None,
    location: Annotated[str, typer.Option(help="Where the units are.")] = "default",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import stock items with their counts on hand.

    Columns: sku, description, on_hand, price_minor, currency. A count below what is held and confirmed is refused,
    and importing a file again changes nothing.
    """
    from service.imports.stock import plan_stock

    plan = plan_stock(file, location=location)
    counts = run_on_store(lambda store: _import_stock(store, account, plan, dry_run))
    _tell(counts, "stock items", location, dry_run=dry_run, as_json=as_json)


async def _import_stock(store: "Store", account_name: str | None, plan: "StockPlan", dry_run: bool) -> "ImportCounts":
    from service.imports.stock import import_stock, preview_stock
    from service.reservations.command_engine import CommandEngine

    account = await require_account(store, account_name)
    if dry_run:
        return await preview_stock(store, account.id, plan)
    engine = CommandEngine(store, store.settings)
    await engine.start()
    try:
        with progress("rows", len(plan.rows)) as on_progress:
            return await import_stock(engine, store, account.id, plan, on_progress)
    finally:
        await engine.drain()


def _tell(counts: "ImportCounts", what: str, where: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        answer = {
            "created": counts.created,
            "updated": counts.updated,
            "unchanged": counts.unchanged,
            "dry_run": dry_run,
        }
        print_json(answer if counts.event is None else {"event": counts.event, **answer})
        return
    would = " would be" if dry_run else ""
    event = "" if counts.event is None else f"Event {where}{would} {counts.event}. "
    print_line(
        f"{event}{counts.created} {what}{would} created, {counts.updated} updated, {counts.unchanged} unchanged"
        f"{DRY if dry_run else ''}."
    )
