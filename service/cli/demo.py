"""`holdfast demo`: the service's main job before the user's eyes; `service/demo` is all of it."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from collections.abc import Sequence
from typing import Annotated

import typer

from service.cli.failures import CommandFailed, ExitCode
from service.cli.running import log_warnings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def demo(
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
    from service.demo.place import Busy, DemoFailed
    from service.demo.run import run
    from service.demo.server import settings

    log_warnings(settings())
    try:
        code = run(port, stay=not end)
    except DemoFailed as error:
        raise CommandFailed(str(error), ExitCode.USAGE if isinstance(error, Busy) else ExitCode.REFUSED) from error
    raise typer.Exit(code)


def main(arguments: Sequence[str]) -> None:
    """Run it with these arguments, and exit."""
    app(args=list(arguments), prog_name="holdfast demo")
