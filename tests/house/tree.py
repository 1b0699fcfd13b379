"""What the rules look at: the project's files as a fresh clone has them, and the tables in its documents."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

# What no clone has; the same as in .gitignore.
NOT_OURS = {".git", ".venv", "var", "build", "dist", "__pycache__", ".env"}
NOT_OURS_SUFFIXES = ("_cache", ".egg-info", ".hypothesis", ".pyc")


def project_files(*folders: str) -> Iterator[Path]:
    """Every file of the project, or of these folders of it."""
    for start in [ROOT / folder for folder in folders] or [ROOT]:
        for directory, names, files in os.walk(start):
            names[:] = sorted(name for name in names if _is_ours(name))
            yield from (Path(directory, file) for file in sorted(files) if _is_ours(file))


def _is_ours(name: str) -> bool:
    return name not in NOT_OURS and not name.endswith(NOT_OURS_SUFFIXES)


def python_files(*folders: str) -> list[Path]:
    """The Python files of the project, or of these folders of it; never an empty list."""
    found = [path for path in project_files(*folders) if path.suffix == ".py"]
    assert found, f"no Python file in {folders or ROOT}"
    return found


def shown(path: Path) -> str:
    """The path as a reader of the repository knows it."""
    return path.relative_to(ROOT).as_posix()


def documents() -> list[Path]:
    """The texts that people read."""
    assert README.exists(), "README.md is missing"
    return [path for path in project_files() if path.suffix == ".md"]


def block(name: str) -> str:
    """What stands in the README between `<!-- name -->` and `<!-- /name -->`."""
    assert README.exists(), "README.md is missing"
    pattern = rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->"
    found = re.findall(pattern, README.read_text(), re.DOTALL)
    assert len(found) == 1, f"README.md has {len(found)} blocks <!-- {name} --> … <!-- /{name} -->, it must have one"
    text: str = found[0]
    return text.strip()
