"""The health check of the container image, against the real server."""

import subprocess
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest

from service.demo.ports import free_port
from tests.running import ROOT, RunningService, service_environment

TIMEOUT_S = 30.0


@pytest.mark.parametrize(
    ("path", "code"), [("/readyz", 0), ("/healthz", 0), ("/metrics", 0), ("/v1/me", 1), ("/nothing", 1)]
)
def test_health_check_tells_a_200_from_all_else(service: RunningService, path: str, code: int) -> None:
    port = urlsplit(service.url).port
    assert health_check(path, str(port)).returncode == code
    assert health_check(path, env={"HOLDFAST_PORT": str(port)}).returncode == code


def test_health_check_fails_where_nobody_listens() -> None:
    assert health_check("/healthz", str(free_port())).returncode == 1


def health_check(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    script = ROOT / "deploy" / "healthcheck.py"
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        env=service_environment(None, env),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
