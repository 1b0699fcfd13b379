"""`holdfast doctor`: what is wrong around this Holdfast, and the command that mends it."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.desk import KEY_VARIABLE, URL_VARIABLE, checked_address
from service.cli.failures import CommandFailed, ExitCode
from service.cli.output import JsonOption, doing, print_json, print_line
from service.cli.running import log_warnings

if TYPE_CHECKING:
    from service.doctor.checks import Diagnosis
    from service.doctor.findings import Result

STYLES = {"ok": "green", "warning": "yellow", "wrong": "bold red", "not_looked_at": "dim"}


def doctor(
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar=URL_VARIABLE,
            help="Look from outside at the Holdfast behind this URL, and at no more.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            envvar=KEY_VARIABLE,
            help="With --url: an API key to try; better in the variable, since others see options.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at settings, database, schema, permissions, Redis, clocks, host and worker; say what mends what is wrong.

    It changes nothing. Exit code 0: nothing is wrong (there may be
    warnings); 1: something is; 2: a setting is wrong; 3: the database,
    or the server behind --url, cannot be reached.
    """
    if key is not None and url is None and KEY_VARIABLE not in os.environ:
        raise CommandFailed("--key is for a server behind --url; say which one.", ExitCode.USAGE)
    diagnosis = _diagnose(url, key)
    if as_json:
        print_json(_shown(diagnosis))
    else:
        _tell(diagnosis)
    raise typer.Exit(_exit_code(diagnosis))


def _diagnose(url: str | None, key: str | None) -> "Diagnosis":
    from service.doctor.checks import diagnose
    from service.doctor.outside import diagnose_from_outside
    from service.settings import Settings

    log_warnings(Settings(log_level="error"))
    with doing("looking") as say:

        def on_check(check: str) -> None:
            say(f"at {check}")

        if url is not None:
            complaint = f"--url {url!r} is no address: say https://HOST or http://HOST:PORT."
            return asyncio.run(diagnose_from_outside(checked_address(url, complaint), key, on_check))
        return asyncio.run(diagnose(os.environ, on_check))


def _exit_code(diagnosis: "Diagnosis") -> ExitCode:
    if diagnosis.has_wrong_settings:
        return ExitCode.USAGE
    if diagnosis.is_unreachable:
        return ExitCode.STORE
    return ExitCode.REFUSED if diagnosis.count("wrong") else ExitCode.DONE


def _shown(diagnosis: "Diagnosis") -> dict[str, object]:
    return {
        "healthy": not diagnosis.count("wrong"),
        **{state: diagnosis.count(state) for state in STYLES},
        "checks": diagnosis.results,
    }


def _tell(diagnosis: "Diagnosis") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "check", "seen", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[:2]:
        column.no_wrap = True
    group = ""
    for result in diagnosis.results:
        if group and group != result.group:
            table.add_section()
        group = result.group
        state = Text(result.state.replace("_", " "), style=STYLES[result.state])
        table.add_row(state, f"{result.group}: {result.check}", Text(result.seen))
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
    for result in diagnosis.results:
        _prescribe(result)
    counts = [f"{diagnosis.count(state)} {state.replace('_', ' ')}" for state in STYLES]
    print_line(", ".join(counts) + ".")


def _prescribe(result: "Result") -> None:
    """What mends it, each line to be copied as it is."""
    if not result.mend:
        return
    typer.secho(f"{result.group}: {result.check}: {result.seen}", bold=True)
    for line in result.mend:
        print_line(f"    {line}")
    print_line("")
