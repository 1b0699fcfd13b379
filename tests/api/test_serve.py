"""`holdfast serve` and `holdfast worker` as processes: several at once, their metrics, their end, their bounds."""

import contextlib
import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.http.protocol import HEAD_BYTES_MAX
from tests.accounts import http_client, new_account
from tests.polling import wait_until
from tests.running import RunningService, run_cli, start_service, start_worker, upgrade
from tests.servers import MysqlServer


def test_server_ends_with_0_on_sigterm(store_url: str) -> None:
    with start_service(store_url) as server:
        assert server.stop() == 0


def test_worker_ends_with_0_on_sigterm_and_shows_its_metrics(store_url: str) -> None:
    with start_worker(store_url) as worker, http_client(worker.url) as client:
        swept = re.compile(r'holdfast_sweeps_total\{loop="sweep"\} [1-9]')
        wait_until(lambda: swept.search(client.get("/metrics").text), what="a round of the sweep")
        assert worker.stop() == 0


def test_port_that_is_taken_is_told_in_one_line(service: RunningService) -> None:
    done = run_cli("serve", "--port", str(urlsplit(service.url).port), database_url=service.database_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("holdfast: cannot listen on port")
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def several(mysql_server: MysqlServer) -> Iterator[RunningService]:
    """Two server processes behind one port."""
    url = mysql_server.new_database()
    try:
        upgrade(url)
        with start_service(url, workers=2) as service:
            yield service
    finally:
        mysql_server.drop_database(url)


def processes_of(service: RunningService) -> set[int]:
    """The server processes under the supervisor; multiprocessing has a helper of its own there."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text()
    return {int(pid) for pid in children.split() if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()}


def metrics_directory_of(service: RunningService) -> Path:
    environment = Path(f"/proc/{min(processes_of(service))}/environ").read_text().split("\0")
    return Path(next(line.partition("=")[2] for line in environment if line.startswith("PROMETHEUS_MULTIPROC_DIR=")))


def metric(service: RunningService, pattern: str) -> float:
    with http_client(service.url) as client:
        found = re.search(rf"^{pattern} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0


def test_several_processes_share_a_port_and_their_metrics(several: RunningService) -> None:
    account = new_account(several.url, several.database_url)
    with contextlib.closing(account):
        for _ in range(40):
            with http_client(several.url, account.key) as client:  # a connection each: both processes get some
                assert client.get("/v1/me").status_code == 200
    assert metric(several, r'holdfast_requests_total\{.*route="/v1/me".*\}') == 40
    directory = metrics_directory_of(several)
    assert len(list(directory.glob("counter_*.db"))) == 2
    assert several.stop() == 0
    assert not directory.exists()


def test_process_that_dies_is_replaced_and_leaves_the_gauges(several: RunningService) -> None:
    directory = metrics_directory_of(several)
    before = processes_of(several)
    assert len(before) == 2
    victim = min(before)
    gauges = directory / f"gauge_livesum_{victim}.db"
    wait_until(gauges.exists, what="its gauges are there")
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(processes_of(several) - {victim}) == 2, 30, "another one takes its place")
    wait_until(lambda: not gauges.exists(), 30, "its gauges are gone")
    wait_until(several.is_ready, 30, "the service is ready")


def sent(service: RunningService, data: bytes) -> bytes:
    """All that comes back for these bytes until the server closes the connection."""
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        with contextlib.suppress(OSError):  # it may close before it has taken everything
            connection.sendall(data)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65_536):
                received += part
        return received


NO_HTTP = [
    ("words", b"hello there\r\n\r\n"),
    ("bad version", b"GET / HTTP/9.x\r\n\r\n"),
    ("bad header", b"GET / HTTP/1.1\r\n: x\r\n\r\n"),
]


@pytest.mark.parametrize("data", [data for _, data in NO_HTTP], ids=[case for case, _ in NO_HTTP])
def test_what_is_no_http_is_answered_with_a_problem(service: RunningService, data: bytes) -> None:
    head, _, body = sent(service, data).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Type: application/problem+json" in head
    problem = json.loads(body)
    assert (problem["type"], problem["status"], problem["retryable"]) == ("/problems/invalid-request", 400, False)
    assert problem["errors"] == [{"path": "request", "message": "is no HTTP/1.1"}]
    assert f"X-Request-Id: {problem['instance']}".encode() in head


def test_head_that_never_ends_is_cut(service: RunningService) -> None:
    received = sent(service, b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * (1 << 20))
    assert received == b"" or b"has a head of more than" in received


def test_head_that_is_long_but_within_bounds_is_answered(service: RunningService) -> None:
    with http_client(service.url) as client:
        assert client.get("/healthz", headers={"X-Long": "x" * (HEAD_BYTES_MAX // 2)}).status_code == 200


def test_server_does_not_say_what_it_is(service: RunningService) -> None:
    with http_client(service.url) as client:
        assert "server" not in client.get("/healthz").headers
