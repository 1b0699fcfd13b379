"""The few words of SQL in which the stores differ, and literals that mean the same bytes on both."""

from collections.abc import Callable, Iterable

import msgspec


def text(value: str) -> str:
    """A literal for a column of text: bytes, so that no collation has a say."""
    return f"x'{value.encode().hex().upper()}'"


def texts(values: Iterable[str]) -> str:
    return ", ".join(text(value) for value in sorted(values))


class Speech(msgspec.Struct, frozen=True):
    """`joined` makes one text (bytes) of expressions; `unlike` compares two values of which either may be null."""

    joined: Callable[..., str]
    unlike: Callable[[str, str], str]


def _mysql_joined(*parts: str) -> str:
    return f"CONCAT({', '.join(parts)})"


def _sqlite_joined(*parts: str) -> str:
    return f"CAST({' || '.join(parts)} AS BLOB)"


def _mysql_unlike(left: str, right: str) -> str:
    return f"NOT ({left} <=> {right})"


def _sqlite_unlike(left: str, right: str) -> str:
    return f"{left} IS NOT {right}"


SPEECHES = {
    "mysql": Speech(_mysql_joined, _mysql_unlike),
    "sqlite": Speech(_sqlite_joined, _sqlite_unlike),
}
