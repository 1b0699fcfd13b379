"""The tree of commands. A group's module holds its commands; here they only get their places."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, get_type_hints

import typer

from service.cli import (
    accounts,
    audit,
    database,
    demo,
    doctor,
    holds,
    hot,
    idempotency,
    imports,
    inventory,
    keys,
    reservations,
    serve,
    top,
    worker,
)
from service.cli.output import examples
from service.settings import PREFIX, Settings

EXIT_CODES = (
    "Exit codes: 0 done; 1 findings, or refused by what the database holds; "
    "2 the command line, a setting or an input file is wrong; "
    "3 the store, or with --url the service, cannot be reached; 130 interrupted."
)


def settings_table() -> str:
    """Examples, and every setting with its default, a paragraph each, for `holdfast serve --help`."""
    paragraphs = [examples("serve", "serve --host 0.0.0.0 --workers 2"), "Settings, read from the environment:"]
    for name, annotated in get_type_hints(Settings, include_extras=True).items():
        described = next(part.description for part in annotated.__metadata__ if part.description)
        default = getattr(DEFAULTS, name)
        paragraphs.append(f"{PREFIX}{name.upper()} ({'empty' if default == '' else default}): {described}")
    return "\n\n".join(paragraphs)


DEFAULTS = Settings()

app = typer.Typer(
    name="holdfast",
    help="Holdfast books seats and stock exactly once. Settings are read from HOLDFAST_* (see the README).",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def show_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        typer.echo(f"holdfast {version('holdfast')}")
    except PackageNotFoundError:
        typer.echo("holdfast, from a checkout that is not installed")
    raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


RUN, OPERATE, CHECK, SET_UP = "Run it", "Look and act", "What is wrong, what goes on", "Set it up"
"""The parts of `holdfast --help`."""

app.command("serve", epilog=settings_table(), rich_help_panel=RUN)(serve.serve)
app.command("worker", epilog=examples("worker"), rich_help_panel=RUN)(worker.work)
app.add_typer(demo.app, name="demo", rich_help_panel=RUN)
app.add_typer(holds.app, name="holds", rich_help_panel=OPERATE)
app.add_typer(reservations.app, name="reservations", rich_help_panel=OPERATE)
app.add_typer(inventory.app, name="inventory", rich_help_panel=OPERATE)
app.add_typer(idempotency.app, name="idempotency", rich_help_panel=OPERATE)
app.command("doctor", epilog=examples("doctor", "doctor --url https://tickets.example"), rich_help_panel=CHECK)(
    doctor.doctor
)
app.command(
    "audit",
    epilog=examples("audit", "audit --repair --dry-run", "audit --repair --reason 'disk fault'"),
    rich_help_panel=CHECK,
)(audit.audit)
app.command(
    "top", epilog=examples("top", "top --once --json", "top --metrics http://api-1:8000/metrics"), rich_help_panel=CHECK
)(top.top)
app.command("hot", epilog=examples("hot", "hot --url https://tickets.example --json"), rich_help_panel=CHECK)(hot.hot)
app.add_typer(database.app, name="db", rich_help_panel=SET_UP)
app.add_typer(accounts.app, name="accounts", rich_help_panel=SET_UP)
app.add_typer(keys.app, name="keys", rich_help_panel=SET_UP)
app.add_typer(imports.app, name="import", rich_help_panel=SET_UP)
