"""`holdfast idempotency`: the stored answers of keyed requests."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.failures import CommandFailed, ExitCode
from service.cli.output import JsonOption, print_json, print_line
from service.cli.running import run_on_store

if TYPE_CHECKING:
    from service.database.store import Store

app = typer.Typer(help="Look after the stored answers of keyed requests.", no_args_is_help=True)


@app.callback()
def group() -> None:
    pass


@app.command("purge")
def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many there are, and delete none.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the records whose time (HOLDFAST_IDEMPOTENCY_HOURS at their storing) is over, by the database's clock.

    A retry with such a key is then a new request. The worker does the
    same by itself, a part a minute. Deletes few at a time: it holds up
    nobody, and may be interrupted and repeated at any moment.
    """
    due, purged = run_on_store(lambda store: _purge(store, dry_run=dry_run, yes=yes, as_json=as_json))
    if as_json:
        print_json({"due": due, "purged": purged, "dry_run": dry_run})
    elif dry_run:
        print_line(f"{due:,} records are past their time (dry run: nothing was done).")
    elif not due and not purged:
        print_line("No record is past its time.")
    else:
        print_line(f"Deleted {purged:,} records that were past their time.")


async def _purge(store: "Store", *, dry_run: bool, yes: bool, as_json: bool) -> tuple[int, int]:
    """How many there were, and how many this call has deleted; more where some came due meanwhile."""
    from service.reservations.sweep import count_purgeable_records, purge_records

    due = await count_purgeable_records(store)
    if dry_run or not due:
        return due, 0
    if not yes:
        _ask(due, may_ask=sys.stdin.isatty() and not as_json)
    purged = 0
    with _progress(due) as on_progress:
        while part := await purge_records(store):
            purged += part
            on_progress(purged)
    return due, purged


def _ask(due: int, *, may_ask: bool) -> None:
    """Raises CommandFailed unless somebody at the terminal agrees."""
    if not may_ask:
        raise CommandFailed(
            f"{due:,} records would be deleted. Say --yes, or look first with --dry-run.", ExitCode.USAGE
        )
    if not typer.confirm(f"Delete {due:,} records that are past their time?", err=True):
        raise CommandFailed("nothing was deleted.")


@contextmanager
def _progress(total: int) -> "Iterator[Callable[[int], None]]":
    """A bar on the terminal, on standard error; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    with Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("records", total=total)
        yield lambda done: bar.update(task, completed=done)
