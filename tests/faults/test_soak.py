"""The soak in its short form: each kind of fault once, on each store, as `python -m tests.faults.soak` runs it.

And its negative control: with the service broken on purpose the same soak must find what is lost, and fail.
"""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from tests.faults.soak.__main__ import read_arguments
from tests.faults.soak.catalogue import kinds_of
from tests.faults.soak.report import Report
from tests.polling import wait_until
from tests.process import ChildProcess
from tests.races.databases import StoreName
from tests.running import ROOT, service_environment

SEED = 7
TIMEOUT_S = 400
CTRL_C = 130


class Run(NamedTuple):
    """A soak that has ended."""

    status: int
    report: Report
    shown: str


def soak(*arguments: str, reports: Path) -> Run:
    """Runs it to its end."""
    command = [sys.executable, "-m", "tests.faults.soak", "--json", "--seed", str(SEED), "--reports", str(reports)]
    done = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env=service_environment(None),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.stdout, done.stderr
    return Run(done.returncode, msgspec.json.decode(done.stdout, type=Report), done.stderr)


CONTROLS: dict[str, tuple[StoreName, str, str]] = {
    "answers-leave-before-commit": ("sqlite", "early", "API killed"),
    "lost-commit-is-taken-for-done": ("mysql", "believing", "COMMIT cut"),
}


@pytest.fixture(scope="module")
def soaks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Future[Run], Path]]]:
    """All of them, by store or by control, two at a time: each has servers of its own, and waits more than it works."""
    with ThreadPoolExecutor(2) as threads:

        def begin(name: str, *arguments: str) -> tuple[Future[Run], Path]:
            reports = tmp_path_factory.mktemp(name)
            return threads.submit(soak, *arguments, reports=reports), reports

        running = {store: begin(store, "--once", "--store", store) for store in ("mysql", "sqlite")}
        for name, (store, way, fault) in CONTROLS.items():
            # It ends with the first thing that is lost.
            words = ("--minutes", "1", "--round", "1", "--store", store, "--control", way, "--only", fault)
            running[name] = begin(name, *words)
        yield running


@pytest.mark.parametrize("store", ["sqlite", "mysql"])
def test_each_kind_of_fault_once_loses_and_doubles_nothing(
    soaks: dict[str, tuple[Future[Run], Path]], store: StoreName, note: Any
) -> None:
    ended, reports = soaks[store]
    run = ended.result()
    assert run.status == 0, run.shown
    report = run.report
    note(
        f"soak, {store}: {sum(fault.times for fault in report.faults)} faults, {report.requests} requests, "
        f"{report.retries} retries, {report.replays} replays, {report.acknowledged} acknowledged, lost 0, doubled 0"
    )
    assert (report.lost, report.doubled, report.oversold, report.untrue, report.unacknowledged) == (0, 0, 0, 0, 0)
    assert {fault.kind: fault.times for fault in report.faults} == {kind.name: 1 for kind in kinds_of(store)}
    assert min(report.retries, report.replays) > 0
    assert report.requests >= report.acknowledged + report.retries > report.acknowledged > 100
    assert list(reports.iterdir()) == [], "nothing is kept of a clean soak"


@pytest.mark.parametrize("broken", CONTROLS)
def test_negative_control_broken_service_is_found_to_lose(
    soaks: dict[str, tuple[Future[Run], Path]], broken: str
) -> None:
    ended, reports = soaks[broken]
    run = ended.result()
    assert run.status == 1, f"a service that is broken was found clean: then the soak proves nothing\n{run.shown}"
    assert run.report.lost + run.report.doubled > 0, run.shown
    said = " ".join(run.shown.split())  # lines are broken anywhere
    assert re.search(r"lost: \S+ was told (version \d+ of )?\w+, which is not (there|its own)", said), said
    (kept,) = reports.iterdir()
    assert msgspec.json.decode((kept / "verdict.json").read_bytes(), type=Report).lost == run.report.lost
    assert {path.name for path in kept.iterdir()} >= {"round-001.jsonl", "api-1.log", "verdict.json"}


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.soak", "--store", "sqlite", "--reports", str(tmp_path)]
    run = ChildProcess(command, log_path=tmp_path / "log", environment=service_environment(None), directory=ROOT)
    run.start()
    try:
        wait_until(lambda: "row " in run.log_tail(), 60, "a fault")
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        assert children
        assert run.stop(signal.SIGINT) == CTRL_C, run.log_tail()
        assert "ended by Ctrl-C" in run.log_tail()
        wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), 10, "no child is left")
    finally:
        if run.is_running:
            run.kill()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "earthquake"], "there is no 'earthquake' on mysql"),
        (["--store", "sqlite", "--only", "COMMIT cut"], "there is no 'COMMIT cut' on sqlite"),
        (["--minutes", "0"], "between 0 and"),
        (["--customers", "0"], "1 to 100"),
        (["--minutes", "3", "--once"], "not allowed with"),
    ],
)
def test_wrong_argument_is_told_before_anything_is_started(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_arguments(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
