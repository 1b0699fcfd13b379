"""The real service as real processes, for tests: server, worker, command line, auditor. All on free ports.

`start_service`, `start_worker` return when the process is ready and are context managers; leaving them stops it with
SIGTERM, and a process that had ended by itself fails the test with the end of its log.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from service.demo.ports import free_port
from tests.accounts import http_client
from tests.process import ChildProcess, make_directory, remove_directory

ROOT = Path(__file__).parents[1]
READY_TIMEOUT_S = 60.0
CLI_TIMEOUT_S = 120.0
POLL_TIMEOUT_S = 2.0
REPORT_SHOWN = 8_000


def service_environment(database_url: str | None, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without its own HOLDFAST_ settings, with those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "PROMETHEUS_"))}
    given = {} if database_url is None else {"HOLDFAST_DATABASE_URL": database_url}
    return {**kept, **given, **(env or {})}


class RunningProcess:
    """A process of the service. `process` knows its pid and whether it runs; its output is in `log_path`."""

    def __init__(self, database_url: str, arguments: list[str], env: Mapping[str, str], url: str) -> None:
        self.database_url = database_url
        self.url = url
        self._directory = make_directory("service")
        self.log_path = self._directory / "output.log"
        self.process = ChildProcess(
            [sys.executable, "-m", "service", *arguments],
            log_path=self.log_path,
            # What it leaves behind when it is killed goes with this directory.
            environment=service_environment(database_url, {"TMPDIR": str(self._directory), **env}),
            directory=ROOT,
        )

    @property
    def store(self) -> str:
        """`sqlite` or `mysql`."""
        return "sqlite" if self.database_url.startswith("sqlite") else "mysql"

    def start(self) -> Self:
        """Starts it, or starts it again on the same port; returns when it is ready."""
        self.process.start()
        self.process.wait_until_ready(self.is_ready, READY_TIMEOUT_S, " ".join(self.process.command[2:]))
        return self

    def is_ready(self) -> bool:
        """Whether it says so itself."""
        raise AssertionError("each kind of process knows how to ask")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end; its exit code."""
        return self.process.stop(number)

    def kill(self) -> None:
        """`kill -9` of the process and all its children."""
        self.process.kill()

    def pause(self) -> None:
        """`kill -STOP` of the process and all its children."""
        self.process.pause()

    def resume(self) -> None:
        """The end of pause."""
        self.process.resume()

    def log(self) -> str:
        """All of its output."""
        return self.log_path.read_text(errors="replace")

    def close(self) -> None:
        """Stops it if it runs. AssertionError if it had ended by itself."""
        try:
            if self.process.is_running:
                self.resume()
                self.stop()
            elif not self.process.was_ended:
                raise AssertionError(f"it ended by itself with {self.process.exit_code}\n{self.process.log_tail()}")
        finally:
            remove_directory(self._directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RunningService(RunningProcess):
    """`holdfast serve`; on SQLite it runs the worker's loops too."""

    def is_ready(self) -> bool:
        return _answers(f"{self.url}/readyz")


class RunningWorker(RunningProcess):
    """`holdfast worker`; at its `url` there is only /metrics."""

    def is_ready(self) -> bool:
        return _answers(f"{self.url}/metrics")


def start_service(database_url: str, *, env: Mapping[str, str] | None = None, workers: int = 1) -> RunningService:
    """A server on a database whose schema is current, ready."""
    port = free_port()
    arguments = ["serve", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
    return RunningService(database_url, arguments, env or {}, f"http://127.0.0.1:{port}").start()


def start_worker(database_url: str, *, env: Mapping[str, str] | None = None) -> RunningWorker:
    """A worker on a database whose schema is current, ready."""
    port = free_port()
    settings = {"HOLDFAST_WORKER_METRICS_PORT": str(port), **(env or {})}
    return RunningWorker(database_url, ["worker"], settings, f"http://127.0.0.1:{port}").start()


def run_cli(
    *arguments: str,
    database_url: str | None = None,
    env: Mapping[str, str] | None = None,
    input: str | None = None,  # noqa: A002 - subprocess.run's own word
    module: str = "service",
) -> subprocess.CompletedProcess[str]:
    """`holdfast` with these arguments, in the repository's root, to its end; the exit code is the caller's to judge.

    `module`: a launcher in its place, which changes something and then runs it.
    """
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=service_environment(database_url, env),
        input=input,
        capture_output=True,
        text=True,
        timeout=CLI_TIMEOUT_S,
        check=False,
    )


def upgrade(database_url: str) -> None:
    """Brings the database's schema to the newest revision, as an operator does."""
    done = run_cli("db", "upgrade", database_url=database_url)
    assert done.returncode == 0, f"holdfast db upgrade: {done.returncode}\n{done.stdout}{done.stderr}"


def audit(service_or_url: RunningProcess | str) -> None:
    """The auditor's verdict on a database, live or at rest. AssertionError with the first offenders if it has any."""
    url = service_or_url if isinstance(service_or_url, str) else service_or_url.database_url
    done = run_cli("audit", "--json", database_url=url)
    assert done.returncode == 0, f"holdfast audit: {done.returncode}\n{_readable(done.stdout)}\n{done.stderr}"


def _readable(report: str) -> str:
    try:
        return json.dumps(json.loads(report), indent=2, ensure_ascii=False)[:REPORT_SHOWN]
    except ValueError:
        return report[:REPORT_SHOWN]


def _answers(url: str) -> bool:
    with http_client(url) as client:
        try:
            return client.get("", timeout=POLL_TIMEOUT_S).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
