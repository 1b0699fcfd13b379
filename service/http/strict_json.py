"""Why a body is not the JSON that we take: every flaw with its path, as in `$.lines[0].seats[1]`.

Runs only after `decode` has found that there is a flaw. Beyond RFC 8259, which leaves these open: members are unique,
numbers fit a double, strings hold no lone surrogates, and nothing is nested deeper than DEPTH_MAX.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

DEPTH_MAX: Final = 64
"""Levels of arrays and objects. Far below what would end the interpreter's stack."""

_TOO_DEEP: Final = f"is nested deeper than {DEPTH_MAX} levels"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SHOWN_MAX: Final = 64


class _Unreadable(NamedTuple):
    """Stands in the tree where a number cannot."""

    flaw: str


class _Object(dict[str, Any]):
    """An object that remembers which names it had more than once."""

    repeated: list[str]


def member_path(path: str, name: str) -> str:
    """Path of a member: `$.name`, or `$["odd name"]`; of a parameter: `?name`."""
    if path == "?":
        return f"?{name[:_SHOWN_MAX]}"
    if _PLAIN_NAME.fullmatch(name):
        return f"{path}.{name}"
    return f"{path}[{json.dumps(name[:_SHOWN_MAX])}]"


def has_surrogate(text: str) -> bool:
    """Whether UTF-8 cannot hold it."""
    return _SURROGATE.search(text) is not None


def deeper_than(levels: int, tree: object) -> bool:
    """Whether arrays and objects lie in each other more than `levels` times. Level by level, so on no stack."""
    level = [tree] if isinstance(tree, dict | list) else []
    for _ in range(levels):
        if not level:
            return False
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
    return bool(level)


def flaws(body: bytes) -> Iterator[tuple[str, str]]:
    """(path, message) of each; of a syntax error only the first. None if the body is well formed."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        yield "$", f"is not UTF-8 at byte {error.start + 1}"
        return
    if text.startswith("\ufeff"):
        yield "$", "begins with a byte order mark"
        return
    try:
        tree = _reader.decode(text)
    except json.JSONDecodeError as error:
        yield "$", f"is not JSON at line {error.lineno}, column {error.colno}: {error.msg[:1].lower()}{error.msg[1:]}"
        return
    except RecursionError:
        yield "$", _TOO_DEEP
        return
    if deeper_than(DEPTH_MAX, tree):
        yield "$", _TOO_DEEP
        return
    yield from _flaws_of(tree, "$")


def _flaws_of(value: object, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case _Unreadable():
            yield path, value.flaw
        case str() if has_surrogate(value):
            yield path, "holds a lone surrogate"
        case _Object():
            for name in value.repeated:
                yield member_path(path, name), "is there more than once"
            for name, member in value.items():
                if has_surrogate(name):
                    yield member_path(path, name), "has a lone surrogate in its name"
                yield from _flaws_of(member, member_path(path, name))
        case list():
            for index, item in enumerate(value):
                yield from _flaws_of(item, f"{path}[{index}]")


def _read_object(pairs: list[tuple[str, Any]]) -> _Object:
    members = _Object(pairs)
    times = Counter(name for name, _ in pairs) if len(members) < len(pairs) else {}
    members.repeated = [name for name in times if times[name] > 1]
    return members


def _read_float(text: str) -> float | _Unreadable:
    number = float(text)
    return _Unreadable("is a number out of range") if number in (float("inf"), float("-inf")) else number


def _read_int(text: str) -> int | _Unreadable:
    try:
        return int(text)
    except ValueError:  # more digits than the interpreter reads
        return _Unreadable("is a number out of range")


def _read_constant(text: str) -> _Unreadable:
    return _Unreadable(f"is {text}, which JSON has not")


_reader: Final = json.JSONDecoder(
    object_pairs_hook=_read_object, parse_float=_read_float, parse_int=_read_int, parse_constant=_read_constant
)
