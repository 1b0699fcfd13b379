"""A million stale holds, released by the operator's command while bookings go on: `python -m loadtests.stale_release`.

The holds are made through the engine, on a private server of the MySQL family without a worker, and left until their
time is over. Then bookings run in rounds, and the command runs beside every second one: in between it is stopped by
SIGSTOP, so that rounds with it and without it lie next to each other. At the middle the command is killed (`kill -9`)
and run again. Told are the bookings' throughput with it to that without it (0.8 is wanted), the command's memory as it
goes, and how long it takes; then the auditor judges, and every hold must have one end.
"""

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

import msgspec

from loadtests.bench import requests
from loadtests.bench.bed import Administrator, Target
from loadtests.bench.bench import ENVIRONMENT
from loadtests.venue import Venue
from service.database.store import Store
from service.reservations.command_engine import CommandEngine
from service.reservations.commands import CreateReservation, StockLine
from tests.accounts import Account, on_store
from tests.polling import wait_until
from tests.process import ChildProcess, make_directory
from tests.races.databases import audit_now
from tests.running import service_environment, start_service, upgrade
from tests.servers.find import private_mysql
from tests.servers.mysql import execute

BATCH = 256
SKUS = 100
NOTED_S = 5.0
RATIO_WANTED = 0.8
RELEASE = ("holds", "release", "--stale", "--yes", "--json", "--reason", "the worker was down", "--as", "ann")


class Options(msgspec.Struct, frozen=True):
    """How many holds, rounds of bookings with and without the command, bookings of a round, connections."""

    holds: int
    rounds: int
    bookings: int
    connections: int


def main() -> int:
    parser = argparse.ArgumentParser(description="Releases stale holds while bookings go on, and measures both.")
    parser.add_argument("--holds", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=12, help="of each kind")
    parser.add_argument("--bookings", type=int, default=6000, help="of one round")
    parser.add_argument("--connections", type=int, default=64)
    options = msgspec.convert(vars(parser.parse_args()), Options)
    server = private_mysql(say)
    try:
        return Run(options, Administrator(server), server.new_database()).run()
    finally:
        server.close()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Run:
    """One run on a new database."""

    def __init__(self, options: Options, administrator: Administrator, url: str) -> None:
        self.options = options
        self.administrator = administrator
        self.url = url
        self.rates: dict[bool, list[float]] = {True: [], False: []}
        self.memory_mb: list[float] = []
        self._seen = 0
        self._noted_at = 0.0
        upgrade(url)

    def run(self) -> int:
        with start_service(self.url, env=ENVIRONMENT) as service:
            venue = Venue(service)
            for number in range(SKUS):
                venue.put_stock(f"STALE-{number}", self.options.holds)
            began = time.monotonic()
            self.administrator.relax(relaxed=True)
            on_store(self.url, lambda store: make_stale(store, venue.account, self.options.holds))
            self.administrator.relax(relaxed=False)
            say(f"{self.options.holds:,} holds made in {time.monotonic() - began:.0f} s")
            venue.prepare(self.options.bookings * (2 * self.options.rounds + 1))
            self.administrator.settle(60)
            target = Target(service, venue, self.administrator.pid)
            self._measure(target, venue)
            return self._tell()

    def _measure(self, target: Target, venue: Venue) -> None:
        self._book(target, venue)  # a first round warms up, and counts for nothing
        command = self._command(venue)
        began = time.monotonic()
        command.start()
        for number in range(self.options.rounds):
            if number == self.options.rounds // 2:
                command.kill()
                say(f"killed: {self._released():,} released by now; run again")
                command.start()
            wait_until(self._released_since, 60, "the command releases")
            for beside in (True, False):
                if not beside and command.is_running:
                    command.pause()
                self.rates[beside].append(self._book(target, venue))
                if not beside and command.is_running:
                    command.resume()
            if command.is_running:
                self.memory_mb.append(resident_mb(command.pid))
                say(
                    f"bookings/s {self.rates[True][-1]:,.0f} with, {self.rates[False][-1]:,.0f} without; "
                    f"{self._released():,} released, command {self.memory_mb[-1]:.0f} MB"
                )
            else:
                say("the command was done before the rounds were: take more holds or fewer rounds")
        wait_until(lambda: self._note_memory(command) or not command.is_running, 7200, "end of the command")
        say(f"the command was done after {time.monotonic() - began:.0f} s, with the rounds in which it was stopped")
        assert command.exit_code == 0, command.log_tail()

    def _command(self, venue: Venue) -> ChildProcess:
        directory = make_directory("stale-release")
        return ChildProcess(
            [sys.executable, "-m", "service", *RELEASE, "--account", venue.account.name],
            log_path=directory / "release.log",
            environment=service_environment(self.url),
        )

    def _book(self, target: Target, venue: Venue) -> float:
        seats = venue.take(self.options.bookings)
        return target.run(requests.hold_seats(seats), "201", self.options.connections).per_second

    def _released_since(self) -> bool:
        """Whether the command has released anything since it was last asked."""
        before, self._seen = self._seen, self._released()
        return self._seen > before

    def _note_memory(self, command: ChildProcess) -> None:
        """Every NOTED_S seconds."""
        if time.monotonic() - self._noted_at >= NOTED_S and command.is_running:
            self._noted_at = time.monotonic()
            self.memory_mb.append(resident_mb(command.pid))
            say(f"{self._released():,} released, command {self.memory_mb[-1]:.0f} MB")

    def _released(self) -> int:
        """By the counters of the items that they hold, which is cheap to ask."""
        held = execute(self.url, "SELECT SUM(held) FROM stock_items WHERE sku LIKE 'STALE-%'")
        return self.options.holds - int(held[0][0])

    def _tell(self) -> int:
        released = execute(
            self.url, "SELECT COUNT(*), COUNT(DISTINCT subject_id) FROM messages WHERE action = 'release'"
        )[0]
        once = tuple(released) == (self.options.holds, self.options.holds)
        ratio = statistics.median(self.rates[True]) / statistics.median(self.rates[False])
        verdict = "once each" if once else "WRONG"
        say(f"{released[0]:,} releases of {released[1]:,} holds, of {self.options.holds:,}: {verdict}")
        quarter = max(1, len(self.memory_mb) // 4)
        say(
            f"memory of the command: {self.memory_mb[0]:.0f} MB at first, {max(self.memory_mb):.0f} MB at most, "
            f"{statistics.median(self.memory_mb[-quarter:]):.0f} MB at the end"
        )
        say(f"bookings with it to bookings without it: {ratio:.2f} (wanted: {RATIO_WANTED})")
        say("auditing …")
        audit_now(self.url)
        say("clean")
        return 0 if once and ratio >= RATIO_WANTED else 1


async def make_stale(store: Store, account: Account, count: int) -> None:
    """So many holds of a second, a unit each, and wait until the last of them is over."""
    engine = CommandEngine(store, store.settings)
    await engine.start()
    try:
        for first in range(0, count, BATCH):
            await engine.submit_all(
                CreateReservation(
                    account_id=account.id,
                    actor="shop",
                    lines=(StockLine(1, f"STALE-{number % SKUS}", "default", 1),),
                    customer=f"c-{number}",
                    hold_seconds=1,
                )
                for number in range(first, min(first + BATCH, count))
            )
        await asyncio.sleep(1.5)
    finally:
        await engine.drain()


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
