"""`holdfast top` through its real entry point: before a server that works, that dies and comes back; on a terminal."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.demo.ports import free_port
from tests.accounts import Account, new_account
from tests.make import hold, put_stock
from tests.polling import wait_until
from tests.process import ChildProcess
from tests.running import ROOT, RunningService, run_cli, service_environment, start_service

UNIT = [{"sku": "NW-001", "quantity": 1}]


def top_environment(service: RunningService) -> dict[str, str]:
    port = service.url.rpartition(":")[2]
    return service_environment(service.database_url, {"HOLDFAST_PORT": port, "COLUMNS": "200"})


@pytest.fixture
def busy(account: Account) -> Account:
    put_stock(account, on_hand=100_000)
    return account


def test_reading_has_what_happened_between_two_looks(busy: Account, service: RunningService, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service", "top", "--json", "--interval", "1.5", "--account", busy.name]
    log = tmp_path / "top.json"
    process = ChildProcess(command, log_path=log, environment=top_environment(service), directory=ROOT)
    process.start()
    made = 0
    while process.is_running:
        assert hold(busy, UNIT, hold_seconds=50).status_code == 201
        made += 1
    assert process.exit_code == 0, process.log_tail()
    found = json.loads(log.read_text())
    figures, holds = found["figures"], found["holds"]
    assert (found["sources"], found["gone"]) == ([f"{service.url}/metrics"], {})
    assert figures["requests"]["2xx"] > 0
    assert figures["transitions"]["create"] > 0
    assert figures["batches"] > 0
    assert figures["commands_per_batch"] >= 1
    assert 0 < figures["p50"]["ms"] <= figures["p99"]["ms"]
    assert 0 < holds["expiring"] <= made, holds
    assert holds["stale"] == 0


def test_with_a_url_and_a_key_it_is_seen_from_outside(busy: Account, service: RunningService) -> None:
    hold(busy, UNIT, hold_seconds=50)
    asked = ("top", "--json", "--interval", "0.2", "--url", service.url)
    found = json.loads(run_cli(*asked, "--key", busy.key).stdout)
    assert (found["sources"], found["holds"]["expiring"]) == ([f"{service.url}/metrics"], 1)
    without = json.loads(run_cli(*asked).stdout)
    assert without["figures"]["seconds"] > 0.1
    assert (without["holds"]["expiring"], "--key" in without["holds"]["note"]) == (None, True)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[RunningService]:
    url = f"sqlite+aiosqlite:///{tmp_path}/holdfast.sqlite3"
    assert run_cli("db", "upgrade", database_url=url).returncode == 0
    with start_service(url) as service:
        yield service


def test_server_that_dies_is_told_and_looked_for_until_ctrl_c(mortal: RunningService, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service", "top", "--interval", "0.2"]
    log = tmp_path / "top.log"
    process = ChildProcess(command, log_path=log, environment=top_environment(mortal), directory=ROOT)
    process.start()
    wait_until(lambda: "requests/s" in log.read_text(), 20, "a first reading")
    mortal.kill()
    wait_until(lambda: "does not answer" in log.read_text(), 20, "the death is told")
    mortal.start()
    told = log.read_text()
    wait_until(lambda: "requests/s" in log.read_text()[len(told) :], 20, "it is found again")
    assert process.stop(signal.SIGINT) == 0
    assert "Traceback" not in log.read_text()


def test_ctrl_c_leaves_a_clean_terminal(mortal: RunningService) -> None:
    master, slave = pty.openpty()
    with closing(new_account(mortal.url, mortal.database_url)):
        environment = top_environment(mortal) | {"TERM": "xterm-256color"}
        command = [sys.executable, "-m", "service", "top", "--interval", "0.2"]
        process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=ROOT)
        os.close(slave)
        written = b""
        while b"expire within a minute" not in written:
            written += os.read(master, 65_536)
        process.send_signal(signal.SIGINT)
        try:
            while part := os.read(master, 65_536):
                written += part
        except OSError:  # the other end is closed
            pass
        os.close(master)
        assert process.wait(20) == 0
    hidden, visible = b"\x1b[?25l", b"\x1b[?25h"
    assert written.rfind(visible) > written.rfind(hidden) >= 0
    assert b"Traceback" not in written


def test_nobody_answers_and_bad_options() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/metrics"
    done = run_cli("top", "--once", "--interval", "0.2", "--metrics", nowhere, "--metrics", nowhere)
    assert done.returncode == 3
    assert done.stdout.count("does not answer") == 1
    for options, words in ((("--metrics", "ftp://x"), "is no address of metrics"), (("--interval", "0"), "--interval")):
        done = run_cli("top", *options, env={"COLUMNS": "200"})
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
