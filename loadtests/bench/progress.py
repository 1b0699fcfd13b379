"""What is going on and how long it still takes: a bar for people, plain lines in a pipe."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

MEASURED_LEAST_S = 20
"""Before so much is done, the time left is what was expected, whatever the first stage took."""


class Reporter:
    """Tells of the stages of one run. `expected` are seconds by stage, on an idle machine with two cores."""

    def __init__(self, console: Console, expected: dict[str, float]) -> None:
        self._console = console
        self._expected = expected
        self._done_s = 0.0
        self._took_s = 0.0
        self.seconds: dict[str, float] = {}
        self._bar: Progress | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """The bar is there inside the block, on a terminal."""
        if not self._console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )  # fmt: skip
        with Progress(*columns, console=self._console, transient=True) as bar:
            self._bar = bar
            self._task = bar.add_task("starting", total=sum(self._expected.values()), left="")
            yield
        self._bar = None

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[None]:
        """One stage, and the time it took."""
        left = self.time_left()
        self._show(title, left)
        if self._bar is None:
            self._console.print(f"{title} … ({left} left)")
        started = time.monotonic()
        yield
        took = time.monotonic() - started
        self.seconds[name] = round(took, 1)
        self._took_s += took
        self._done_s += self._expected[name]
        self._console.print(f"{title}: [bold]{took:.0f} s[/]", highlight=False)

    def step(self, text: str) -> None:
        """A line about what was just measured; on a terminal the bar says it, too."""
        self._console.print(f"  [dim]{text}[/]", highlight=False)

    def time_left(self) -> str:
        """As people say it. The pace so far counts, since not all machines are alike."""
        left = sum(self._expected.values()) - self._done_s
        if self._took_s > MEASURED_LEAST_S and self._done_s:
            left *= self._took_s / self._done_s
        return f"about {max(1, round(left / 60))} min" if left > 90 else f"about {max(1, round(left))} s"

    def _show(self, title: str, left: str) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=title, completed=self._done_s, left=f"{left} left")
