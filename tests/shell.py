"""An operator at a terminal: `holdfast` through its real entry point, on one database or against an API."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from tests.running import run_cli


class Operator:
    """Works on the database, as `--as` says; or with `key` against the API at `url`."""

    def __init__(self, account: str, database_url: str, *, url: str | None = None, key: str | None = None) -> None:
        self.database_url = database_url
        self._where = ["--account", account, "--as", "ann"] if url is None else ["--url", url]
        # Against an API nothing may be taken from a database, so it is told of none that is there.
        self._env = {} if key is None else {"HOLDFAST_API_KEY": key, "HOLDFAST_DATABASE_URL": NOWHERE}

    def run(
        self, *arguments: str, module: str = "service", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        given = {**self._env, **(env or {})}
        done = run_cli(*arguments, *self._where, database_url=self.database_url, env=given, module=module)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def told(self, *arguments: str, code: int = 0) -> str:
        """What people are told: on standard output, or on standard error where it failed."""
        done = self.run(*arguments)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout or done.stderr

    def shown(self, *arguments: str, code: int = 0) -> Any:
        """What programs read."""
        done = self.run(*arguments, "--json")
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)


NOWHERE = "sqlite+aiosqlite:////proc/nowhere/holdfast.sqlite3"
