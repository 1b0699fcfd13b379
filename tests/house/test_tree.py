"""What must stand nowhere in the project: other machines' paths, index addresses, loose ends, mocks, sleeps."""

import ast
import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, project_files, python_files, shown

# Each with what to do in its place. This file is the only one that may say them.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.-])/(root|work|home|Users)/\w|\.pyenv",
    "an index address or the option for one": (
        r"(?<![\w-])--(extra-)?index-url|(?<![\w-])--(find-links|trusted-host)|pypi\.org/simple|files\.pythonhosted"
        r"|registry\.npmjs|deb\.debian\.org"
    ),
    "a loose end": r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError",
    "a test that does not run": r"\bpytest\.(skip|xfail|importorskip)\b|\bmark\.(skip|skipif|xfail)\b|unittest\.skip",
    "a line kept from being counted": r"pragma: no cover",
    "a mock": r"unittest\.mock|\bfrom mock\b|\bimport mock\b|\bMagicMock\b",
    "annotations that do not exist at run time": r"from __future__ import annotations",
}
MAY_SAY_THEM = {"tests/house/test_tree.py"}
# The polling helper of the tests sleeps between two looks; nothing else does.
MAY_SLEEP = {"tests/polling.py", "service/client/sending.py"}  # the pause between two attempts
TEXT_BYTES_MAX = 2_000_000


def texts() -> dict[str, str]:
    """Every text of the project by its path."""
    found: dict[str, str] = {}
    for path in project_files():
        if path.stat().st_size <= TEXT_BYTES_MAX and shown(path) not in MAY_SAY_THEM:
            data = path.read_bytes()
            if b"\0" not in data:
                found[shown(path)] = data.decode()
    return found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nowhere_in_the_tree(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in texts().items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, f"{what}:\n" + "\n".join(found)


def test_no_path_of_this_checkout() -> None:
    found = [path for path, text in texts().items() if f"{ROOT}/" in text]
    assert not found, f"{ROOT} is named in {found}"


def test_nobody_sleeps_but_the_polling_helper() -> None:
    found = [
        f"{shown(path)}:{line}"
        for path in python_files("service", "tests")
        if shown(path) not in MAY_SLEEP
        for line in sleeps(path)
    ]
    assert not found, "time.sleep in " + ", ".join(found)


def sleeps(path: Path) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) == "time.sleep")
        or (
            isinstance(node, ast.ImportFrom) and node.module == "time" and "sleep" in {name.name for name in node.names}
        )
    ]


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        shown(path)
        for path in python_files("service", "tests", "migrations")
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent, "without a docstring: " + ", ".join(silent)
