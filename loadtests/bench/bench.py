"""One run of the benchmark: its options, the servers it has opened, and what it has found so far."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from typing import Any

import msgspec

from loadtests.bench import requests
from loadtests.bench.bed import Administrator, Target
from loadtests.bench.figures import Curve, Figure, Sample
from loadtests.bench.machine import cores, rss_mb
from loadtests.bench.progress import Reporter
from loadtests.venue import Venue
from tests.races.databases import audit_now
from tests.races.launched import launch_service
from tests.running import RunningService, start_service, upgrade
from tests.servers.find import private_mysql

ENVIRONMENT = {
    "HOLDFAST_BENCH_ENDPOINTS": "1",
    "HOLDFAST_RATE_LIMIT_REQUESTS": "0",
    "HOLDFAST_LOG_LEVEL": "warning",
}
PLAIN_CONNECTIONS = 24
"""Of the plain implementation's pool: with 12 it is a little slower, with 48 no faster."""

UNITS = 1_000_000_000


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done. Counts are requests of one run unless they say otherwise."""

    rounds: int = 4
    requests: int = 3000
    plain_requests: int = 800
    connections: int = 256
    at_rate_seconds: float = 3.0
    curve_seconds: float = 1.2
    grown_rows: int = 5_000_000
    grown_seeds: int = 2500
    message_share: float = 0.1
    settle_seconds: float = 30.0
    memory_requests: int = 1_000_000
    large_event: int = 100_000
    small_event: int = 1000
    concurrent: int = 1000
    processes: int = 4
    shares: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)  # of the greatest rate, for the curves by load
    clients: tuple[int, ...] = (1, 4, 16, 64, 128, 256)
    is_quick: bool = False


QUICK = Options(
    rounds=1, requests=200, plain_requests=60, connections=32, at_rate_seconds=0.4, curve_seconds=0.15,
    grown_rows=20_000, grown_seeds=200, message_share=0.5, memory_requests=8_000, large_event=3000, small_event=200,
    concurrent=200, processes=2, shares=(0.25, 0.75), clients=(1, 16), settle_seconds=1.0,
    is_quick=True,
)  # fmt: skip


class MemoryPoint(msgspec.Struct, frozen=True):
    """Resident memory of the API process after so many requests of its life."""

    requests: int
    rss_mb: float


class Findings(msgspec.Struct):
    """What came of it: the table's lines, the plots' curves by plot, samples by kind, and remarks."""

    figures: list[Figure] = []
    curves: dict[str, list[Curve]] = {}
    samples: dict[str, list[Sample]] = {}
    memory: list[MemoryPoint] = []
    grown: dict[str, int] = {}
    remarks: list[str] = []


class Bench:
    """Opens servers when a stage first asks for them; `close` ends them all."""

    def __init__(self, options: Options, wanted: set[str], reporter: Reporter) -> None:
        self.options = options
        self.wanted = wanted
        self.reporter = reporter
        self.found = Findings()
        self.cores = cores()
        self.growing: Any = None  # stages.grown.Grown
        self._opened = ExitStack()
        self._plains: dict[str, Target] = {}
        self.background = self._opened.enter_context(ThreadPoolExecutor(1, thread_name_prefix="growth"))

    def close(self) -> None:
        self._opened.close()

    @cached_property
    def server(self):  # noqa: ANN201 - whichever kind the machine has
        server = private_mysql(self.reporter.step)
        self._opened.callback(server.close)
        return server

    @cached_property
    def administrator(self) -> Administrator:
        return Administrator(self.server)

    @cached_property
    def main(self) -> Target:
        """One API process on the MySQL family, whose memory is watched through the whole run."""
        url = self.server.new_database()
        upgrade(url)
        target = self.target(url)
        target.venue.put_stock(requests.SKU, UNITS)
        return target

    def target(self, database_url: str, workers: int = 1) -> Target:
        """Another server with an account of its own; ends with the run. The schema must be there."""
        service = self._opened.enter_context(start_service(database_url, env=ENVIRONMENT, workers=workers))
        venue = Venue(service)
        self._opened.callback(venue.close)
        return Target(service, venue, None if service.store == "sqlite" else self.administrator.pid)

    def beside_main(self, opened: ExitStack, workers: int) -> Target:
        """A server of several processes on the main database and with its account."""
        service = start_service(self.main.service.database_url, env=ENVIRONMENT, workers=workers)
        return Target(opened.enter_context(service), self.main.venue, self.administrator.pid)

    def plain(self, way: str) -> Target:
        """The plain implementation on the main database, in one of its ways: `sqlalchemy` or `driver`."""
        if way not in self._plains:
            more = {"HOLDFAST_TEST_PLAIN": way, "HOLDFAST_POOL_CONNECTIONS": str(PLAIN_CONNECTIONS)}
            url = self.main.service.database_url
            service = self._opened.enter_context(launch_service("loadtests.plain", url, env={**ENVIRONMENT, **more}))
            self._plains[way] = Target(service, self.main.venue, self.administrator.pid)
        return self._plains[way]

    def audit(self, service: RunningService) -> None:
        """The auditor must find nothing."""
        audit_now(service.database_url)
        self.reporter.step(f"the auditor found nothing in the {service.store} database")

    def note(self, kind: str, sample: Sample) -> Sample:
        """Keep a sample of a counted round."""
        self.found.samples.setdefault(kind, []).append(sample)
        return sample

    @property
    def has_main(self) -> bool:
        """Whether the main server was asked for so far."""
        return "main" in self.__dict__

    def wants(self, *names: str) -> bool:
        return bool(self.wanted & set(names))

    def add(self, figure: Figure) -> None:
        """A line of the table, if it was asked for."""
        if figure.name in self.wanted:
            self.found.figures.append(figure)
            self.reporter.step(f"{figure.aim.title}: {figure.text} ({figure.detail})")

    def draw(self, plot: str, curve: Curve) -> None:
        self.found.curves.setdefault(plot, []).append(curve)

    def watch_memory(self) -> None:
        """A point of the memory's curve, if the main server runs."""
        if self.has_main:
            asked = int(self.main.metrics().get("holdfast_requests_total", 0))
            self.found.memory.append(MemoryPoint(asked, rss_mb(self.main.pid)))
