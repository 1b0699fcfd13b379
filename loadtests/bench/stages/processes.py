"""One stock row, wanted by the clients of four API processes and of one."""

from contextlib import ExitStack

from loadtests.bench import requests
from loadtests.bench.bench import Bench
from loadtests.bench.figures import compared

PROCESSES = 4


def run(bench: Bench) -> None:
    main, count, connections = bench.main, bench.options.requests, bench.options.connections
    with ExitStack() as opened:
        four = bench.beside_main(opened, workers=PROCESSES)
        for number in range(bench.options.rounds + 1):
            by_one = main.run(requests.hold_stock(count), "201", connections)
            by_four = four.run(requests.hold_stock(count), "201", connections)
            bench.reporter.step(f"1 process {by_one.per_second:,.0f}/s, 4 processes {by_four.per_second:,.0f}/s")
            if number:
                bench.note("stock by 1 process", by_one)
                bench.note("stock by 4 processes", by_four)
    samples = bench.found.samples
    bench.add(compared("processes", samples["stock by 4 processes"], samples["stock by 1 process"], bench.cores))
    bench.watch_memory()
