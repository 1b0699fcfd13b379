"""`make bench`: throughput as ratios to the no-op endpoint of the same app, on this machine and in this one run.

`POST /bench/echo` authenticates, decodes, fingerprints and answers with as many bytes as a hold, without the database.
Rounds are interleaved and each figure is the median of its rounds' ratios, so that a machine whose speed drifts does
not decide. Everything runs on loopback: a private MySQL-family server with durable commits, and a SQLite file.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.table import Table

from loadtests.generator import Plan, Request, Result
from loadtests.venue import Venue, load_venue
from tests.running import RunningService, audit, start_service, upgrade
from tests.servers.find import private_mysql

REACH = {"holds, MySQL family": 0.45, "holds, SQLite": 0.25, "replays, MySQL family": 0.7}
"""What each ratio is to reach. A finding, not a test: machines differ, so nothing fails by it."""


class Figure(msgspec.Struct):
    """One line of the table: rates in requests/s of each round, and their ratios to the echo of the same round."""

    name: str
    echo: list[float]
    rates: list[float]
    p99_ms: list[float]

    @property
    def ratio(self) -> float:
        return median(rate / echo for rate, echo in zip(self.rates, self.echo, strict=True))


class Bench:
    """One store's server under load."""

    def __init__(self, service: RunningService, venue: Venue, options: argparse.Namespace) -> None:
        self._venue = venue
        self._options = options
        parts = urlsplit(service.url)
        self._host, self._port = parts.hostname or "", parts.port or 0

    def run(self, requests: list[Request], expected: str) -> Result:
        """Send `requests` from another process; every answer must have the expected status."""
        plan = Plan(self._host, self._port, self._venue.api_key, self._options.connections, requests)
        done = subprocess.run(
            [sys.executable, "-m", "loadtests.generator"],
            input=msgspec.json.encode(plan),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"the load generator failed:\n{done.stderr.decode()}")
        result = msgspec.json.decode(done.stdout, type=Result)
        if set(result.statuses) != {expected}:
            sys.exit(f"expected only {expected}, got {result.statuses}")
        return result

    def holds(self, path: str = "/v1/reservations") -> list[Request]:
        """Holds of seats that nobody holds yet, under fresh keys."""
        seats = self._venue.take(self._options.requests)
        return [
            Request("POST", path, _hold_of(event, seat), f"bench-{random.getrandbits(64):x}") for event, seat in seats
        ]

    def echoes(self) -> list[Request]:
        return [msgspec.structs.replace(request, path="/bench/echo") for request in self._example_holds()]

    def _example_holds(self) -> Iterator[Request]:
        for event, seat in self._venue.examples(self._options.requests):
            yield Request("POST", "", _hold_of(event, seat), f"bench-{random.getrandbits(64):x}")


def _hold_of(event: str, seat: str) -> str:
    return json.dumps(
        {"lines": [{"event": event, "seats": [seat]}], "customer": "c-77", "metadata": {"channel": "app"}}
    )


def measure(bench: Bench, store: str, rounds: int, *, replays: bool, tell: Callable[[str], None]) -> list[Figure]:
    """Interleaved rounds of echo, holds and (if asked) replays of these holds; the first round only warms up."""
    holds = Figure(f"holds, {store}", [], [], [])
    replayed = Figure(f"replays, {store}", [], [], [])
    for number in range(rounds + 1):
        echo = bench.run(bench.echoes(), "201")
        requests = bench.holds()
        held = bench.run(requests, "201")
        again = bench.run(requests, "201") if replays else None
        if not number:
            continue
        tell(f"{store}, round {number} of {rounds}: echo {echo.per_second:,.0f}/s, holds {held.per_second:,.0f}/s")
        for figure, result in ((holds, held), (replayed, again)):
            if result is not None:
                figure.echo.append(echo.per_second)
                figure.rates.append(result.per_second)
                figure.p99_ms.append(result.p99_ms)
    return [holds, replayed] if replays else [holds]


def _on_store(
    database_url: str, store: str, options: argparse.Namespace, *, replays: bool, console: Console
) -> list[Figure]:
    upgrade(database_url)
    environment = {"HOLDFAST_BENCH_ENDPOINTS": "1", "HOLDFAST_RATE_LIMIT_REQUESTS": "0"}
    with start_service(database_url, env=environment) as service:
        needed = options.requests * (options.rounds + 1)
        with console.status(f"{store}: loading the venue"):
            venue = load_venue(service, needed)
        figures = measure(
            Bench(service, venue, options),
            store,
            options.rounds,
            replays=replays,
            tell=console.print,
        )
        audit(service)
        console.print(f"{store}: the auditor found nothing")
    return figures


def _table(figures: list[Figure]) -> Table:
    table = Table(title="Throughput as a ratio to the no-op endpoint of the same app")
    for column in ("figure", "ratio", "to reach", "requests/s", "no-op/s", "p99 ms"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for figure in figures:
        reach = REACH[figure.name]
        colour = "green" if figure.ratio >= reach else "yellow"
        table.add_row(
            figure.name,
            f"[{colour}]{figure.ratio:.2f}[/]",
            f"≥ {reach:.2f}",
            f"{median(figure.rates):,.0f}",
            f"{median(figure.echo):,.0f}",
            f"{median(figure.p99_ms):.1f}",
        )
    return table


def _write_report(figures: list[Figure], options: argparse.Namespace) -> Path:
    report = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "connections": options.connections,
        "requests_per_round": options.requests,
        "figures": [{**msgspec.to_builtins(figure), "ratio": round(figure.ratio, 3)} for figure in figures],
    }
    path = Path("loadtests/reports/bench.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (one more warms up)")
    parser.add_argument("--requests", type=int, default=6000, help="requests of one figure in one round")
    parser.add_argument("--connections", type=int, default=128, help="connections that send at once")
    parser.add_argument("--store", choices=["mysql", "sqlite", "both"], default="both")
    options = parser.parse_args()
    console = Console()
    figures: list[Figure] = []
    if options.store in {"mysql", "both"}:
        server = private_mysql()
        try:
            figures += _on_store(server.new_database(), "MySQL family", options, replays=True, console=console)
        finally:
            server.close()
    if options.store in {"sqlite", "both"}:
        with tempfile.TemporaryDirectory() as directory:
            url = f"sqlite+aiosqlite:///{directory}/bench.sqlite3"
            figures += _on_store(url, "SQLite", options, replays=False, console=console)
    console.print(_table(figures))
    console.print(f"written to {_write_report(figures, options)}")


if __name__ == "__main__":
    main()
