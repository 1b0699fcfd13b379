"""One stock row, wanted by the clients of several API processes (four) and of one."""

from contextlib import ExitStack

from loadtests.bench import requests
from loadtests.bench.bench import Bench
from loadtests.bench.figures import compared


def run(bench: Bench) -> None:
    main, count, connections = bench.main, bench.options.requests, bench.options.connections
    with ExitStack() as opened:
        several = bench.beside_main(opened, bench.options.processes)
        for number in range(bench.options.rounds + 1):
            by_one = main.run(requests.hold_stock(count), "201", connections)
            by_several = several.run(requests.hold_stock(count), "201", connections)
            many = f"{bench.options.processes} processes {by_several.per_second:,.0f}/s"
            bench.reporter.step(f"1 process {by_one.per_second:,.0f}/s, {many}")
            if number:
                bench.note("stock by 1 process", by_one)
                bench.note("stock by several processes", by_several)
    samples = bench.found.samples
    bench.add(compared("processes", samples["stock by several processes"], samples["stock by 1 process"], bench.cores))
    bench.watch_memory()
