"""Completion by the shell: the script that `holdfast --show-completion` prints, really sourced."""

import subprocess
import sys
from pathlib import Path

from tests.running import ROOT, service_environment

COMPLETE = """
source <(holdfast --show-completion)
complete -p holdfast
for words in 'holdfast doc' 'holdfast idempotency pu' 'holdfast doctor --js'; do
    COMP_WORDS=($words)
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _holdfast_completion holdfast
    echo "${COMPREPLY[@]}"
done
"""


def environment(directory: Path) -> dict[str, str]:
    """With `holdfast` in the PATH."""
    program = directory / "holdfast"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m service "$@"\n')
    program.chmod(0o755)
    found = service_environment(None, {"PYTHONPATH": str(ROOT)})
    return found | {"PATH": f"{directory}:{found['PATH']}"}


def test_bash_completes_commands_and_options_by_the_script(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["doctor", "purge", "--json"], done.stdout
    assert "-F _holdfast_completion holdfast" in done.stdout


def test_zsh_and_fish_are_answered(tmp_path: Path) -> None:
    for shell, script in (("zsh", "_arguments"), ("fish", "")):
        asked = {"_HOLDFAST_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "holdfast doc"}
        asked["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
        done = subprocess.run(
            [str(tmp_path / "holdfast")],
            env=environment(tmp_path) | asked,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "doctor" in done.stdout
        assert script in done.stdout
