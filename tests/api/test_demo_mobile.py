"""`holdfast demo mobile`, as a newcomer runs it: to its end, and until Ctrl-C."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.client import Outbox, ReservationView
from tests.polling import wait_until
from tests.process import ChildProcess, is_alive, make_directory, remove_directory
from tests.running import ROOT, audit, service_environment

TIMEOUT_S = 120.0
USERS_DATA = b"not the demonstration's business"


class Demo:
    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.process = ChildProcess(
            [sys.executable, "-m", "service", "demo", "mobile", *arguments],
            log_path=directory / "output.log",
            environment={**service_environment(None), "PYTHONPATH": str(ROOT), "COLUMNS": "300"},
            directory=directory,
        )

    def output(self) -> str:
        return self.process.log_path.read_text(encoding="utf-8")

    def assert_gone(self, *phones: int) -> None:
        """No process of it is left: not itself, not its server, not a phone."""
        pids = [int(pid) for pid in (self.directory / "var" / "demo.running").read_text().split()]
        assert len(pids) == 2
        wait_until(lambda: not [pid for pid in (*pids, *phones) if is_alive(pid)])


@pytest.fixture
def directory() -> Iterator[Path]:
    path = make_directory("demo")
    (path / "var").mkdir()
    (path / "var" / "holdfast.sqlite3").write_bytes(USERS_DATA)
    yield path
    assert (path / "var" / "holdfast.sqlite3").read_bytes() == USERS_DATA
    remove_directory(path)


def test_phone_books_once_and_the_document_proves_it(directory: Path) -> None:
    demo = Demo(directory, "--json")
    demo.process.start()
    wait_until(lambda: not demo.process.is_running, TIMEOUT_S, "end of the demonstration")
    assert demo.process.exit_code == 0, demo.output()
    told = json.loads(demo.output())
    assert told["clean"] is True
    assert all(check["good"] for check in told["proof"]), told["proof"]
    assert [check["claim"] for check in told["proof"]][-1] == "auditor"
    texts = [moment["what"] for moment in told["timeline"]]
    assert sum("kill -9" in text for text in texts) == 3
    assert any("has its answer to the order" in text and "carried out before" in text for text in texts)
    assert any("has its answer to the payment" in text and "carried out before" in text for text in texts)
    assert {moment["who"] for moment in told["timeline"]} == {"phone", "network", "service"}
    times = [moment["at_s"] for moment in told["timeline"]]
    assert times == sorted(times)
    assert told["seconds"] >= times[-1]
    demo.assert_gone()
    audit(f"sqlite+aiosqlite:///{directory}/var/demo.sqlite3")
    order, payment = Outbox(directory / "var" / "demo.outbox").entries()
    assert (order.state, payment.state) == ("answered", "answered")
    assert Outbox(directory / "var" / "demo.outbox").answer(payment.key, ReservationView).state == "confirmed"


def test_interrupted_story_leaves_no_process(directory: Path) -> None:
    demo = Demo(directory)
    demo.process.start()
    demo.process.wait_until_ready(lambda: "  phone" in demo.output(), TIMEOUT_S, "a phone")
    assert re.search(r"^ +\d+\.\d s  network  there is none", demo.output(), re.MULTILINE)
    phones = [int(pid) for pid in re.findall(r"phone +is switched on \(process (\d+)\)", demo.output())]
    # A second one at the same time has no place of its own.
    second = Demo(directory, "--json")
    second.process.log_path = directory / "second.log"
    second.process.start()
    wait_until(lambda: not second.process.is_running, TIMEOUT_S, "end of the second one")
    assert (second.process.exit_code, second.output().count("\n")) == (2, 1), second.output()
    assert f"kill {demo.process.pid}" in second.output()
    assert demo.process.stop(signal.SIGINT) == 130, demo.output()
    demo.assert_gone(*phones)
