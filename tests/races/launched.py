"""The service with something amiss in its process: a launcher of the tests changes it and then runs the real command.

A launcher is a module of the tests that is run in the service's place, `python -m LAUNCHER serve …`. What it does is
its own to say; production code has no switch for it.
"""

from collections.abc import Mapping

from service.demo.ports import free_port
from tests.running import RunningService, RunningWorker


def launch_service(launcher: str, database_url: str, env: Mapping[str, str] | None = None) -> RunningService:
    """`start_service` behind a launcher, named as a module."""
    port = free_port()
    arguments = ["serve", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    service = RunningService(database_url, arguments, env or {}, f"http://127.0.0.1:{port}")
    _put_before(service, launcher)
    return service.start()


def launch_worker(launcher: str, database_url: str, env: Mapping[str, str] | None = None) -> RunningWorker:
    """`start_worker` behind a launcher."""
    port = free_port()
    settings = {"HOLDFAST_WORKER_METRICS_PORT": str(port), **(env or {})}
    worker = RunningWorker(database_url, ["worker"], settings, f"http://127.0.0.1:{port}")
    _put_before(worker, launcher)
    return worker.start()


def _put_before(process: RunningService | RunningWorker, launcher: str) -> None:
    at = process.process.command.index("service")
    process.process.command[at] = launcher
