"""Holds on the embedded store, as ratios to the no-op of the same process."""

from pathlib import Path
from tempfile import TemporaryDirectory

from loadtests.bench import requests
from loadtests.bench.bench import Bench
from loadtests.bench.figures import compared
from tests.running import upgrade


def run(bench: Bench) -> None:
    count, connections = bench.options.requests, bench.options.connections
    with TemporaryDirectory(prefix="holdfast-bench-") as directory:
        url = f"sqlite+aiosqlite:///{Path(directory) / 'bench.sqlite3'}"
        upgrade(url)
        target = bench.target(url)
        target.venue.prepare(count * (bench.options.rounds + 1))
        for number in range(bench.options.rounds + 1):
            no_op = target.run(requests.echoes(target.venue.examples(count)), "201", connections)
            held = target.run(requests.hold_seats(target.venue.take(count)), "201", connections)
            bench.reporter.step(f"no-op {no_op.per_second:,.0f}/s, holds {held.per_second:,.0f}/s")
            if number:
                bench.note("echo on SQLite", no_op)
                bench.note("distinct on SQLite", held)
        bench.audit(target.service)
        target.service.stop()
    samples = bench.found.samples
    bench.add(compared("sqlite", samples["distinct on SQLite"], samples["echo on SQLite"], bench.cores))
