"""Nobody reads a file of a thousand lines: at most 500 lines a file and 70 a function, and exceptions only shrink."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.sizes import LARGER
from tests.house.tree import python_files, shown

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70


def functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    """Each function's name with its number of lines, from `def` to its end."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            assert child.end_lineno is not None
            yield f"{prefix}{child.name}", child.end_lineno - child.lineno + 1
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from functions(child, f"{prefix}{child.name}.")


def sizes(path: Path) -> Iterator[tuple[str, int, int]]:
    """Key, lines and allowed lines of the file and of each of its functions."""
    text = path.read_text()
    yield shown(path), len(text.splitlines()), FILE_LINES_MAX
    for name, lines in functions(ast.parse(text), ""):
        yield f"{shown(path)}::{name}", lines, FUNCTION_LINES_MAX


def all_sizes() -> Iterator[tuple[str, int, int]]:
    for path in python_files():
        yield from sizes(path)


def test_files_and_functions_stay_readable() -> None:
    too_large = [
        f"{key} has {lines} lines, allowed are {LARGER.get(key, allowed)}"
        for key, lines, allowed in all_sizes()
        if lines > LARGER.get(key, allowed)
    ]
    assert not too_large, "\n".join(too_large)


def test_exceptions_shrink_with_what_they_name() -> None:
    measured = {key: (lines, allowed) for key, lines, allowed in all_sizes()}
    for key, number in LARGER.items():
        assert key in measured, f"{key} is gone: remove it from tests/house/sizes.py"
        lines, allowed = measured[key]
        assert lines > allowed, f"{key} is no exception any more: remove it from tests/house/sizes.py"
        assert lines == number, f"{key} has shrunk to {lines}: write that into tests/house/sizes.py"
