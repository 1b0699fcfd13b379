"""`holdfast db`: the schema's revision, its upgrade, and drift."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import asyncio

import typer

from service.cli.changing import DRY, DryRunOption
from service.cli.failures import ExitCode
from service.cli.output import JsonOption, examples, print_json, print_line
from service.cli.running import log_warnings, read_settings

app = typer.Typer(help="Look after the database's schema.", no_args_is_help=True)


@app.command("upgrade", epilog=examples("db upgrade --dry-run", "db upgrade"))
def upgrade(dry_run: DryRunOption = False, as_json: JsonOption = False) -> None:
    """Bring the schema to the newest revision; nothing where it is there already.

    Interrupted, it is run again and goes on.
    """
    before, after = asyncio.run(_current() if dry_run else _upgrade())
    if as_json:
        print_json({"from": before, "revision": after, **({"dry_run": True} if dry_run else {})})
    elif dry_run and before != after:
        print_line(f"Would bring the schema from {before or 'nothing'} to revision {after}{DRY}.")
    elif before == after:
        print_line(f"The schema is at revision {after} already.")
    else:
        print_line(f"The schema is now at revision {after}{f' (it was {before})' if before else ''}.")


async def _upgrade() -> tuple[str | None, str | None]:
    from service.database import migrations, revisions
    from service.database.store import open_store

    settings = read_settings()
    log_warnings(settings)
    store = await open_store(settings)
    try:
        before = await revisions.current(store)
        await migrations.upgrade(settings)
        return before, await revisions.current(store)
    finally:
        await store.close()


@app.command("current", epilog=examples("db current"))
def current(as_json: JsonOption = False) -> None:
    """Say which revision the database has; exit 1 if it is not the newest."""
    revision, newest = asyncio.run(_current())
    if as_json:
        print_json({"revision": revision, "head": newest, "current": revision == newest})
    elif revision == newest:
        print_line(f"The schema is at revision {revision}, the newest.")
    else:
        print_line(
            f"The schema is at revision {revision or '(none)'}; the newest is {newest}: run `holdfast db upgrade`."
        )
    if revision != newest:
        raise typer.Exit(ExitCode.REFUSED)


async def _current() -> tuple[str | None, str]:
    from service.database import revisions
    from service.database.store import open_store

    settings = read_settings()
    log_warnings(settings)
    store = await open_store(settings)
    try:
        return await revisions.current(store), revisions.head()
    finally:
        await store.close()


@app.command("check", epilog=examples("db check"))
def check(as_json: JsonOption = False) -> None:
    """Compare the database with the tables that this version declares; exit 1 if they differ."""
    from service.cli.running import run_on_store
    from service.database import migrations

    differences = run_on_store(migrations.check)
    if as_json:
        print_json({"differences": differences})
    elif differences:
        for difference in differences:
            print_line(difference)
    else:
        print_line("The database is exactly as declared.")
    if differences:
        raise typer.Exit(ExitCode.REFUSED)
