"""`holdfast idempotency`: the stored answers of keyed requests."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.changing import DRY, DryRunOption, YesOption, ask, progress
from service.cli.desk import Where, at_desk, run_at_desk
from service.cli.failures import CommandFailed
from service.cli.output import JsonOption, examples, print_json, print_line, print_table
from service.cli.running import run_on_store

if TYPE_CHECKING:
    from service.database.store import Store
    from service.idempotency.routes import RecordView

app = typer.Typer(help="Look after the stored answers of keyed requests.", no_args_is_help=True)


@app.command("show", epilog=examples("idempotency show order-9001", "idempotency show order-9001 --as ann"))
@at_desk
def show(
    where: Where,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The text of the idempotency key.")],
    as_json: JsonOption = False,
) -> None:
    """Show what became of the requests with a key, whoever sent them; exit 1 if there is none.

    Looked for are all of the account's API keys, and you yourself.
    """
    found = run_at_desk(where, lambda desk: desk.client.key_records(key))
    if as_json:
        print_json(found)
    elif found.records:
        _print(found.records)
    if not found.records:
        raise CommandFailed("no request with this key is known: it never came, was not stored, or is long past.")


def _print(records: "list[RecordView]") -> None:
    print_table(
        ["by", "request", "state", "first seen", "kept until", "answered", "made", "key id"],
        [
            [
                record.principal,
                f"{record.method} {record.route}",
                record.state.replace("_", " "),
                record.first_seen_at,
                record.expires_at or "",
                str(record.status or ""),
                (record.location or "").rpartition("/")[2],
                record.key_id,
            ]
            for record in records
        ],
    )


@app.command("purge", epilog=examples("idempotency purge --dry-run", "idempotency purge --yes"))
def purge(
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the records whose time (HOLDFAST_IDEMPOTENCY_HOURS at their storing) is over, by the database's clock.

    A retry with such a key is then a new request. The worker does the
    same by itself, a part a minute. Deletes few at a time: it holds up
    nobody, and may be interrupted and repeated at any moment.
    """
    due, purged = run_on_store(lambda store: _purge(store, dry_run=dry_run, yes=yes))
    if as_json:
        print_json({"due": due, "purged": purged, "dry_run": dry_run})
    elif dry_run:
        print_line(f"{due:,} records are past their time{DRY}.")
    elif not due and not purged:
        print_line("No record is past its time.")
    else:
        print_line(f"Deleted {purged:,} records that were past their time.")


async def _purge(store: "Store", *, dry_run: bool, yes: bool) -> tuple[int, int]:
    """How many there were, and how many this call has deleted; more where some came due meanwhile."""
    from service.reservations.sweep import count_purgeable_records, purge_records

    due = await count_purgeable_records(store)
    if dry_run or not due:
        return due, 0
    ask(f"Delete {due:,} records that are past their time?", yes=yes)
    purged = 0
    with progress("deleting", due) as on_progress:
        while part := await purge_records(store):
            purged += part
            on_progress(purged)
    return due, purged
