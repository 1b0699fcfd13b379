"""`holdfast top`: figures from the texts of two moments, on a screen and without one."""

from io import StringIO

import pytest
from rich.console import Console

from service.top.document import Holds
from service.top.readings import Figures, Look, Quantile, figures, quantile, samples_of
from service.top.screen import screen

API, OTHER = "http://api/metrics", "http://other/metrics"
BOUNDS = ("0.01", "0.1", "+Inf")


def text(requests: int, *, conflicts: int = 0, fast: int = 0, queue: int = 0, own: int = 0, problem: int = 0) -> str:
    """Of a process that has answered so many requests, `fast` of them within 10 ms and the others within 100."""
    counts = (fast, requests, requests)
    return "\n".join(
        [
            "# TYPE holdfast_requests counter",
            f'holdfast_requests_total{{method="POST",route="/v1/reservations",status="201"}} {requests - problem}',
            f'holdfast_requests_total{{method="POST",route="/v1/reservations",status="409"}} {problem}',
            f'holdfast_requests_total{{method="GET",route="/metrics",status="200"}} {own}',
            "# TYPE holdfast_request_seconds histogram",
            *(
                f'holdfast_request_seconds_bucket{{le="{bound}",route="/v1/reservations"}} {count}'
                for bound, count in zip(BOUNDS, counts, strict=True)
            ),
            "# TYPE holdfast_batch_commands histogram",
            f'holdfast_batch_commands_bucket{{le="+Inf"}} {requests // 10}',
            f"holdfast_batch_commands_sum {requests}",
            f"holdfast_batch_commands_count {requests // 10}",
            "# TYPE holdfast_conflicts counter",
            f'holdfast_conflicts_total{{table="seats"}} {conflicts}',
            "# TYPE holdfast_refusals counter",
            f'holdfast_refusals_total{{problem="inventory-unavailable"}} {problem}',
            "# TYPE holdfast_queue_depth gauge",
            f"holdfast_queue_depth {queue}",
            "",
        ]
    )


def look(at: float, **texts: str) -> Look:
    return Look(at, {source: samples_of(said) for source, said in texts.items()})


def test_rates_are_differences_over_the_time_between() -> None:
    found = figures(
        look(100, api=text(1000, fast=500, own=7)),
        look(102, api=text(1200, fast=600, queue=3, own=9, conflicts=10, problem=20)),
    )
    assert found.requests == {"2xx": 90.0, "3xx": 0.0, "4xx": 10.0, "5xx": 0.0}
    assert (found.batches, found.commands_per_batch) == (10.0, 10.0)
    assert (found.conflicts, found.queue_depth) == (5.0, 3)
    assert found.refusals == {"inventory-unavailable": 10.0}
    assert found.p50 == Quantile(10.0)
    assert found.p99 is not None
    assert 90 < found.p99.ms < 100


def test_sources_are_added_up_and_one_that_is_new_counts_from_the_next_look_on() -> None:
    before = look(0, api=text(100, queue=1))
    found = figures(before, look(1, api=text(150, queue=1), other=text(9000, queue=2)))
    assert (found.requests["2xx"], found.queue_depth) == (50.0, 3)
    found = figures(look(1, api=text(150), other=text(9000)), look(2, api=text(160), other=text(9005)))
    assert found.requests["2xx"] == 15.0


def test_process_that_was_started_anew_counts_from_nothing() -> None:
    found = figures(look(0, api=text(100_000), other=text(10)), look(1, api=text(40), other=text(20)))
    assert found.requests["2xx"] == 50.0


def test_source_that_is_gone_takes_nothing_away() -> None:
    found = figures(look(0, api=text(100), other=text(10)), look(1, other=text(20)))
    assert found.requests["2xx"] == 10.0


def test_nothing_counted_is_no_time_and_no_division() -> None:
    found = figures(look(5, api=text(7)), look(5, api=text(7)))
    assert (found.p50, found.p99, found.commands_per_batch) == (None, None, None)
    assert sum(found.requests.values()) == 0.0


@pytest.mark.parametrize(
    ("share", "found"),
    [(0.25, Quantile(5.0)), (0.5, Quantile(10.0)), (0.75, Quantile(100.0)), (0.99, Quantile(100.0, is_above=True))],
)
def test_quantile_lies_on_a_line_inside_its_bucket(share: float, found: Quantile) -> None:
    assert quantile({"0.01": 2.0, "0.1": 3.0, "+Inf": 4.0}, share) == found


def test_other_programs_metrics_and_pages_are_none_of_ours() -> None:
    assert samples_of("# TYPE up gauge\nup 1\n") == {}
    with pytest.raises(ValueError, match=r".*"):
        samples_of("<html><body>It works!</body></html>")


def shown(found: Figures | None, holds: Holds, gone: dict[str, str], sources: int = 1) -> str:
    console = Console(file=StringIO(), width=100)
    console.print(screen(found, holds, gone, sources))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_screen_shows_figures_holds_and_who_is_gone() -> None:
    found = figures(look(0, api=text(0)), look(1, api=text(1234, fast=1234, problem=4)))
    told = shown(found, Holds(12, True, 10_000, False), {OTHER: "does not answer"}, sources=2)
    assert "1,234   2xx 1,230  4xx 4.0" in told
    assert "inventory-unavailable 4.0" in told
    assert "12 expire within a minute, 10,000+ are past their time" in told
    assert f"{OTHER}: does not answer" in told


def test_screen_says_so_where_nobody_answers_or_nothing_is_known_yet() -> None:
    unknown = Holds(note="not known: no key")
    assert "looking" in shown(None, unknown, {})
    told = shown(None, unknown, {API: "does not answer"})
    assert f"{API}: does not answer" in told
    assert "not known: no key" in told
