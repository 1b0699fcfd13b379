"""Reading a CSV file strictly: every bad cell is named with file, line and column, and none is guessed.

UTF-8 with or without a byte order mark, lines ended by LF or CRLF, cells quoted as RFC 4180 has it. The header must be
the one that is expected, so that a column that somebody renamed or moved is never read as another one. Empty lines do
not count as rows. Spaces belong to their cell.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, get_args

import msgspec
from msgspec import Meta

from service.names import nfc

PROBLEMS_SHOWN = 20
ROWS_MAX = 200_000
"""Rows of one file. A plan of so many takes about 100 MB, and no venue has more seats."""

LINE_BYTES_MAX = 65_536
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and where. Lines count from 1, the header's; without a column it is the whole line."""

    line: int
    column: str | None
    message: str


class FileRefused(ValueError):
    """The file cannot be taken. `problems` are the first of them, `count` is how many there are."""

    def __init__(self, path: Path, problems: Sequence[Problem], count: int) -> None:
        self.path = path
        self.problems = list(problems)
        self.count = count
        super().__init__("\n".join(self.lines()))

    def lines(self) -> Iterator[str]:
        """One a problem, as in `seats.csv:17: price_minor: …`, and how many more there are."""
        for problem in self.problems:
            column = "" if problem.column is None else f" {problem.column}:"
            yield f"{self.path}:{problem.line}:{column} {problem.message}"
        if self.count > len(self.problems):
            yield f"{self.path}: {self.count - len(self.problems)} more problems"


class Problems:
    """Collects what is wrong with a file; remembers the first few and counts all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first: list[Problem] = []
        self.count = 0

    def add(self, line: int, column: str | None, message: str) -> None:
        self.count += 1
        if len(self.first) < PROBLEMS_SHOWN:
            self.first.append(Problem(line, column, message))

    def refusal(self) -> FileRefused:
        return FileRefused(self.path, self.first, self.count)

    def refuse_if_any(self) -> None:
        if self.count:
            raise self.refusal()


class Column(msgspec.Struct, frozen=True):
    """A column's name, the type of its values, and how text becomes such a value (ValueError: it does not)."""

    name: str
    type: Any
    parse: Callable[[str], object]


def text(cell: str) -> str:
    return nfc(cell)


def whole_number(cell: str) -> int:
    if not _WHOLE.fullmatch(cell):
        raise ValueError("is not a whole number")
    return int(cell)


def number_or_none(cell: str) -> float | None:
    """None for an empty cell."""
    if not cell:
        return None
    if not _DECIMAL.fullmatch(cell):
        raise ValueError("is not a number such as 525.695")
    return float(cell)


def read_rows(path: Path, columns: Sequence[Column], problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and values by column of each good row; whatever is not good is added to `problems`.

    Raises FileRefused at once where the file as a whole cannot be read: not there, no UTF-8, another header.
    """
    try:
        with path.open("rb") as file:
            yield from _read_rows(file, columns, problems)
    except OSError as error:
        raise FileRefused(path, [Problem(1, None, f"cannot be read: {error.strerror}")], 1) from error


def _read_rows(file: BinaryIO, columns: Sequence[Column], problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    records = _records(file, problems)
    _, header = next(records, (1, []))
    _check_header(header, [column.name for column in columns], problems)
    count = 0
    for line, cells in records:
        count += 1
        if count > ROWS_MAX:
            problems.add(line, None, f"is row {count}; a file may have {ROWS_MAX}: split it")
            break
        values = _values(line, cells, columns, problems)
        if values is not None:
            yield line, values
    if not count:
        problems.add(1, None, "no row follows the header")


def _records(file: BinaryIO, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """The cells of each record that is not empty, with the line on which it begins."""
    reader = csv.reader(_lines(file, problems), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # What follows could be anything: with one quote too many, every later row would look bad.
            problems.add(line, None, f"is not CSV: {error}")
            raise problems.refusal() from None
        if cells:
            yield line, cells


def _lines(file: BinaryIO, problems: Problems) -> Iterator[str]:
    """The file's lines as text, up to the first that is none."""
    number = 0
    while raw := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        try:
            line = _decoded(raw)
        except ValueError as error:
            problems.add(number, None, str(error))
            raise problems.refusal() from None
        yield line


def _decoded(raw: bytes) -> str:
    if len(raw) > LINE_BYTES_MAX:
        raise ValueError(f"is longer than {LINE_BYTES_MAX} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start + 1}") from None


def _check_header(header: Sequence[str], expected: Sequence[str], problems: Problems) -> None:
    if header == expected:
        return
    for name in dict.fromkeys(header):
        if name not in expected:
            problems.add(1, name, "is not a column of this file")
        elif header.count(name) > 1:
            problems.add(1, name, f"stands {header.count(name)} times in the header")
    for name in expected:
        if name not in header:
            problems.add(1, name, "is missing in the header")
    if not problems.count:
        problems.add(1, None, f"has the columns in another order than {','.join(expected)}")
    raise problems.refusal()


def _values(line: int, cells: Sequence[str], columns: Sequence[Column], problems: Problems) -> dict[str, Any] | None:
    if len(cells) != len(columns):
        problems.add(line, None, f"has {len(cells)} cells; the header has {len(columns)}")
        return None
    values: dict[str, Any] = {}
    for column, cell in zip(columns, cells, strict=True):
        try:
            values[column.name] = msgspec.convert(column.parse(cell), column.type)
        except msgspec.ValidationError:
            problems.add(line, column.name, f"{_shown(cell)} is not allowed. {_description(column.type)}")
        except ValueError as error:
            problems.add(line, column.name, f"{_shown(cell)} {error}")
    return values if len(values) == len(columns) else None


def _shown(cell: str) -> str:
    return ascii(cell if len(cell) <= 40 else f"{cell[:40]}…")  # noqa: PLR2004 - fits a line of a terminal


def _description(annotated: Any) -> str:  # noqa: ANN401 - any type with a Meta
    """The sentence that the type brings along; of an optional one, that of its first part."""
    for part in get_args(annotated):
        if isinstance(part, Meta) and part.description:
            return part.description
        found = _description(part)
        if found:
            return found
    return ""


def repeated(places: dict[Any, int], value: Iterable[Any] | str, line: int) -> int | None:
    """The line on which `value` has stood before, if it has; else this line is remembered as its first."""
    earlier = places.setdefault(value, line)
    return None if earlier == line else earlier
