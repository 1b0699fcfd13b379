"""`python -m loadtests.load …` as the tests run it: small, short, on the database server that the tests share.

Locust lives in processes of its own, which that command starts: its gevent must never come into this one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import MysqlServer
from tests.running import ROOT

TIMEOUT_S = 300.0
FILES = ("locust.html", "locust_stats.csv", "ledger.jsonl", "verdict.json", "verdict.txt")


class Load(NamedTuple):
    """A load that has ended: its exit status, what it said, and its report."""

    status: int
    said: str
    directory: Path | None
    verdict: Any


def load(*arguments: str, reports: Path, server: MysqlServer | None = None) -> Load:
    """Runs it to its end."""
    command = [sys.executable, "-m", "loadtests.load", *arguments, "--reports", str(reports)]
    if server is not None:
        command += ["--mysql", server.server_url.render_as_string(hide_password=False)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    directory = next(reports.iterdir(), None)
    verdict = None
    if directory is not None and (directory / "verdict.json").exists():
        verdict = json.loads((directory / "verdict.json").read_bytes())
    return Load(done.returncode, done.stdout + done.stderr, directory, verdict)
