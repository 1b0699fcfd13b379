"""Locust as a process of its own: started, watched, and read.

Never in this process: with Locust comes gevent, which changes the standard library under everybody.
"""

import csv
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from loadtests.catalogue import Scenario
from loadtests.stack import Stack
from service.demo.ports import free_port
from tests.polling import wait_until
from tests.process import ChildProcess
from tests.running import ROOT

STOP_TIMEOUT_S = 240
"""Clients that insist may take so long to their last answer; longer than their patience."""
SPAWNED_A_SECOND_MAX = 1_000
FOREVER_S = 7 * 24 * 3600.0


class Measured(msgspec.Struct, frozen=True):
    """What Locust counted in one run; `failures` are answers that the scenario does not expect."""

    requests: int
    failures: int
    exceptions: int
    seconds: float
    median_ms: float
    p99_ms: float
    by_name: dict[str, int]
    exit_code: int = 0

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Order:
    """One run of Locust. `directory` gets its HTML, CSV, log and the ledger."""

    scenario: Scenario
    users: int
    duration_s: int
    directory: Path
    has_ui: bool = False
    environment: Mapping[str, str] | None = None

    @property
    def ledger(self) -> Path:
        return self.directory / "ledger.jsonl"

    @property
    def summary(self) -> Path:
        return self.directory / "summary.json"


class LocustProcess:
    """Locust at work on a stack."""

    def __init__(self, order: Order, stack: Stack) -> None:
        self.order = order
        self.ui_url = ""
        command = [sys.executable, "-m", "locust", "-f", str(order.scenario.locustfile)]
        command += ["--users", str(order.users), "--spawn-rate", str(min(order.users, SPAWNED_A_SECOND_MAX))]
        command += ["--run-time", f"{order.duration_s}s", "--stop-timeout", str(STOP_TIMEOUT_S)]
        command += ["--csv", str(order.directory / "locust"), "--html", str(order.directory / "locust.html")]
        if order.has_ui:
            port = free_port()
            self.ui_url = f"http://127.0.0.1:{port}"
            command += ["--web-host", "127.0.0.1", "--web-port", str(port), "--autostart"]
        else:
            command += ["--headless", "--only-summary"]
        self.process = ChildProcess(
            command,
            log_path=order.directory / "locust.log",
            environment=environment_of(order, stack),
            directory=ROOT,
        )

    def finish(self) -> None:
        """Lets the users finish what they are at, and Locust write its reports."""
        if self.process.is_running:
            self.process.stop(signal.SIGINT, timeout=STOP_TIMEOUT_S + 30)

    def wait(self, tell: Callable[[int, int], None]) -> None:
        """Returns when it has ended. `tell` hears now and then how many requests and failures there are.

        Raises AssertionError where it does not end in time.
        """

        def has_ended() -> bool:
            tell(*_so_far(self.order.directory / "locust_stats_history.csv"))
            return not self.process.is_running

        limit_s = FOREVER_S if self.order.has_ui else self.order.duration_s + STOP_TIMEOUT_S + 30
        wait_until(has_ended, limit_s, "Locust to end")

    def measured(self) -> Measured:
        """Of a finished run. Raises AssertionError, with the end of its log, where Locust has written no summary."""
        path = self.order.summary
        assert path.is_file(), (
            f"Locust ended with {self.process.exit_code}, without a summary\n{self.process.log_tail()}"
        )
        measured = msgspec.json.decode(path.read_bytes(), type=Measured)
        return msgspec.structs.replace(measured, exit_code=self.process.exit_code or 0)


@contextmanager
def run_locust(order: Order, stack: Stack) -> Iterator[LocustProcess]:
    """Locust, started; ended with the block, by force if it must be."""
    locust = LocustProcess(order, stack)
    locust.process.start()
    try:
        yield locust
    finally:
        if locust.process.is_running:
            locust.process.kill()


def environment_of(order: Order, stack: Stack) -> dict[str, str]:
    """This process's, and what `loadtests/visitor.py` reads."""
    return {
        **os.environ,
        "LOAD_URLS": ",".join(stack.urls),
        "LOAD_KEY": stack.account.key,
        "LOAD_USERS": str(order.users),
        "LOAD_LEDGER": str(order.ledger),
        "LOAD_SUMMARY": str(order.summary),
        **(order.environment or {}),
    }


def _so_far(history: Path) -> tuple[int, int]:
    """Requests and failures in the last whole line that Locust has written of all of them."""
    if not history.is_file():
        return 0, 0
    with history.open(newline="", encoding="utf-8") as file:
        names = file.readline().rstrip("\r\n").split(",")
        file.seek(max(file.tell(), history.stat().st_size - 4096))
        rows = [row for row in csv.DictReader(file.readlines()[:-1], names) if row["Name"] == "Aggregated"]
    if not rows:
        return 0, 0
    return int(rows[-1]["Total Request Count"]), int(rows[-1]["Total Failure Count"])
