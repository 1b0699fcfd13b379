"""The tree of commands. A group's module holds its commands; here they only get their places."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from service.cli import accounts, audit, database, imports, keys, serve, worker

EXIT_CODES = (
    "Exit codes: 0 done; 1 findings, or refused by what the database holds; "
    "2 the command line, a setting or an input file is wrong; 3 the store cannot be reached."
)

app = typer.Typer(
    name="holdfast",
    help="Holdfast books seats and stock exactly once. Settings are read from HOLDFAST_* (see the README).",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
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


app.command("serve")(serve.serve)
app.command("worker")(worker.work)
app.command("audit")(audit.audit)
app.add_typer(database.app, name="db")
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.add_typer(imports.app, name="import")


@app.command("demo", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def demo(context: typer.Context) -> None:
    """The main job before your eyes: a real venue, 200 impatient customers, the auditor's verdict."""
    from service.cli.demo import main as run_demo

    run_demo(context.args)
