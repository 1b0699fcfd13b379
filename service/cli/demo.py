"""`holdfast demo` and `holdfast demo mobile`: the main job before the user's eyes; `service/demo` is all of it."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from collections.abc import Callable
from typing import Annotated

import typer

from service.cli.failures import CommandFailed, ExitCode
from service.cli.output import JsonOption, examples
from service.cli.running import log_warnings

app = typer.Typer()


@app.callback(invoke_without_command=True)
def demo(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the server.")] = 8000,
    end: Annotated[bool, typer.Option("--exit", help="End with the verdict, instead of serving on.")] = False,
) -> None:
    """Book a real venue, with 200 impatient customers, and prove it.

    Starts a server on the embedded database var/demo.sqlite3, which is
    kept: each run adds an account of its own, and touches nothing else
    in var/. Then serves until Ctrl-C. HOLDFAST_* settings are not used.

    Exit code 1 if the audit finds anything, or any customer was told
    something untrue.
    """
    from service.demo.run import run

    if context.invoked_subcommand is None:
        _show(lambda: run(port, stay=not end))


@app.command(epilog=examples("demo mobile", "demo mobile --json"))
def mobile(json: JsonOption = False) -> None:
    """Watch one phone book exactly once over a network that cuts.

    Real processes: a server on var/demo.sqlite3, a network that refuses,
    cuts and delays, and a phone with a durable queue, which is killed
    with SIGKILL at the worst moments and started again. Prints who did
    what and when, then the proof. Ends by itself, in about 15 seconds.

    Exit code 1 if anything was booked twice, lost, or told untruly.
    """
    from service.demo.mobile.run import run

    _show(lambda: run(as_json=json))


def _show(run: Callable[[], int]) -> None:
    from service.demo.place import Busy, DemoFailed
    from service.demo.server import settings

    log_warnings(settings())
    try:
        code = run()
    except DemoFailed as error:
        raise CommandFailed(str(error), ExitCode.USAGE if isinstance(error, Busy) else ExitCode.REFUSED) from error
    raise typer.Exit(code)
