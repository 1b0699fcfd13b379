"""`make demo`, as a newcomer runs it: in a directory of its own, with an empty home, to its end or until Ctrl-C."""

import os
import re
import shlex
import signal
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.demo.ports import free_port
from tests.accounts import http_client
from tests.polling import wait_until
from tests.process import ChildProcess, is_alive, make_directory, remove_directory
from tests.running import ROOT, audit, service_environment

DEMO_TIMEOUT_S = 180.0
LAST_LINE = "Ctrl-C"
# What the shell of a user may well have set, and what must not matter.
FOREIGN_SETTINGS = {"HOLDFAST_DATABASE_URL": "mysql+asyncmy://nobody@127.0.0.1:1/none", "HOLDFAST_WORKERS": "4"}
USERS_DATA = b"not the demonstration's business"


class Demo:
    """`python -m service demo` in `directory`, whose `var` it makes or finds; what it prints goes into a file."""

    def __init__(self, directory: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.port = free_port()
        home = directory / "home"
        home.mkdir(exist_ok=True)
        self.process = ChildProcess(
            [sys.executable, "-m", "service", "demo", "--port", str(self.port), *arguments],
            log_path=directory / f"output-{self.port}.log",
            environment={**service_environment(None, settings), "HOME": str(home), "PYTHONPATH": str(ROOT)},
            directory=directory,
        )

    def run(self) -> int:
        """Its exit code, when it has ended by itself."""
        self.process.start()
        wait_until(lambda: not self.process.is_running, DEMO_TIMEOUT_S, "end of the demonstration")
        code = self.process.exit_code
        assert code is not None
        return code

    def start(self, until: str) -> None:
        """Returns when it has printed `until`."""
        self.process.start()
        self.process.wait_until_ready(lambda: until in self.output(), DEMO_TIMEOUT_S, f"demonstration with {until!r}")

    def output(self) -> str:
        return self.process.log_path.read_text(encoding="utf-8")

    def number(self, what: str) -> int:
        """From the table of its verdict."""
        found = re.search(rf"^ *{what} +([0-9,]+) ", self.output(), re.MULTILINE)
        assert found, f"no {what!r} in\n{self.output()}"
        return int(found[1].replace(",", ""))

    def assert_gone(self) -> None:
        """No process of it is left, and its port is free."""
        pids = [int(pid) for pid in (self.directory / "var" / "demo.running").read_text().split()]
        assert len(pids) == 2, "the demonstration and its server"
        assert not [pid for pid in pids if is_alive(pid)]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self.port))


@pytest.fixture
def directory() -> Iterator[Path]:
    path = make_directory("demo")
    yield path
    remove_directory(path)


def assert_clean(demo: Demo) -> None:
    """Nothing double, nothing untrue, and none of it because nothing happened."""
    text = demo.output()
    assert "clients: clean" in text, text
    assert "auditor: clean" in text, text
    assert demo.number("doubles") == 0
    assert demo.number("untrue answers") == 0
    assert demo.number("requests") > demo.number("answers") > 2_000
    assert demo.number("replays") > demo.number("answers") / 2
    assert demo.number("refusals") > 100
    assert demo.number("seats confirmed") > 100
    assert "16,054" in text
    assert "77 items" in text


def curl_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("curl ")]


def run_curl(client: httpx.Client, line: str) -> httpx.Response:
    """What curl would do with the line."""
    options = ArgumentParser(exit_on_error=False)
    options.add_argument("url")
    options.add_argument("-s", action="store_true")
    options.add_argument("-H", action="append", dest="headers")
    options.add_argument("-d", dest="data")
    asked = options.parse_args(shlex.split(line)[1:])
    headers = dict(header.split(": ", 1) for header in asked.headers)
    method = "GET" if asked.data is None else "POST"
    return client.request(method, asked.url, headers=headers, content=asked.data)


def call_what_it_prints(demo: Demo) -> None:
    lines = curl_lines(demo.output())
    assert len(lines) == 3
    with http_client("") as client:
        first, again, mine, left = (run_curl(client, line) for line in (lines[0], *lines))
    assert (first.status_code, again.status_code) == (201, 201), first.text
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    held: dict[str, Any] = first.json()
    assert [one["reference"] for one in mine.json()["reservations"]] == [held["reference"]]
    assert left.json()["held"] == 1
    assert left.json()["available"] > 0


def test_demo_serves_what_it_prints_and_runs_again_beside_a_users_data_and_settings(directory: Path) -> None:
    users_file = directory / "var" / "holdfast.sqlite3"
    users_file.parent.mkdir()
    users_file.write_bytes(USERS_DATA)

    demo = Demo(directory)
    demo.start(LAST_LINE)
    assert_clean(demo)
    call_what_it_prints(demo)
    audit(f"sqlite+aiosqlite:///{directory}/var/demo.sqlite3")
    assert demo.process.stop(signal.SIGINT) == 0
    demo.assert_gone()

    again = Demo(directory, "--exit", settings=FOREIGN_SETTINGS)
    assert again.run() == 0, again.output()
    assert_clean(again)
    assert "the new account is demo-2" in again.output()
    assert "HOLDFAST_DATABASE_URL, HOLDFAST_WORKERS: not used" in again.output()
    assert not curl_lines(again.output()), "what is over cannot be called"
    again.assert_gone()

    assert users_file.read_bytes() == USERS_DATA
    assert not list((directory / "home").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_interrupted_demo_leaves_no_server(directory: Path, number: signal.Signals) -> None:
    demo = Demo(directory)
    demo.start("  server ")
    assert demo.process.stop(number) == 130
    demo.assert_gone()


def test_demo_whose_server_dies_says_so_and_fails(directory: Path) -> None:
    demo = Demo(directory)
    demo.start("  stock ")
    _, server = (directory / "var" / "demo.running").read_text().split()
    os.kill(int(server), signal.SIGKILL)
    wait_until(lambda: not demo.process.is_running, DEMO_TIMEOUT_S, "end of the demonstration")
    assert demo.process.exit_code == 1
    assert "the server ended with -9" in demo.output()


def test_port_in_use_is_told_with_one_that_is_free(directory: Path) -> None:
    demo = Demo(directory)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", demo.port))
        taken.listen()
        assert demo.run() == 2
    found = re.search(r"make demo PORT=(\d+)", demo.output())
    assert found, demo.output()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", int(found[1])))


def test_second_demo_at_the_same_time_is_refused(directory: Path) -> None:
    first = Demo(directory)
    first.start("  server ")
    second = Demo(directory)
    assert second.run() == 2
    assert f"kill {first.process.pid}" in second.output()
    first.process.stop(signal.SIGINT)
    first.assert_gone()
