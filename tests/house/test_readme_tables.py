"""The README's tables of states and settings are those of the code, word for word."""

import pytest

from tests.house.tables import TABLES
from tests.house.tree import block


@pytest.mark.parametrize("name", TABLES)
def test_table_of_the_readme_equals_the_code(name: str) -> None:
    expected = TABLES[name]()
    assert block(name) == expected, f"run `python -m tests.house.tables`, or write:\n\n{expected}"
