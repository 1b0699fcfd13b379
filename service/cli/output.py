"""Answers of commands on standard output: a table or a line for people, one JSON document for programs."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final

import msgspec
import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]


_NO_EDGE: Final = 10_000


def examples(*commands: str) -> str:
    """The end of a command's --help."""
    return "\n\n".join(["Examples:", *(f"  holdfast {command}" for command in commands)])


def print_json(answer: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def print_line(text: str) -> None:
    typer.echo(text)


@contextmanager
def doing(what: str) -> Iterator[Callable[[str], None]]:
    """A line on standard error that says what is being done, and further what; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda _further: None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield lambda further: status.update(f"{what} {further}")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # no markup in what a client has named
    # In a file or a pipe nothing is cut off or wrapped: there is no edge.
    Console(width=None if sys.stdout.isatty() else _NO_EDGE).print(table)
