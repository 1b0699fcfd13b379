"""The benchmark's arithmetic: ratios of interleaved rounds, what counts as reached, what limits a run."""
# ruff: noqa: RUF001 - the multiplication sign is what it says

import pytest

from loadtests.bench.figures import (
    AIMS,
    BY_NAME,
    Figure,
    Sample,
    Usage,
    compared,
    limit_of,
    ratios,
    shown,
    wanted_figures,
)
from loadtests.bench.report.table import markdown, put_into_readme


def sample(per_second: float, *, api: float = 0.5, database: float | None = 0.3, generator: float = 0.1) -> Sample:
    return Sample(per_second, 1.0, 4.0, Usage(1.0, api, database, generator, everybody=1.0))


def test_a_ratio_is_of_two_runs_of_one_round() -> None:
    # The machine became half as fast after the first round: rounds compared with each other do not notice.
    holds = [sample(600), sample(300), sample(310)]
    echoes = [sample(1000), sample(500), sample(500)]
    assert ratios(holds, echoes) == [0.6, 0.6, 0.62]
    figure = compared("distinct", holds, echoes, cores=2)
    assert figure.value == 0.6
    assert figure.is_reached
    assert figure.rounds == [0.6, 0.6, 0.62]
    assert figure.detail == "310/s to 500/s, p99 4 ms"


def test_rounds_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        ratios([sample(1)], [sample(1), sample(2)])


@pytest.mark.parametrize(
    ("name", "value", "is_reached"),
    [
        ("distinct", 0.6, True),
        ("distinct", 0.596, True),  # shown as 0.60
        ("distinct", 0.594, False),
        ("latency", 5.04, True),
        ("latency", 5.06, False),
        ("transactions", 60, True),
        ("transactions", 61, False),
        ("memory", 199.6, True),
        ("memory", 201.0, False),
        ("distinct-driver", 0.1, True),  # only told
    ],
)
def test_what_is_shown_decides_what_is_reached(name: str, value: float, is_reached: bool) -> None:
    assert BY_NAME[name].is_reached(value) is is_reached


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.456, "", "0.46"), (5.04, "×", "5.0 ×"), (128.4, "MB", "128 MB"), (4.0, "n", "4"), (1.36, "%", "1.4 %")],
)
def test_values_are_shown_with_their_units(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (Usage(2.0, api=1.9, database=0.4, generator=0.2, everybody=2.6), "API process keeps its one core busy"),
        (Usage(2.0, api=1.9, database=1.5, generator=0.4, everybody=3.9), "all cores are busy"),
        (Usage(2.0, api=0.5, database=0.2, generator=0.1, everybody=0.9), "nothing is busy all the time"),
        (Usage(2.0, api=0.5, database=0.2, generator=0.1, everybody=3.8), "other programs took 1.5 cores"),
        (Usage(2.0, api=0.5, database=0.2, generator=1.9, everybody=2.7), "generator keeps its one core busy"),
        (Usage(2.0, api=1.9, database=None, generator=0.1, everybody=2.1), "busy: API 95%, generator 5% of a core"),
    ],
)
def test_processor_time_tells_what_limits(usage: Usage, told: str) -> None:
    assert told in limit_of([usage], cores=2)


def test_only_takes_a_figure_with_those_that_belong_to_it() -> None:
    assert wanted_figures([]) == set(BY_NAME)
    assert wanted_figures(["distinct"]) == {"distinct", "distinct-plain", "distinct-driver"}
    assert wanted_figures(["memory-growth", "grown"]) == {"memory-growth", "grown"}
    with pytest.raises(ValueError, match="nonsense is no figure"):
        wanted_figures(["nonsense"])


def test_every_figure_of_the_table_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(AIMS)


def test_the_readme_gets_the_table_between_its_markers(tmp_path_factory: pytest.TempPathFactory) -> None:
    readme = tmp_path_factory.mktemp("readme") / "README.md"
    readme.write_text("before\n<!-- bench -->\nwhat was\n<!-- /bench -->\nafter\n")
    figures = [
        Figure("distinct", 0.61, "3,000/s to 5,000/s", "all cores are busy"),
        Figure("stock", 0.5, "1,500/s to 3,000/s", "waits"),
    ]
    put_into_readme(readme, markdown(figures, "a machine"))
    text = readme.read_text()
    assert text.startswith("before\n<!-- bench -->\nOne run of `make bench` on a machine")
    assert text.endswith("<!-- /bench -->\nafter\n")
    assert "| holds on distinct seats, to the no-op | 0.61 | ≥ 0.60 | reached | 3,000/s to 5,000/s |" in text
    assert "- holds on one stock row, to distinct seats: waits." in text
    assert "what was\n" not in text


def test_a_readme_without_markers_is_left_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    readme = tmp_path_factory.mktemp("readme") / "README.md"
    readme.write_text("no markers\n")
    with pytest.raises(ValueError, match="must have <!-- bench -->"):
        put_into_readme(readme, "table")
    assert readme.read_text() == "no markers\n"
