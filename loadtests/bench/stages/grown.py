"""Holds on a database with millions of reservations and idempotency records, beside an empty one on the same server."""

import time
from concurrent.futures import Future

from loadtests.bench import requests
from loadtests.bench.bed import Target
from loadtests.bench.bench import ENVIRONMENT, Bench
from loadtests.bench.figures import Curve, compared
from loadtests.bench.growth import Growth
from loadtests.venue import Venue
from tests.races.databases import audit_now
from tests.running import start_service, upgrade


class Grown:
    """The database that grows: begun in one stage, measured in another."""

    def __init__(self, bench: Bench) -> None:
        self.url = bench.server.new_database()
        upgrade(self.url)
        with start_service(self.url, env=ENVIRONMENT) as service:
            venue = Venue(service)
            self.account = venue.account
            target = Target(service, venue, bench.administrator.pid)
            seats = venue.take(bench.options.grown_seeds)
            _, references = target.run_for_references(requests.hold_seats(seats), bench.options.connections)
            target.run(requests.act(references, "release"), "200", bench.options.connections)
        audit_now(self.url)
        self.growth = Growth(bench.administrator.on(self.url), bench.options.grown_rows, bench.options.message_share)
        bench.administrator.relax(relaxed=True)
        self.started = time.monotonic()
        self.made: Future[dict[str, int]] = bench.background.submit(self.growth.run, bench.reporter.step)


def begin(bench: Bench) -> Grown:
    """Let it grow in the background, unless it does already."""
    if bench.growing is None:
        bench.growing = Grown(bench)
    known: Grown = bench.growing
    return known


def run(bench: Bench) -> None:
    grown = begin(bench)
    made = grown.made.result()
    bench.administrator.relax(relaxed=False)
    bench.reporter.step(f"grown in {time.monotonic() - grown.started:.0f} s; COMMIT is durable again")
    bench.administrator.settle(bench.options.settle_seconds)
    grown.growth.warm()
    bench.found.grown = made
    empty_url = bench.server.new_database()
    upgrade(empty_url)
    full, empty = bench.target(grown.url), bench.target(empty_url)
    count, connections = bench.options.requests, bench.options.connections
    for target in (full, empty):
        target.venue.prepare(count * (bench.options.rounds + 1))
    for number in range(bench.options.rounds + 1):
        by_empty = empty.run(requests.hold_seats(empty.venue.take(count)), "201", connections)
        by_full = full.run(requests.hold_seats(full.venue.take(count)), "201", connections)
        bench.reporter.step(f"empty {by_empty.per_second:,.0f}/s, full {by_full.per_second:,.0f}/s")
        if number:
            bench.note("distinct on an empty database", by_empty)
            bench.note("distinct on a grown database", by_full)
    assert bench.administrator.is_durable()
    _figures(bench, made)
    full.service.stop()
    grown.growth.set_aside()
    for target in (full, empty):
        bench.audit(target.service)


def _figures(bench: Bench, made: dict[str, int]) -> None:
    samples = bench.found.samples
    full, empty = samples["distinct on a grown database"], samples["distinct on an empty database"]
    bench.add(compared("grown", full, empty, bench.cores))
    rows = ", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in made.items())
    bench.found.remarks.append(f"The grown database had {rows}.")
    for label, rates in (("empty", empty), (f"{made['reservations'] / 1e6:g} million reservations", full)):
        xs = [float(number) for number in range(1, len(rates) + 1)]
        bench.draw("growth", Curve(label, xs, [rate.per_second for rate in rates]))
