"""`make bench` from its first server to its last file, with few of everything: whether it works, not how fast.

What it says must agree with itself: the table, the JSON, the page and the plots are of one run.
"""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from loadtests.bench.figures import AIMS
from loadtests.bench.report.plots import BYTES_MAX
from tests.running import ROOT

TIMEOUT_S = 300
PLOTS = {"batches.png", "clients.png", "growth.png", "latency.png", "memory.png"}
PNG = b"\x89PNG\r\n\x1a\n"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command that `make bench ARGS=…` runs, in a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "loadtests.bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=None,
    )


class Page(HTMLParser):
    """The page's pictures and what else it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures: list[dict[str, str | None]] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "img":
            self.pictures.append(found)
        self.fetched += [value for name, value in attrs if name in {"src", "href"} and value]
        if tag in {"script", "link", "iframe"}:
            self.fetched.append(tag)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, dict[str, Any]]:
    """Output, folder and document of one quick run."""
    reports = tmp_path_factory.mktemp("reports")
    done = bench("--quick", "--reports", str(reports))
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    (folder,) = reports.iterdir()
    return done.stdout, folder, json.loads((folder / "bench.json").read_text())


def test_every_figure_is_measured(run: tuple[str, Path, dict[str, Any]]) -> None:
    output, folder, document = run
    assert re.fullmatch(r"\d{8}T\d{6}Z-bench", folder.name)
    assert [figure["name"] for figure in document["figures"]] == [aim.name for aim in AIMS]
    for figure in document["figures"]:
        # The memory may shrink; nothing else may be nothing.
        assert figure["value"] > 0 or figure["name"] == "memory-growth", figure
        assert figure["limit"], figure
        assert figure["verdict"] in {"reached", "not reached"} or figure["sense"] == "told", figure
    words = " ".join(output.split())
    assert "the auditor found nothing in the mysql database" in words
    assert "the auditor found nothing in the sqlite database" in words


def test_the_figures_are_those_of_the_samples(run: tuple[str, Path, dict[str, Any]]) -> None:
    _, _, document = run
    figures = {figure["name"]: figure for figure in document["figures"]}
    samples = document["samples"]
    for name, of, to in (
        ("distinct", "distinct", "echo"),
        ("distinct-plain", "distinct", "distinct by plain"),
        ("stock", "stock", "distinct"),
        ("sqlite", "distinct on SQLite", "echo on SQLite"),
        ("grown", "distinct on a grown database", "distinct on an empty database"),
    ):
        # One counted round: its ratio is the median.
        assert len(samples[of]) == len(samples[to]) == 1
        ratio = samples[of][0]["per_second"] / samples[to][0]["per_second"]
        assert figures[name]["value"] == pytest.approx(ratio, abs=1e-3), name
    assert document["memory"][-1]["requests"] >= document["options"]["memory_requests"]
    assert document["grown"]["reservations"] == document["options"]["grown_rows"]
    assert document["grown"]["idempotency_records"] == document["options"]["grown_rows"]


def test_the_plots_are_small_pictures(run: tuple[str, Path, dict[str, Any]]) -> None:
    _, folder, document = run
    files = {path.name: path for path in folder.glob("*.png")}
    assert set(files) == PLOTS == {plot["file"] for plot in document["plots"]}
    for path in files.values():
        data = path.read_bytes()
        assert data.startswith(PNG)
        assert 2_000 < len(data) <= BYTES_MAX


def test_the_page_needs_nothing_else(run: tuple[str, Path, dict[str, Any]]) -> None:
    _, folder, document = run
    text = (folder / "index.html").read_text()
    page = Page(text)
    assert len(page.pictures) == len(PLOTS)
    assert all(source.startswith("data:image/png;base64,") for source in page.fetched), page.fetched
    assert [picture["alt"] for picture in page.pictures] == [plot["alt"] for plot in document["plots"]]
    assert 'name="viewport"' in text
    for figure in document["figures"]:
        assert figure["detail"] in text


def test_the_table_says_what_the_document_says(run: tuple[str, Path, dict[str, Any]]) -> None:
    output, folder, document = run
    cells = "".join(re.sub(r"[│┃]", " ", output).split())
    for aim, figure in zip(AIMS, document["figures"], strict=True):
        assert figure["text"].replace(" ", "") in cells, (aim.name, figure["text"])
        assert float(figure["text"].split()[0]) == pytest.approx(figure["value"], abs=0.51), aim.name
    assert folder.name in cells
    assert (
        0
        < document["seconds"]["total"]
        == pytest.approx(sum(took for name, took in document["seconds"].items() if name != "total"), abs=0.2)
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "nonsense"], "nonsense is no figure"),
        (["--rounds", "0"], "'0' is no whole number of 1 or more"),
        (["--requests", "few"], "'few' is no whole number of 100 or more"),
    ],
)
def test_bad_arguments_are_told_before_anything_starts(arguments: list[str], told: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert not done.stdout
