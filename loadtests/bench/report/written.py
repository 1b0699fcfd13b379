"""What a run leaves behind: `loadtests/reports/<UTC time>-bench/`, and on demand the README's table and docs/bench."""

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loadtests.bench.bench import Findings, Options
from loadtests.bench.report.page import page
from loadtests.bench.report.plots import Plot, draw_all
from loadtests.bench.report.table import markdown, put_into_readme, verdict_of

ROOT = Path(__file__).parents[3]
REPORTS = ROOT / "loadtests" / "reports"
TITLE = "Holdfast: the benchmark"


def new_folder(reports: Path) -> Path:
    """A folder named by the time; of two runs in one second the later one waits for nobody and adds a number."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for attempt in range(100):
        folder = reports / (f"{stamp}-bench" if not attempt else f"{stamp}-{attempt}-bench")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{reports} has a hundred runs of {stamp}")


def write_report(
    folder: Path, found: Findings, options: Options, machine: Mapping[str, object], seconds: Mapping[str, float]
) -> list[Plot]:
    """bench.json, the plots and index.html; the plots that there are."""
    plots = draw_all(found.curves, found.memory, folder)
    total = round(sum(seconds.values()), 1)
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "options": msgspec.to_builtins(options),
        "seconds": {**seconds, "total": total},
        "figures": [
            {
                "name": figure.name,
                "title": figure.aim.title,
                "value": round(figure.value, 4),
                "text": figure.text,
                "unit": figure.aim.unit,
                "sense": figure.aim.sense,
                "reach": None if figure.aim.sense == "told" else figure.aim.reach,
                "verdict": verdict_of(figure),
                "detail": figure.detail,
                "limit": figure.limit,
                "rounds": figure.rounds,
            }
            for figure in found.figures
        ],
        "curves": msgspec.to_builtins(found.curves),
        "samples": msgspec.to_builtins(found.samples),
        "memory": msgspec.to_builtins(found.memory),
        "grown": found.grown,
        "remarks": found.remarks,
        "plots": msgspec.to_builtins(plots),
    }
    (folder / "bench.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    facts = {
        **machine,
        "rounds": options.rounds,
        "requests of a run": f"{options.requests:,} (plain {options.plain_requests:,})",
        "connections": options.connections,
        "duration": f"{total:.0f} s: " + ", ".join(f"{name} {took:.0f} s" for name, took in seconds.items()),
    }
    text = page(title=TITLE, figures=found.figures, plots=plots, facts=facts, remarks=found.remarks, folder=folder)
    (folder / "index.html").write_text(text, encoding="utf-8")
    return plots


def into_docs(
    folder: Path, found: Findings, plots: Sequence[Plot], machine: Mapping[str, object], root: Path = ROOT
) -> None:
    """The plots into docs/bench, the table into the README between its markers."""
    docs = root / "docs" / "bench"
    docs.mkdir(parents=True, exist_ok=True)
    for plot in plots:
        shutil.copy(folder / plot.file, docs / plot.file)
    pictures = [f"![{plot.alt}](docs/bench/{plot.file})" for plot in plots]
    put_into_readme(root / "README.md", markdown(found.figures, in_words(machine), pictures))


def in_words(machine: Mapping[str, object]) -> str:
    """The machine in one line of the README; the load generator and the database are on it, too."""
    return (
        f"one machine with {machine['cores']} cores ({machine['processor']}, {machine['memory_gb']} GB), "
        f"where server, database and load generator share them, {machine['database']}, Python {machine['python']}"
    )
