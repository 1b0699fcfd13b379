"""What `holdfast doctor` says, for tests that have broken something."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from service.demo.ports import free_port
from tests.running import run_cli


class Doctored:
    """Exit code, and each check's result by its name, such as `schema: revision`."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        assert "Traceback" not in done.stderr, done.stderr
        self.code = done.returncode
        self.text = done.stdout + done.stderr
        self.document: Any = json.loads(done.stdout)
        self.checks: dict[str, Any] = {
            f"{check['group']}: {check['check']}": check for check in self.document["checks"]
        }

    def states(self) -> dict[str, str]:
        return {name: check["state"] for name, check in self.checks.items()}

    def wrong(self) -> set[str]:
        return {name for name, state in self.states().items() if state == "wrong"}

    def seen(self, name: str) -> str:
        return str(self.checks[name]["seen"])

    def mend(self, name: str) -> str:
        return "\n".join(self.checks[name]["mend"])


def doctored(
    *arguments: str, database_url: str | None = None, env: Mapping[str, str] | None = None, module: str = "service"
) -> Doctored:
    """One run. Unless `env` says otherwise it looks at a port where nobody listens."""
    given = {"HOLDFAST_PORT": str(free_port()), **(env or {})}
    return Doctored(run_cli("doctor", "--json", *arguments, database_url=database_url, env=given, module=module))
