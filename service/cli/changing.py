"""What every command that changes something has in common: say first, ask, give a reason, show how far it is.

Asked is before more than one thing is changed, and never of a program: without a terminal `--yes` must say it.
"""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Final, ParamSpec, TypeVar

import msgspec
import typer

from service.cli.failures import CommandFailed, ExitCode

if TYPE_CHECKING:
    from service.database.store import Store

P = ParamSpec("P")
T = TypeVar("T")

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Why, for the history of what is changed: up to 200 characters.")
]
AsOption = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="NAME",
        rich_help_panel="Where",
        help="Who you are, for the history: operator:NAME. Without it your login name.",
    ),
]


class Manner(msgspec.Struct, frozen=True):
    """How something is changed, as the options say it."""

    dry_run: DryRunOption = False
    yes: YesOption = False
    reason: ReasonOption = None


DRY: Final = " (dry run: nothing was done)"

OnProgress = Callable[[int], None]
"""Told how many are done by now."""

_NOBODY: Final = "Nobody can be asked here: say --yes to go on, or --dry-run to see what would be done."


async def change(
    use_case: "Callable[Concatenate[Store, P], Coroutine[Any, Any, T]]",
    dry_run: bool,
    store: "Store",
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """A use case's answer; in a dry run what it would be, and nothing is kept."""
    from service.database.transactional import rehearse

    return await (rehearse(use_case, store, *args, **kwargs) if dry_run else use_case(store, *args, **kwargs))


def operator(given: str | None) -> str:
    """The actor for the history: who `--as` says, or the login name. Raises CommandFailed where that is no name."""
    import getpass

    from service.names import HolderName

    name = given
    if name is None:
        try:
            name = getpass.getuser()
        except (KeyError, OSError, ImportError):  # no entry in the password file, as in many containers
            raise CommandFailed(
                "your login name is unknown here: say who you are with --as NAME.", ExitCode.USAGE
            ) from None
    kept = _kept(name, HolderName)
    if kept is None or not kept.strip():
        raise CommandFailed(
            f"--as takes 1 to 60 characters, none of them a control character, and not {name!r}.", ExitCode.USAGE
        )
    return f"operator:{kept}"


def checked_reason(given: str | None) -> str | None:
    """The reason as it will stand in the history. Raises CommandFailed where it cannot."""
    from service.names import Reason

    if given is None:
        return None
    kept = _kept(given, Reason)
    if kept is None:
        raise CommandFailed(
            f"--reason takes up to 200 characters, none of them a control character; it has {len(given)}.",
            ExitCode.USAGE,
        )
    return kept


def _kept(text: str, kind: Any) -> str | None:  # noqa: ANN401 - one of the types of names.py
    """As the API would keep it; None where it would not. Bytes that are no UTF-8 come from a shell as surrogates."""
    from service.names import nfc

    try:
        text.encode()
        kept: str = msgspec.convert(nfc(text), kind)
    except (UnicodeEncodeError, msgspec.ValidationError):
        return None
    return kept


def ask(question: str, *, yes: bool) -> None:
    """Return if told to go on. Raises CommandFailed where nobody can be asked, and where the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed(f"{question} {_NOBODY}", ExitCode.USAGE)
    if not typer.confirm(question, err=True):
        raise CommandFailed("nothing was done.")


@contextmanager
def progress(what: str, total: int | None) -> Iterator[OnProgress]:
    """A bar on standard error; nothing where nobody watches. `total` is None where it is not known."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
