"""What the service imports it requires, and the locks name it with hashes and nothing about where they were made."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from typing import Any

import pytest

from tests.house.tree import ROOT, python_files

PIN = re.compile(r"^([a-z0-9._-]+)==\S+ \\$", re.MULTILINE)


# Everything, and the part of it that the image needs.
ALL = "requirements.lock"
IMAGE = "deploy/requirements.lock"


def lock(name: str = ALL) -> str:
    path = ROOT / name
    assert path.exists(), f"{name} is missing: run `make lock`"
    return path.read_text()


def pins(name: str) -> set[str]:
    return {line.removesuffix(" \\") for line in lock(name).splitlines() if re.match(r"[a-z0-9._-]+==", line)}


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def normalised(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_lock_pins_every_dependency() -> None:
    wanted = [*project()["dependencies"], *project()["optional-dependencies"]["dev"]]
    missing = {normalised(name) for name in wanted} - {normalised(name) for name in PIN.findall(lock())}
    assert not missing, f"not in requirements.lock: {sorted(missing)}; run `make lock`"


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of what a module imports, or looks for with find_spec."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("find_spec"):
            yield from (str(name.value).split(".")[0] for name in node.args if isinstance(name, ast.Constant))


def test_what_the_service_imports_it_also_requires() -> None:
    required = {normalised(name) for name in project()["dependencies"]}
    distributions = packages_distributions()
    foreign = {name for path in python_files("service") for name in imported(ast.parse(path.read_text()))}
    foreign -= {"service", *sys.stdlib_module_names}
    missing = {name for name in foreign if not {normalised(d) for d in distributions.get(name, [name])} & required}
    assert not missing, f"imported by the service, not required in pyproject.toml: {sorted(missing)}"


def test_image_has_the_versions_that_were_tested() -> None:
    assert pins(IMAGE) < pins(ALL), f"only in the image: {pins(IMAGE) - pins(ALL)}; run `make lock`"


@pytest.mark.parametrize("name", [ALL, IMAGE])
def test_every_pin_has_hashes(name: str) -> None:
    blocks = re.split(r"^(?=[a-z0-9])", lock(name), flags=re.MULTILINE)[1:]
    assert blocks
    bare = [block.split()[0] for block in blocks if "--hash=sha256:" not in block]
    assert not bare, f"without a hash: {bare}"


@pytest.mark.parametrize("name", [ALL, IMAGE])
def test_lock_names_no_place(name: str) -> None:
    lines = [line for line in lock(name).splitlines() if not line.lstrip().startswith("#")]
    found = [line for line in lines if re.search(r"://|^-|file:|@ ", line)]
    assert not found, "\n".join(found)
