"""What the person at the terminal sees: faults as lines, below them what goes on now; in a pipe the lines alone."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.live import Live
from rich.text import Text

REFRESHES_A_SECOND = 4


class View:
    """One console, and the time since the soak began."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = monotonic()
        self._doing = ""
        self._counts: Callable[[], Counter[str]] = Counter

    def begin(self) -> None:
        """The soak begins now; until now its servers were started."""
        self._began = monotonic()

    @property
    def elapsed_s(self) -> float:
        return monotonic() - self._began

    def say(self, text: str, style: str = "") -> None:
        self.console.print(Text(f"{self.elapsed_s:7.1f} s  {text}", style=style), soft_wrap=True)

    def show(self, doing: str, counts: Callable[[], Counter[str]] | None = None) -> None:
        """What goes on now; `counts` are the crowd's from now on."""
        self._doing = doing
        self._counts = counts or self._counts

    @contextmanager
    def live(self) -> Iterator[None]:
        if not self.console.is_terminal:
            yield
            return
        with Live(
            console=self.console, get_renderable=self._now, refresh_per_second=REFRESHES_A_SECOND, transient=True
        ):
            yield

    def _now(self) -> Text:
        counts = self._counts()
        shown = "  ".join(f"{name} {counts[name]:,}" for name in ("requests", "retries", "replays", "acknowledged"))
        return Text(f"{self.elapsed_s:7.1f} s  {self._doing}\n{'':11}this round: {shown}", style="cyan")
