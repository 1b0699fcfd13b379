"""How a load tells people what it is doing: steps, and a bar or, in a pipe, a plain line now and then."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_EVERY_S = 10.0


@dataclass(frozen=True)
class Watch:
    """How a run tells people what it is doing."""

    console: Console

    def step(self, words: str) -> None:
        self.console.print(f"[dim]{words} …")


class LoadProgress:
    """A bar for people, a line now and then in a pipe."""

    def __init__(self, name: str, duration_s: int, console: Console) -> None:
        self._duration_s = duration_s
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[so_far]}"), TimeElapsedColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task(name, total=duration_s, so_far="")
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar.start()
        return self.tell

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, requests: int, failures: int) -> None:
        now = time.monotonic()
        words = f"{requests:,} requests" + (f", [red]{failures:,} failures[/]" if failures else "")
        self._bar.update(self._task, completed=min(now - self._began, self._duration_s), so_far=words)
        if not self._console.is_terminal and now - self._told >= PLAIN_EVERY_S:
            self._told = now
            self._console.print(f"{now - self._began:.0f} s: {words}")
