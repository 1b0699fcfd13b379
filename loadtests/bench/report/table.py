"""The table of figures: for the terminal, and as Markdown for the README."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from loadtests.bench.figures import Figure

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def table(figures: Sequence[Figure]) -> Table:
    """For people at a terminal."""
    shown = Table(title="Measured on this machine, in this run", show_lines=True)
    shown.add_column("figure")
    shown.add_column("value", justify="right", no_wrap=True)
    shown.add_column("to reach", justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    shown.add_column("what was compared")
    shown.add_column("what limits it here")
    for figure in figures:
        colour = "green" if figure.is_reached else "yellow"
        verdict = f"[{colour}]{verdict_of(figure)}[/]"
        shown.add_row(
            figure.aim.title, f"[bold]{figure.text}[/]", figure.aim.wanted, verdict, figure.detail, figure.limit
        )
    return shown


def verdict_of(figure: Figure) -> str:
    """In a word; nothing where nothing was to be reached."""
    if figure.aim.sense == "told":
        return ""
    return "reached" if figure.is_reached else "not reached"


def markdown(figures: Sequence[Figure], machine: str, pictures: Sequence[str] = ()) -> str:
    """The README's block between its markers: the table, what limits, and the pictures as Markdown."""
    lines = [
        f"One run of `make bench` on {machine}; each figure is the median of its interleaved rounds:",
        "",
        "| figure | value | to reach | | what was compared |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {figure.aim.title} | {figure.text} | {figure.aim.wanted} | {verdict_of(figure)} | {figure.detail} |"
        for figure in figures
    ]
    missed = [figure for figure in figures if not figure.is_reached]
    if missed:
        lines += ["", "What limits the figures that are not reached, on that machine:", ""]
        lines += [f"- {figure.aim.title}: {figure.limit}." for figure in missed]
    for picture in pictures:
        lines += ["", picture]
    return "\n".join(lines)


def put_into_readme(readme: Path, text: str) -> None:
    """Replaces what stands between the markers. Raises ValueError where they are not both there, once."""
    old = readme.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        raise ValueError(f"{readme} must have {BEGIN} and {END}, once each")
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
