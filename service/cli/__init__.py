"""The command `holdfast`: one file a command group. It starts quickly, so what is heavy is imported where it is used.

Exit codes, the same for every command:

    0    done
    1    findings (audit, drift, a schema that is not current), or refused by what the database holds
    2    the command line, a setting or an input file is wrong
    3    the store, or with --url the service, cannot be reached
    130  interrupted by Ctrl-C: what was done stays done, and the same command goes on

What went wrong is one line on standard error that says what to do next. With `--json` standard output carries one
JSON document and nothing else. A secret is printed once, by the command that made it, and never logged.
"""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import sys


def main() -> None:
    """Run the command line of this process and exit."""
    from service.cli.commands import app
    from service.cli.failures import describe

    try:
        app(prog_name="holdfast")
    except Exception as error:  # noqa: BLE001 - the one place that turns errors into exit codes
        failure = describe(error)
        sys.stderr.write(f"holdfast: {failure.message}\n")
        sys.exit(failure.exit_code)
