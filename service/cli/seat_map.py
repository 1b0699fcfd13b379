"""A section's seats as characters: told by letter where there is no colour, by colour where there is."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.text import Text

    from service.inventory.wire import SeatView

LOOKS: Final = {
    "available": ("o", "green"),
    "held": ("h", "yellow"),
    "confirmed": ("X", "red"),
    "blocked": ("-", "bright_black"),
}

Place = tuple[int, str]


def place(text: str) -> Place:
    """The order of rows and numbers (fine print 11): shorter first, then as text; so numbers go by their value."""
    return len(text), text


def print_map(seats: "Sequence[SeatView]") -> None:
    """One row a line, its seats under their numbers; a gap where a row has no such number."""
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True)
    numbers = sorted({seat.number for seat in seats}, key=place)
    rows: dict[str, dict[str, SeatView]] = {}
    for seat in seats:
        rows.setdefault(seat.row, {})[seat.number] = seat
    wide = max(len(number) for number in numbers)
    margin = max(len(row) for row in rows)
    console.print(Text(f"{'':{margin}}  " + " ".join(f"{number:>{wide}}" for number in numbers), style="dim"))
    for row in sorted(rows, key=place):
        line = Text(f"{row:>{margin}}  ")
        for number in numbers:
            line.append(*_cell(rows[row].get(number), wide))
            line.append(" ")
        console.print(line)
    console.print(_legend(seats))


def _cell(seat: "SeatView | None", wide: int) -> tuple[str, str]:
    if seat is None:
        return " " * wide, ""
    letter, colour = LOOKS[seat.state]
    return f"{letter:>{wide}}", colour


def _legend(seats: "Sequence[SeatView]") -> "Text":
    from rich.text import Text

    legend = Text("\n")
    for state, (letter, colour) in LOOKS.items():
        count = sum(seat.state == state for seat in seats)
        legend.append(letter, colour).append(f" {state} {count:,}   ")
    return legend
