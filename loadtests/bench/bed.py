"""The servers under test, each with the processes that it costs, and runs of the load generator against them."""

import subprocess
import sys
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import make_url

from loadtests.bench.figures import Sample, Usage
from loadtests.bench.machine import cpu_seconds, cpu_seconds_of_everybody, with_children
from loadtests.generator import Outcome, Plan, Request, Result, Stream
from loadtests.venue import Venue
from tests.accounts import http_client
from tests.polling import wait_until
from tests.running import RunningService
from tests.servers.find import PrivateMysql
from tests.servers.mysql import execute

BUFFER_POOL_BYTES = 2 << 30
REDO_LOG_BYTES = 2 << 30
DIRTY_PAGES_FEW = 1000


class WrongAnswers(Exception):
    """A run had answers of another status than expected: what it measured is not what it is called."""


class Target:
    """A server that is asked: its processes, the key to ask with, its database's process where it is one of here."""

    def __init__(self, service: RunningService, venue: Venue, database_pid: int | None) -> None:
        self.service = service
        self.venue = venue
        parts = urlsplit(service.url)
        self._host, self._port = parts.hostname or "", parts.port or 0
        self._database_pids = [] if database_pid is None else [database_pid]

    @property
    def pid(self) -> int:
        return self.service.process.pid

    def run(self, requests: list[Request], expected: str, connections: int, rate: float | None = None) -> Sample:
        """All of `requests`, each answered with the status `expected`. Raises WrongAnswers."""
        return self.run_streams([Stream(requests=requests, connections=connections, rate=rate)], [expected])[0]

    def run_for_references(self, requests: list[Request], connections: int) -> tuple[Sample, list[str]]:
        """Holds, and the references of what they made."""
        stream = Stream(requests=requests, connections=connections, keep_references=True)
        results, usage = self._outcome([stream], ["201"])
        return _sample(results[0], usage), results[0].references

    def run_streams(self, streams: list[Stream], expected: list[str]) -> list[Sample]:
        """All streams at once; the processor time of the run is told with each of them."""
        results, usage = self._outcome(streams, expected)
        return [_sample(result, usage) for result in results]

    def run_beside(
        self, requests: list[Request], expected: str, beside: Stream, connections: int
    ) -> tuple[Sample, int]:
        """`requests`, while `beside` goes on; how many of the latter were answered, all with 201."""
        first = Stream(requests=requests, connections=connections)
        results, usage = self._outcome([first, beside], [expected, "201"])
        return _sample(results[0], usage), results[1].count

    def _outcome(self, streams: list[Stream], expected: list[str]) -> tuple[list[Result], Usage]:
        plan = Plan(self._host, [self._port], self.venue.api_key, streams)
        pids = with_children(self.pid)
        api, database = cpu_seconds(pids), cpu_seconds(self._database_pids)
        everybody = cpu_seconds_of_everybody()
        outcome = generate(plan)
        usage = Usage(
            wall=outcome.results[0].seconds,
            api=cpu_seconds(pids) - api,
            database=cpu_seconds(self._database_pids) - database if self._database_pids else None,
            generator=outcome.cpu_seconds,
            everybody=cpu_seconds_of_everybody() - everybody,
        )
        for result, status in zip(outcome.results, expected, strict=True):
            if set(result.statuses) - {status}:
                raise WrongAnswers(f"{self.service.url}: expected only {status}, got {result.statuses}")
        return outcome.results, usage

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics by its name, added up over its labels."""
        with http_client(self.service.url) as client:
            text = client.get("/metrics").text
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found


def _sample(result: Result, usage: Usage) -> Sample:
    return Sample(result.per_second, result.median_ms, result.p99_ms, usage)


def generate(plan: Plan) -> Outcome:
    """Run a plan in a process of its own."""
    command = [sys.executable, "-m", "loadtests.generator"]
    done = subprocess.run(command, input=msgspec.json.encode(plan), capture_output=True, check=False)
    if done.returncode:
        raise WrongAnswers(f"the load generator failed:\n{done.stderr.decode()[-4000:]}")
    return msgspec.json.decode(done.stdout, type=Outcome)


class Administrator:
    """The server's settings, and its counters. Durability is as in production unless it is relaxed on purpose."""

    def __init__(self, server: PrivateMysql) -> None:
        self.url = server.admin_url
        version = str(execute(self.url, "SELECT VERSION()")[0][0])
        self.is_mariadb = "mariadb" in version.lower()
        self.name = f"{'MariaDB' if self.is_mariadb else 'MySQL'} {version.partition('-')[0]}"
        self.process = getattr(server, "process", None)
        self._set("innodb_buffer_pool_size", BUFFER_POOL_BYTES)
        # MariaDB's name, and MySQL's for the same.
        self._set("innodb_log_file_size" if self.is_mariadb else "innodb_redo_log_capacity", REDO_LOG_BYTES)

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    def on(self, database_url: str) -> str:
        """URL of the administrator's account on that database."""
        url = make_url(self.url).set(database=make_url(database_url).database)
        return url.render_as_string(hide_password=False)

    def relax(self, *, relaxed: bool) -> None:
        """Whether a COMMIT may return before it is on the disk. Only ever while nothing is measured."""
        self._set("innodb_flush_log_at_trx_commit", 0 if relaxed else 1)

    def is_durable(self) -> bool:
        return execute(self.url, "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit")[0][0] == 1

    def settle(self, seconds: float) -> None:
        """Write out, for at most so long, what the buffer pool has of a bulk load: else the measured runs would."""
        usual = int(float(str(execute(self.url, "SELECT @@GLOBAL.innodb_max_dirty_pages_pct")[0][0])))
        self._set("innodb_max_dirty_pages_pct", 0)
        with suppress(AssertionError):  # not all of it in time: the rest is written while it is measured
            wait_until(lambda: self._counter("Innodb_buffer_pool_pages_dirty") <= DIRTY_PAGES_FEW, seconds)
        self._set("innodb_max_dirty_pages_pct", usual)

    def commits(self) -> int:
        """COMMITs that the server has done so far, of all its clients."""
        return self._counter("Com_commit")

    def _counter(self, name: str) -> int:
        return int(str(execute(self.url, f"SHOW GLOBAL STATUS LIKE '{name}'")[0][1]))

    def _set(self, name: str, value: int) -> None:
        execute(self.url, f"SET GLOBAL {name} = {value}")
