"""Holds on an event of very many seats, and on events of few."""

import random

from loadtests.bench import requests
from loadtests.bench.bench import Bench
from loadtests.bench.figures import compared
from loadtests.venue import Seat


def run(bench: Bench) -> None:
    main, options = bench.main, bench.options
    # As many holds in a round as a small event has seats, three times: one event would be over in a wink.
    events_a_round = max(1, options.requests // options.small_event)
    count = events_a_round * options.small_event
    large = main.venue.new_event("large", max(options.large_event, count * (options.rounds + 1)))
    bench.reporter.step(f"an event of {len(large):,} seats is there")
    random.shuffle(large)
    for number in range(options.rounds + 1):
        few: list[Seat] = []
        for place in range(events_a_round):
            few += main.venue.new_event(f"small-{number}-{place}", options.small_event)
        random.shuffle(few)
        of_large, large = large[:count], large[count:]
        by_small = main.run(requests.hold_seats(few), "201", options.connections)
        by_large = main.run(requests.hold_seats(of_large), "201", options.connections)
        bench.reporter.step(f"small {by_small.per_second:,.0f}/s, large {by_large.per_second:,.0f}/s")
        if number:
            bench.note("small events", by_small)
            bench.note("large event", by_large)
    samples = bench.found.samples
    bench.add(compared("event", samples["large event"], samples["small events"], bench.cores))
    bench.watch_memory()
