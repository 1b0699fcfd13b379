"""Memory of the API process after a million requests: those of all other figures, filled up with a mix of its own.

Not measured by time, so the database of the next stage grows meanwhile.
"""

from statistics import median

from loadtests.bench import requests
from loadtests.bench.bench import Bench, MemoryPoint
from loadtests.bench.figures import Figure
from loadtests.bench.stages import grown
from loadtests.generator import Request, Stream

KEPT = 2000
TIMES_A_RUN = 8
HOLD_EVERY = 25


def run(bench: Bench) -> None:
    if bench.wants("grown"):
        grown.begin(bench)
    main, options = bench.main, bench.options
    kept = min(KEPT, options.requests)
    first = requests.hold_seats(main.venue.take(kept))
    _, references = main.run_for_references(first, options.connections)
    bench.watch_memory()
    while bench.found.memory[-1].requests < options.memory_requests:
        missing = options.memory_requests - bench.found.memory[-1].requests
        mix = _mix(bench, first, references)
        times = max(1, min(TIMES_A_RUN, missing // len(mix)))
        new = requests.hold_stock(len(mix) * times // HOLD_EVERY)
        main.run_streams(
            [
                Stream(requests=[request for _ in range(times) for request in mix], connections=options.connections),
                Stream(requests=new, connections=8),
            ],
            ["201", "201"],
        )
        main.run(requests.look_up(references[: kept // 2]), "200", options.connections)
        bench.watch_memory()
    bench.add(_memory(bench.found.memory))
    bench.add(_growth(bench.found.memory))


def _mix(bench: Bench, first: list[Request], references: list[str]) -> list[Request]:
    """Replays and as many no-ops, which bring the process as many bytes as a hold."""
    return [*first, *requests.echoes(bench.main.venue.examples(len(references)))]


def _memory(points: list[MemoryPoint]) -> Figure:
    last = points[-1]
    return Figure(
        name="memory",
        value=last.rss_mb,
        detail=f"resident after {last.requests:,} requests, {points[0].rss_mb:.0f} MB after {points[0].requests:,}",
        limit="what the process has loaded, and the queue and caches at their bounds",
        rounds=[round(point.rss_mb, 1) for point in points],
    )


def _growth(points: list[MemoryPoint]) -> Figure:
    """From the third quarter's median to the last one's: one sample more or less must not decide."""
    last = points[-1].requests
    third = [point.rss_mb for point in points if last / 2 <= point.requests < 3 * last / 4]
    fourth = [point.rss_mb for point in points if point.requests >= 3 * last / 4]
    before, after = median(third or fourth), median(fourth)
    return Figure(
        name="memory-growth",
        value=100 * (after / before - 1),
        detail=f"from {before:.1f} MB in the third quarter to {after:.1f} MB in the fourth",
        limit="what is allocated and not given back: docs/proof.md tells how it was looked for",
    )
