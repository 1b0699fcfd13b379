"""How often the free seats of the real venue can be asked for while its seats are being held."""

from loadtests.bench import requests
from loadtests.bench.bed import Target
from loadtests.bench.bench import Bench
from loadtests.bench.figures import Sample, compared
from loadtests.generator import Request, Stream
from loadtests.venue import Seat

HOLDS_PER_SECOND = 300.0
HOLDING_CONNECTIONS = 32
EVENT = "asked-about"


class Holding:
    """Holds of the event's seats that go on beside a run, at a fixed rate."""

    def __init__(self, main: Target, seats: list[Seat], most: int) -> None:
        self._main = main
        self._left = seats
        self._most = most

    def beside(self, asked: list[Request], expected: str, connections: int) -> Sample:
        """`asked` while holds go on, which take seats in their order."""
        stream = Stream(
            requests=requests.hold_seats(self._left[: self._most]),
            connections=HOLDING_CONNECTIONS,
            rate=HOLDS_PER_SECOND,
        )
        sample, held = self._main.run_beside(asked, expected, stream, connections)
        self._left = self._left[held:]
        return sample


def run(bench: Bench) -> None:
    main, options = bench.main, bench.options
    seats = main.venue.new_stadium(EVENT)
    holding = Holding(main, seats, len(seats) // (2 * (options.rounds + 1)))
    for number in range(options.rounds + 1):
        no_op = holding.beside(requests.echoes(main.venue.examples(options.requests)), "201", options.connections)
        asked = holding.beside(requests.availability(EVENT, options.requests), "200", options.connections)
        bench.reporter.step(f"no-op {no_op.per_second:,.0f}/s, availability {asked.per_second:,.0f}/s")
        if number:
            bench.note("echo beside holds", no_op)
            bench.note("availability beside holds", asked)
    samples = bench.found.samples
    bench.add(compared("availability", samples["availability beside holds"], samples["echo beside holds"], bench.cores))
    bench.watch_memory()
