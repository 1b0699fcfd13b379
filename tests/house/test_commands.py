"""Every command of `holdfast` shows examples that it would understand; what changes something can be tried before."""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from service.cli.commands import app
from tests.house.test_documents import misused

CHANGE = {
    "accounts create", "accounts set", "audit", "db upgrade", "holds extend", "holds release", "idempotency purge",
    "import seats", "import stock", "keys create", "keys revoke", "keys scopes", "reservations cancel",
    "reservations confirm",
}  # fmt: skip
ONLY_RUN = {"demo", "demo mobile", "serve", "worker"}
"""They act for as long as they run, and on what is their own."""

ONLY_LOOK = {
    "accounts list", "db check", "db current", "doctor", "holds list", "hot", "idempotency show", "inventory list",
    "inventory map", "inventory show", "keys list", "reservations list", "reservations show", "top",
}  # fmt: skip


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each command that does something, with its words."""
    inner = getattr(command, "commands", {})
    for name, each in inner.items():
        yield from commands(each, (*path, name))
    if not inner or getattr(command, "invoke_without_command", False):
        yield " ".join(path), command


EVERY = dict(commands(typer.main.get_command(app)))


def test_every_command_is_known_to_change_or_to_look() -> None:
    assert set(EVERY) - {""} == CHANGE | ONLY_RUN | ONLY_LOOK


@pytest.mark.parametrize("words", sorted(CHANGE))
def test_command_that_changes_something_can_be_tried_before(words: str) -> None:
    assert "--dry-run" in {name for parameter in EVERY[words].params for name in parameter.opts}


@pytest.mark.parametrize("words", sorted((CHANGE | ONLY_RUN | ONLY_LOOK) - {"demo"}))
def test_help_ends_with_examples_that_the_command_understands(words: str) -> None:
    shown, *rest = (EVERY[words].epilog or "").split("Settings, read")[0].split("\n\n")
    assert shown == "Examples:"
    examples = [line.strip() for line in rest if line.strip()]
    assert examples
    for example in examples:
        program, *arguments = shlex.split(example)
        assert program == "holdfast"
        assert " ".join(arguments).startswith(words), example
        assert misused(arguments) is None, f"{example}: {misused(arguments)}"
