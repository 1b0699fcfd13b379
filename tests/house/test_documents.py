"""Documents tell the truth: the commands, options, paths and settings that they name exist."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from service.cli.commands import app
from service.cli.desk import KEY_VARIABLE, URL_VARIABLE
from service.settings import PREFIX, Settings
from tests.house.tree import ROOT, documents, project_files, python_files, shown

CODE = re.compile(r"```.*?\n(?P<block>.*?)```|`(?P<span>[^`\n]+)`", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
MAKE = re.compile(r"\bmake ([a-z-]+)")
# At the start of a line of code, after a prompt and assignments, after another command or in `$(…)`.
HOLDFAST = re.compile(
    r"(?:^|&&|\||\$\() *(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\S*bin/)?(?:holdfast|python -m service)((?: +[^\s|;&`)]+)+)",
    re.MULTILINE,
)
SETTING = re.compile(rf"\b{PREFIX}[A-Z_]+\b")
TEST_SETTINGS = re.compile(rf"{PREFIX}TEST_[A-Z_]+")


def code_of(document: Path) -> Iterator[str]:
    """Every piece of code in the document: blocks whole, spans each by itself."""
    for match in CODE.finditer(document.read_text()):
        yield match["block"] or match["span"]


def codes() -> list[tuple[str, str]]:
    return [(shown(document), code) for document in documents() for code in code_of(document)]


def test_cleaning_up_leaves_databases_alone() -> None:
    """The tour's and the demo's are in `var`; removing them takes a word of its own."""
    for target, removes in (("clean", False), ("clean-data", True)):
        told = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        assert ("var" in told.stdout.split()) == removes, told.stdout


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    missing = {f"{where}: make {target}" for where, code in codes() for target in MAKE.findall(code)} - {
        f"{where}: make {target}" for where, _ in codes() for target in targets
    }
    assert not missing, "no such target: " + ", ".join(sorted(missing))


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        ("load SCENARIO=flash-sale", "loadtests.load flash-sale"),
        ("load SCENARIO=mobile USERS=9 DURATION=7 UI=1", "loadtests.load mobile --users 9 --duration 7 --ui"),
        ("load SCENARIO=flash-sale CONTROL=1", "loadtests.load flash-sale --control"),
        ("soak MINUTES=60 ARGS='--seed 7'", "tests.faults.soak --minutes 60 --seed 7"),
        ("bench ARGS=--quick", "loadtests.bench --quick"),
    ],
)
def test_words_of_a_target_reach_its_command(words: str, runs: str) -> None:
    # A `make` above this test exports its own words.
    environment = {"PATH": os.environ["PATH"]}
    told = subprocess.run(
        ["make", "--dry-run", *shlex.split(words)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert " ".join(told.stdout.split()).endswith(runs), told.stdout


def test_readme_names_the_two_commands() -> None:
    code = "\n".join(code for where, code in codes() if where == "README.md")
    assert "make demo" in code
    assert "make test" in code


def test_commands_of_holdfast_exist() -> None:
    wrong = [
        f"{where}: holdfast {' '.join(words)}: {reason}"
        for where, code in codes()
        for match in HOLDFAST.findall(code)
        if (reason := misused(words := match.split()))
    ]
    assert not wrong, "\n".join(wrong)


def misused(words: list[str]) -> str | None:
    """What is wrong with a command line of `holdfast`; None if it would be understood."""
    command: Any = typer.main.get_command(app)
    for word in words:
        commands = getattr(command, "commands", None)
        if commands is not None and not word.startswith("-"):
            if word not in commands:
                return f"there is no command {word!r}"
            command = commands[word]
        elif word.startswith("--"):
            known = {name for parameter in command.params for name in parameter.opts + parameter.secondary_opts}
            lenient = command.context_settings.get("ignore_unknown_options", False)
            if word.partition("=")[0] not in {*known, "--help"} and not lenient:
                return f"there is no option {word}"
    return None


def test_settings_that_are_named_exist() -> None:
    known = {f"{PREFIX}{field.name.upper()}" for field in msgspec.structs.fields(Settings)}
    known |= {URL_VARIABLE, KEY_VARIABLE}  # of the operator's commands, where they work against an API
    named = {
        (shown(path), name)
        for path in project_files()
        if path.suffix in {".md", ".yml", ".yaml", ".toml"} or path.name in {"Dockerfile", "Makefile"}
        for name in SETTING.findall(path.read_text())
    }
    unknown = sorted(f"{where}: {name}" for where, name in named if name not in known and not TEST_SETTINGS.match(name))
    assert not unknown, "\n".join(unknown)


def test_links_lead_somewhere() -> None:
    broken = [
        f"{shown(document)}: {target}"
        for document in documents()
        for target in LINK.findall(document.read_text())
        if not (document.parent / target).exists()
    ]
    assert not broken, "\n".join(broken)


def test_paths_that_are_named_exist() -> None:
    missing = [
        f"{where}: {word}"
        for where, code in codes()
        for word in re.findall(r"[\w.*-]+(?:/[\w.*-]+)+/?", code)
        if word.split("/")[0] in {path.name for path in ROOT.iterdir()} - {"var", ".venv"}
        if not list(ROOT.glob(word.rstrip("/.")))
    ]
    assert not missing, "\n".join(missing)


def test_map_of_the_service_names_files_that_exist() -> None:
    text = (ROOT / "service" / "__init__.py").read_text()
    named = re.findall(r"`([\w/]+(?:\.py|/))`", text)
    assert named, "service/__init__.py is the map of the code; it names no file"
    missing = [name for name in named if not (ROOT / "service" / name).exists()]
    assert not missing, f"the map in service/__init__.py names {missing}"


def test_documents_named_in_the_code_exist() -> None:
    known = {path.name for path in documents()}
    unknown = {
        f"{shown(path)}: {name}"
        for path in python_files()
        for name in re.findall(r"\b[A-Za-z_-]+\.md\b", path.read_text())
        if name not in known
    }
    assert not unknown, "documents that are not in this repository:\n" + "\n".join(sorted(unknown))
