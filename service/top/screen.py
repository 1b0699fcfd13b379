"""Figures as a person reads them: one table, and a line for each source that is gone."""

from collections.abc import Mapping
from typing import Final

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from service.top.document import Holds
from service.top.readings import CLASSES, Figures, Quantile

SHOWN_MAX: Final = 4
STYLES: Final = {"2xx": "green", "3xx": "default", "4xx": "yellow", "5xx": "bold red"}


def screen(found: Figures | None, holds: Holds, gone: Mapping[str, str], sources: int) -> Group:
    """`found` is None before the second look."""
    lines = [Text(f"{url}: {why}", style="bold red") for url, why in gone.items()]
    if len(gone) == sources:
        return Group(*lines, Text("holds: ").append_text(_held(holds)))
    if found is None:
        return Group(*lines, Text("looking …", style="dim"))
    return Group(_table(found, holds), *lines)


def _table(found: Figures, holds: Holds) -> Table:
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    table.add_row("requests/s", _rate(sum(found.requests.values())), _classes(found.requests))
    table.add_row("their time", _time(found.p99), Text(f"p99; half within {_time(found.p50)}"))
    table.add_row("batches/s", _rate(found.batches), Text(f"{_number(found.commands_per_batch)} commands each"))
    table.add_row("queue", f"{found.queue_depth:,}", Text("commands wait or run"))
    table.add_row("transitions/s", _rate(sum(found.transitions.values())), _largest(found.transitions))
    table.add_row("replays/s", _rate(sum(found.replays.values())), _largest(found.replays))
    table.add_row("refusals/s", _rate(sum(found.refusals.values())), _largest(found.refusals))
    table.add_row("conflicts/s", _rate(found.conflicts), Text(f"{found.hot_rows:,} hot rows"))
    table.add_row("retries/s", _rate(sum(found.retries.values())), _largest(found.retries))
    table.add_row("swept/s", _rate(sum(found.swept.values())), _largest(found.swept))
    table.add_row("holds", "", _held(holds))
    return table


def _held(holds: Holds) -> Text:
    if holds.expiring is None or holds.stale is None:
        return Text(holds.note, style="dim")
    style = "bold red" if holds.stale else "default"
    text = Text(f"{holds.expiring:,}{holds.more_expiring} expire within a minute, ")
    return text.append(f"{holds.stale:,}{holds.more_stale} are past their time", style=style)


def _classes(requests: Mapping[str, float]) -> Text:
    text = Text()
    for name in CLASSES:
        if requests[name]:
            text.append(f"{name} {_rate(requests[name])}  ", style=STYLES[name])
    return text


def _largest(rates: Mapping[str, float]) -> Text:
    parts = [f"{name} {_rate(rate)}" for name, rate in list(rates.items())[:SHOWN_MAX]]
    more = len(rates) - SHOWN_MAX
    return Text(", ".join(parts) + (f" and {more} more" if more > 0 else ""))


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 or not rate else f"{rate:,.1f}"  # noqa: PLR2004 - digits that can be read


def _number(number: float | None) -> str:
    return "-" if number is None else f"{number:,.1f}"


def _time(time: Quantile | None) -> str:
    if time is None:
        return "-"
    return f"> {time.ms:,.0f} ms" if time.is_above else f"{time.ms:,.1f} ms"
