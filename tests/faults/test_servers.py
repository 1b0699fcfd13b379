"""The private servers behave as the fault tests rely on: what was committed is kept, and nothing outlives a run."""

import json
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.polling import wait_until
from tests.process import ChildProcess, is_alive, make_directory, remove_directory
from tests.running import ROOT
from tests.servers import ServerNotFoundError, private_mysql, private_redis
from tests.servers.containers import UnavailableError, require_image
from tests.servers.find import PrivateMysql, PrivateRedis
from tests.servers.mysql import execute

OUTLIVED = """
import signal, sys
from pathlib import Path
from tests.faults.small_disk import mounted_disk
from tests.process import ChildProcess, make_directory
mount = mounted_disk()
disk = mount.__enter__()
directory = make_directory("outlived") if disk is None else disk.path
child = ChildProcess(["sleep", "600"], log_path=directory / "log")
child.start()
print(child.pid, directory, flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def mysql() -> Iterator[PrivateMysql]:
    with closing(private_mysql()) as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[PrivateRedis]:
    with closing(private_redis()) as server:
        yield server


def test_mysql_killed_keeps_what_was_committed(mysql: PrivateMysql) -> None:
    url = mysql.new_database()
    execute(url, "CREATE TABLE kept (number INT PRIMARY KEY)", "INSERT INTO kept VALUES (7)")
    mysql.kill()
    assert not mysql.answers()
    mysql.start()
    assert execute(url, "SELECT number FROM kept") == [(7,)]


def test_mysql_is_as_durable_as_in_production(mysql: PrivateMysql) -> None:
    ((flush, binary_log, sync),) = execute(
        mysql.admin_url, "SELECT @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog"
    )
    assert flush == 1
    assert sync == 1 or not binary_log


def test_account_of_the_service_has_rights_on_its_own_databases_only(mysql: PrivateMysql) -> None:
    url = mysql.new_database()
    grants = " ".join(str(row) for row in execute(url, "SHOW GRANTS"))
    assert "holdfast" in grants
    assert "ALL PRIVILEGES ON *.*" not in grants


def test_redis_killed_comes_back_on_its_port(redis: PrivateRedis) -> None:
    redis.kill()
    assert not redis.answers()
    redis.restart()
    assert redis.answers()


def test_without_any_server_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = make_directory("nowhere")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{nowhere}/docker.sock")
    monkeypatch.delenv("HOLDFAST_TEST_MYSQLD_ROOT", raising=False)
    monkeypatch.setenv("PATH", str(nowhere))
    monkeypatch.setattr("tests.servers.mysql.PLACES", ())
    notes: list[str] = []
    with pytest.raises(ServerNotFoundError, match="apt-get install mariadb-server"):
        private_mysql(notes.append)
    with pytest.raises(ServerNotFoundError, match="apt-get install redis-server"):
        private_redis(notes.append)
    assert len(notes) == 2
    assert all("no Docker engine" in note for note in notes)
    remove_directory(nowhere)


def test_docker_engine_that_cannot_get_an_image_says_so() -> None:
    directory = make_directory("engine")
    with engine_without_images(directory / "docker.sock") as host, pytest.MonkeyPatch.context() as environment:
        environment.setenv("DOCKER_HOST", host)
        with pytest.raises(UnavailableError, match=r"cannot get redis:7 .*no way out"):
            require_image("redis:7")
    remove_directory(directory)


@contextmanager
def engine_without_images(path: Path) -> Iterator[str]:
    """A Docker engine as far as its first answers go: it has no image and cannot pull any."""
    with socketserver.ThreadingUnixStreamServer(str(path), EngineWithoutImages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"unix://{path}"
        server.shutdown()
        thread.join()


class EngineWithoutImages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            self.answer(200, {"ApiVersion": "1.44"})
        else:
            self.answer(404, {"message": "no such image"})

    def do_POST(self) -> None:
        self.answer(500, {"message": "no way out"})

    def answer(self, status: int, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


def test_nothing_outlives_a_test_run_that_was_killed() -> None:
    run = subprocess.Popen([sys.executable, "-c", OUTLIVED], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    with run:
        pid, directory = run.stdout.readline().split()
        assert is_alive(int(pid))
        assert Path(directory).exists()
        run.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_alive(int(pid)), what=f"process {pid} ended")
    # Where it may mount one, a file system of its own is mounted there.
    wait_until(lambda: not Path(directory).exists(), what=f"{directory} removed")


def test_stopped_process_is_told_from_one_that_ended_by_itself() -> None:
    directory = make_directory("ends")
    ends = ChildProcess([sys.executable, "-c", "print('the reason')"], log_path=directory / "log")
    ends.start()
    with pytest.raises(AssertionError, match="the reason"):
        ends.wait_until_ready(lambda: False, 10, "it")
    assert not ends.was_ended
    waits = ChildProcess(["sleep", "600"], log_path=directory / "log")
    waits.start()
    waits.kill()
    assert waits.was_ended
    assert waits.exit_code == -signal.SIGKILL
    remove_directory(directory)
