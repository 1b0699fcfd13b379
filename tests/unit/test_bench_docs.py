"""`make bench ARGS=--into-docs`: what it puts where readers look."""

from pathlib import Path

import pytest

from loadtests.bench.bench import Findings, MemoryPoint
from loadtests.bench.figures import Curve, Figure
from loadtests.bench.report.plots import draw_all, told
from loadtests.bench.report.written import into_docs, new_folder

MACHINE = {"cores": 2, "processor": "Some CPU", "memory_gb": 8.0, "database": "10.11-MariaDB", "python": "3.11.7"}


def test_plots_and_table_get_to_their_places(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / "README.md").write_text("before\n<!-- bench -->\n<!-- /bench -->\nafter\n")
    folder = new_folder(root / "reports")
    curves = {"clients": [Curve("holds", [1.0, 4.0], [100.0, 300.0]), Curve("no-op", [1.0, 4.0], [200.0, 500.0])]}
    memory = [MemoryPoint(0, 100.0), MemoryPoint(1000, 101.0)]
    plots = draw_all(curves, memory, folder)
    found = Findings(figures=[Figure("distinct", 0.61, "300/s to 500/s", "all cores are busy")])
    into_docs(folder, found, plots, MACHINE, root)
    assert {path.name for path in (root / "docs" / "bench").iterdir()} == {"clients.png", "memory.png"}
    assert {plot.file for plot in plots} == {"clients.png", "memory.png"}
    text = (root / "README.md").read_text()
    assert "one machine with 2 cores (Some CPU, 8.0 GB)" in text
    assert "![Throughput by number of clients. holds: from 100 at 1 to 300 at 4; no-op: " in text
    assert "(docs/bench/memory.png)" in text
    assert "| holds on distinct seats, to the no-op | 0.61 |" in text


def test_a_plot_is_told_in_words() -> None:
    assert told([Curve("holds", [1.0, 256.0], [100.0, 2500.0])]) == "holds: from 100 at 1 to 2,500 at 256."


def test_two_runs_in_one_second_get_two_folders(tmp_path: Path) -> None:
    assert len({new_folder(tmp_path) for _ in range(3)}) == 3
