"""The README's commands, copied into one shell from the top, as a newcomer does: each works, and answers as shown.

In what is shown `…` stands for anything, white space does not count, and the example reference stands for the one that
the service drew, which must be the same everywhere.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from service.demo.ports import free_port
from tests.accounts import Account, http_client
from tests.polling import wait_until
from tests.process import ChildProcess, make_directory, remove_directory
from tests.running import ROOT, audit, service_environment
from tests.servers import MysqlServer

TOUR_TIMEOUT_S = 120.0
ADDRESS = "127.0.0.1:8000"
REFERENCE = "K7QX2-9PMD8"
# A block of commands, and the block that follows it at once, which shows what they answer.
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```(?:json|http|text)\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
OF_MYSQL = "mysql+asyncmy://holdfast:PASSWORD@db.example:3306/holdfast"
# What installs or needs a container engine is tried elsewhere or not at all.
LEFT_OUT = re.compile(r"^(?:make|docker) .*\n", re.MULTILINE)
PUT_STOCK = '{"on_hand": 39, "amount": 1800, "currency": "USD"}'
END_OF_BLOCK = "@ end of block, status "


class Block(NamedTuple):
    commands: str
    shown: str


def blocks() -> list[Block]:
    return [Block(*match) for match in BLOCK.findall((ROOT / "README.md").read_text())]


def executable(path: Path, *command: str) -> None:
    """A program that is another one under this name."""
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)


class Newcomer:
    """A shell in a directory of its own, with an empty home and the programs that the README has installed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        for name in ("home", "bin"):
            (directory / name).mkdir()
        (directory / "service").symlink_to(ROOT / "service")  # the samples
        programs = directory / "bin"
        executable(programs / "holdfast", sys.executable, "-P", "-m", "service")
        executable(programs / "python", sys.executable)
        if shutil.which("curl") is None:
            executable(programs / "curl", sys.executable, "-P", "-m", "tests.curl")

    def shell(self, script: str) -> ChildProcess:
        path = self.directory / "script.sh"
        path.write_text(LEFT_OUT.sub("", script).replace(ADDRESS, f"127.0.0.1:{self.port}"))
        environment = service_environment(None, {"HOLDFAST_PORT": str(self.port), "PYTHONPATH": str(ROOT)})
        environment["HOME"] = str(self.directory / "home")
        environment["PATH"] = f"{self.directory / 'bin'}:{environment['PATH']}"
        log = self.directory / "output.log"
        return ChildProcess(["bash", str(path)], log_path=log, environment=environment, directory=self.directory)

    def outputs(self, commands: list[str]) -> list[str]:
        """What each of these blocks prints, all in one shell; each must end with status 0."""
        process = self.shell("".join(f"{block}status=$?; echo; echo '{END_OF_BLOCK}'$status\n" for block in commands))
        process.start()
        try:
            wait_until(lambda: not process.is_running, TOUR_TIMEOUT_S, "end of the tour")
        finally:
            process.kill()  # and a server that it has left behind
        *parts, rest = re.split(rf"{END_OF_BLOCK}(\d+)\n", process.log_path.read_text())
        assert not rest.strip(), rest
        failed = [output for output, status in zip(parts[::2], parts[1::2], strict=True) if status != "0"]
        assert not failed, "\n".join(failed)
        return parts[::2]


@pytest.fixture
def directory() -> Iterator[Path]:
    path = make_directory("readme")
    yield path
    remove_directory(path)


def without_space(text: str) -> str:
    return re.sub(r"\s", "", text)


def pattern(shown: str, reference: str | None) -> str:
    """What the output must contain, for `shown`. Before the reference is known any one will do, the same throughout."""
    parts = [re.escape(without_space(part)) for part in shown.split("…")]
    before, *after = ".*".join(parts).split(re.escape(REFERENCE))
    if reference is not None:
        return re.escape(reference).join([before, *after])
    first, again = r"(?P<reference>[0-9A-Z]{5}-[0-9A-Z]{5})", r"(?P=reference)"
    return before if not after else f"{before}{first}{again.join(after)}"


def test_tour_answers_as_shown(directory: Path) -> None:
    tour = [block for block in blocks() if OF_MYSQL not in block.commands and LEFT_OUT.sub("", block.commands)]
    assert len(tour) > 10
    newcomer = Newcomer(directory)
    reference = None
    for block, output in zip(tour, newcomer.outputs([block.commands for block in tour]), strict=True):
        match = re.search(pattern(block.shown, reference), without_space(output), re.DOTALL)
        assert match, f"{block.commands}\nis shown to answer\n{block.shown}\nbut did\n{output}"
        reference = reference or match.groupdict().get("reference")
    assert reference is not None
    audit(f"sqlite+aiosqlite:///{directory}/var/holdfast.sqlite3")
    assert not list((directory / "home").iterdir())


def test_server_on_mysql_starts_as_written(directory: Path, mysql_server: MysqlServer) -> None:
    url = mysql_server.new_database()
    (commands,) = (block.commands for block in blocks() if OF_MYSQL in block.commands)
    newcomer = Newcomer(directory)
    process = newcomer.shell(commands.replace(OF_MYSQL, url))
    process.start()
    try:
        process.wait_until_ready(lambda: is_ready(newcomer.port), TOUR_TIMEOUT_S, "server on MySQL")
    finally:
        process.kill()
        mysql_server.drop_database(url)


def test_stand_in_for_curl_sends_and_shows_what_curl_would(account: Account) -> None:
    url, authorization = f"{account.url}/v1/stock/NW-001", f"Authorization: Bearer {account.key}"
    words = [
        "-sS",
        "-i",
        "-X",
        "PUT",
        url,
        "-H",
        authorization,
        "-H",
        "Content-Type: application/json",
        "-d",
        PUT_STOCK,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.curl", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition("\n\n")
    assert head.startswith("HTTP/1.1 201 Created\n")
    assert '\netag: "1"\n' in head
    assert json.loads(body)["on_hand"] == 39


def is_ready(port: int) -> bool:
    with http_client(f"http://127.0.0.1:{port}") as client:
        try:
            return client.get("/readyz").is_success
        except httpx.TransportError:
            return False
