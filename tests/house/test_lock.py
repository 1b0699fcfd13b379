"""The lock names every dependency with hashes and nothing about where it was made."""

import re
import tomllib

from tests.house.tree import ROOT

PIN = re.compile(r"^([a-z0-9._-]+)==\S+ \\$", re.MULTILINE)


def lock() -> str:
    path = ROOT / "requirements.lock"
    assert path.exists(), "requirements.lock is missing: run `make lock`"
    return path.read_text()


def normalised(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_lock_pins_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    missing = {normalised(name) for name in wanted} - {normalised(name) for name in PIN.findall(lock())}
    assert not missing, f"not in requirements.lock: {sorted(missing)}; run `make lock`"


def test_every_pin_has_hashes() -> None:
    blocks = re.split(r"^(?=[a-z0-9])", lock(), flags=re.MULTILINE)[1:]
    assert blocks
    bare = [block.split()[0] for block in blocks if "--hash=sha256:" not in block]
    assert not bare, f"without a hash: {bare}"


def test_lock_names_no_place() -> None:
    pins = [line for line in lock().splitlines() if not line.lstrip().startswith("#")]
    found = [line for line in pins if re.search(r"://|^-|file:|@ ", line)]
    assert not found, "\n".join(found)
