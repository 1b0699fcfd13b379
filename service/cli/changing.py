"""What commands that change something have in common: rehearsal, asking first, who did it, and why."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import sys
from typing import Annotated

import typer

from service.cli.failures import CommandFailed, ExitCode

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the history: up to 200 characters.")
]
AsOption = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who does it, for the history; without it your login name."),
]

NAME_MOST = 60
REASON_MOST = 200


def ask(question: str, *, yes: bool) -> bool:
    """Whether to go on: by `--yes`, or by what the person at the terminal answers, on standard error.

    Raises CommandFailed where nobody is there to be asked.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandFailed(
            "nobody is at the terminal to be asked, so nothing was done. Look with --dry-run, then give --yes.",
            ExitCode.USAGE,
        )
    return typer.confirm(question, err=True)


def operator(name: str | None) -> str:
    """The actor for the history, of `--as` or of the login name. Raises CommandFailed."""
    import getpass

    if name is None:
        try:
            name = getpass.getuser()
        except (OSError, KeyError, ImportError):
            raise CommandFailed(
                "the login name is not known; say who does this with --as NAME.", ExitCode.USAGE
            ) from None
    return f"operator:{_printable(name, '--as', least=1, most=NAME_MOST)}"


def checked_reason(reason: str | None) -> str | None:
    """`--reason` as it is kept. Raises CommandFailed."""
    return None if reason is None else _printable(reason, "--reason", least=0, most=REASON_MOST)


def _printable(text: str, option: str, *, least: int, most: int) -> str:
    """In NFC, as the API takes texts. Bytes that are no UTF-8 come from the shell as lone surrogates."""
    import re
    import unicodedata

    from service.names import PRINTABLE_PATTERN

    text = unicodedata.normalize("NFC", text)
    is_text = re.search(PRINTABLE_PATTERN, text) and not any("\ud800" <= symbol <= "\udfff" for symbol in text)
    if not is_text or not least <= len(text) <= most:
        raise CommandFailed(
            f"{option} takes {f'{least} to' if least else 'up to'} {most} characters, "
            "none of them a control character. Correct it and try again.",
            ExitCode.USAGE,
        )
    return text
