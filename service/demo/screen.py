"""What the user sees: moving bars on a terminal, plain lines in a pipe, the same words in both.

What may be copied is printed as it is: neither wrapped nor coloured.
"""

import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

SECONDS_BETWEEN_LINES: Final = 1.0
"""How often a pipe is told how far something is."""

LABEL_WIDTH: Final = 10
COLOURS: Final = {"phone": "bold cyan", "network": "bold yellow", "service": "bold green"}
"""Of those who appear in a timeline."""


class Screen:
    """Standard output."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # better a ? than an end, where the terminal knows few letters
        self._console = Console(highlight=False, markup=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def say(self, label: str, text: str) -> None:
        """One fact, under its label."""
        self._console.print(Text(f"  {label:{LABEL_WIDTH}} ", style="cyan").append(text, style="default"))

    def verbatim(self, text: str) -> None:
        self._console.print(Text(text))

    def verdict(self, text: str, *, good: bool) -> None:
        self._console.print(Text(f"  {text}", style="bold green" if good else "bold red"))

    def moment(self, at_s: float, who: str, what: str) -> None:
        """A line of a timeline: when, who, and what happened to them."""
        row = Table.grid(padding=(0, 2))
        row.add_column(width=7, justify="right", style="dim")
        row.add_column(width=max(map(len, COLOURS)), style=COLOURS.get(who, "default"))
        row.add_column()
        row.add_row(Text(f"{at_s:.1f} s"), Text(who), Text(what))
        self._console.print(row, soft_wrap=False)

    def numbers(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """What was counted, how many, and what that means."""
        table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(style="dim")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._console.print(Padding(table, (0, 0, 0, 2)), soft_wrap=False)

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """How far something is; gives what to call with the number that is done."""
        if not self._console.is_terminal:
            yield self._now_and_then(label, total)
            return
        columns = (TextColumn(f"  {label:{LABEL_WIDTH}}", style="cyan"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True) as progress:
            task = progress.add_task(label, total=total)
            yield lambda done: progress.update(task, completed=done)

    def _now_and_then(self, label: str, total: int) -> Callable[[int], None]:
        last = time.monotonic()

        def show(done: int) -> None:
            nonlocal last
            now = time.monotonic()
            if done < total and now - last >= SECONDS_BETWEEN_LINES:
                self.say(label, f"{done:,} of {total:,}")
                last = now

        return show

    @contextmanager
    def waiting(self, label: str) -> Iterator[Callable[[str], None]]:
        """Something that changes while time passes; gives what to call with the words of the moment."""
        if not self._console.is_terminal:
            yield lambda text: self.say(label, text)
            return
        with self._console.status("") as status:
            yield lambda text: status.update(Text(f"{label:{LABEL_WIDTH}} {text}"))
