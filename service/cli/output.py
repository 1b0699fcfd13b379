"""Answers of commands on standard output: a table or a line for people, one JSON document for programs."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]

WIDEST = 4000


def print_json(answer: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def print_line(text: str) -> None:
    typer.echo(text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # no markup in what a client has named
    # In a pipe nothing is cut off or wrapped: whoever reads it looks for whole names.
    Console(width=None if sys.stdout.isatty() else WIDEST).print(table)
