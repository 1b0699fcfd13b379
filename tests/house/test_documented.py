"""Documents tell all of it: each problem, metric and transition, and each paragraph that the code refers to."""

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from service import metrics
from service.problems import TABLE
from service.reservations.states import TERMINAL, TRANSITIONS
from tests.house.tree import README, ROOT, python_files, shown

CELL = re.compile(r"`([^`]*)`")
EDGE = re.compile(r"^ *(\S+) --> (\S+?)(?:: (\w+).*)?$", re.MULTILINE)
# `api.md, fine print 3`, `engine.md, 14`, `reliability.md, row 8`, `engine.md, "Idempotency"`.
NUMBERED = re.compile(r"\b([a-z]+\.md), (?:fine print |row )?(\d+)\b")
FINE_PRINT = re.compile(r"\bfine print (\d+)\b")
HEADED = re.compile(r'\b([a-z]+\.md), "([^"]+)"')


def rows_of(text: str, after: str) -> list[list[str]]:
    """The cells of the first table behind a text, without its head."""
    lines = text.partition(after)[2].lstrip("\n").splitlines()
    table = []
    for line in lines[lines.index(next(line for line in lines if line.startswith("|"))) :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table[2:]


def test_contract_has_every_problem_as_the_code_has_it() -> None:
    told = rows_of((ROOT / "docs" / "api.md").read_text(), "<!-- problems -->")
    known = [
        [
            f"`{row.slug}`",
            str(row.status),
            row.retry_with,
            "yes" if row.stored else "no",
            ", ".join(f"`{fact}`" for fact in row.facts),
        ]
        for row in TABLE
    ]
    assert told == known


def test_readme_has_every_metric_with_its_labels() -> None:
    told = {(name, tuple(CELL.findall(labels))) for name, labels, _ in readme_metrics()}
    known = {
        (next(iter(metric.describe())).name + ("_total" if metric._type == "counter" else ""), metric._labelnames)
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
    }
    assert known
    assert told == known


def readme_metrics() -> list[tuple[str, str, str]]:
    rows = rows_of(README.read_text(), "### Health, logs, metrics")
    return [(name.strip("`"), labels, tells) for name, labels, tells in rows]


def test_state_diagram_has_the_transitions_of_the_table_and_no_other() -> None:
    diagram = README.read_text().partition("stateDiagram-v2")[2].partition("```")[0]
    edges = EDGE.findall(diagram)
    drawn = sorted((source, action, target) for source, target, action in edges if target != "[*]")
    table = sorted((row.source or "[*]", row.action, row.target) for row in TRANSITIONS)
    assert drawn == table
    assert {source for source, target, _ in edges if target == "[*]"} == TERMINAL


def test_every_diagram_says_in_words_what_it_shows() -> None:
    text = README.read_text()
    diagrams = text.split("```mermaid\n")[1:]
    assert diagrams
    for diagram in diagrams:
        drawn = diagram.partition("```")[0]
        assert "accTitle: " in drawn
        assert "accDescr: " in drawn


def test_paragraphs_that_the_code_refers_to_exist() -> None:
    missing = []
    for path in python_files():
        text = path.read_text()
        numbered = [*NUMBERED.findall(text), *(("api.md", number) for number in FINE_PRINT.findall(text))]
        missing += [f"{shown(path)}: {name}, {number}" for name, number in numbered if not has_number(name, number)]
        missing += [
            f"{shown(path)}: {name}, {title}" for name, title in HEADED.findall(text) if not has_heading(name, title)
        ]
    assert not missing, "\n".join(missing)


def document(name: str) -> str:
    path: Path = ROOT / "docs" / name
    return path.read_text()


def has_number(name: str, number: str) -> bool:
    """A numbered paragraph, or a row of a table that begins with the number."""
    return re.search(rf"^(?:{number}\. |\| {number} \|)", document(name), re.MULTILINE) is not None


def has_heading(name: str, title: str) -> bool:
    return re.search(rf"^#+ {re.escape(title)}$", document(name), re.MULTILINE) is not None
