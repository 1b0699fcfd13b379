"""Every row of what may die is tested: at exact places, by tests named after it, and at random, by the soak."""

import re
from collections import Counter

from tests.faults.soak.catalogue import kinds_of
from tests.house.tree import ROOT, python_files

ROWS = re.compile(r"^\| (\d+) \|", re.MULTILINE)
NAMED = re.compile(r"def test_rows?_((?:\d\d_(?:and_)?)+)")


def documented_rows() -> list[int]:
    return [int(number) for number in ROWS.findall((ROOT / "docs" / "reliability.md").read_text())]


def test_rows_are_numbered_without_a_gap() -> None:
    assert documented_rows() == list(range(1, len(documented_rows()) + 1))


def test_every_row_has_a_test_named_after_it() -> None:
    named = Counter(
        int(number)
        for path in python_files("tests")
        for numbers in NAMED.findall(path.read_text())
        for number in re.findall(r"\d\d", numbers)
    )
    assert sorted(named) == documented_rows()


def test_every_row_has_a_fault_in_the_soak() -> None:
    injected = {kind.row for store in ("mysql", "sqlite") for kind in kinds_of(store)}
    assert sorted(injected) == documented_rows()
