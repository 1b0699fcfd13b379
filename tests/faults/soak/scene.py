"""What a fault sees: the stack, the crowd and chance; and the question that every fault ends with."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from time import monotonic

from loadtests.verifier.rows import open_rows
from tests.faults.soak.crowd import Crowd
from tests.faults.soak.stack import Api, Stack, Worker
from tests.polling import wait_until
from tests.races.metrics import counted

HAPPENS_WITHIN_S = 45.0
RECOVERS_WITHIN_S = 45.0


@dataclass
class Scene:
    """`brief`: faults last no longer than they must."""

    stack: Stack
    crowd: Crowd
    random: Random
    brief: bool

    def any_api(self) -> Api:
        return self.random.choice(self.stack.apis)

    def any_worker(self) -> Worker:
        return self.random.choice(self.stack.workers)

    def until(self, condition: Callable[[], object], what: str, timeout: float = HAPPENS_WITHIN_S) -> None:
        """Returns when it holds. AssertionError: it did not happen, or a customer met what must not be."""

        def look() -> object:
            if self.crowd.failures:
                raise AssertionError(f"a customer failed: {self.crowd.failures[0]!r}") from self.crowd.failures[0]
            return condition()

        wait_until(look, timeout, what)

    def last(self, least: float, most: float) -> None:
        """Lets the fault last between so many seconds."""
        over = monotonic() + (least if self.brief else self.random.uniform(least, most))
        self.until(lambda: monotonic() >= over, "time passes", most + HAPPENS_WITHIN_S)

    def until_more(self, name: str, more: int, what: str) -> None:
        """Returns when the crowd's count has grown by so many."""
        before = self.crowd.counts[name]
        self.until(lambda: self.crowd.counts[name] >= before + more, what)

    def counted(self, api: Api, name: str, **labels: str) -> float:
        return counted(api.process, name, **labels)

    def stored(self, sql: str) -> int:
        """The one number that a SELECT gives."""
        with open_rows(self.stack.database_url) as rows:
            return int(rows.select(sql)[0][0])

    def settle(self) -> float:
        """Seconds until everything is as it was, and all is answered that was asked meanwhile.

        AssertionError where that takes too long, or a process has ended that nobody ended.
        """
        began = monotonic()
        for member in self.stack.members:
            assert member.process.process.is_running, f"{member.name} ended by itself"
        self.until(lambda: all(member.process.is_ready() for member in self.stack.members), "ready", RECOVERS_WITHIN_S)
        before = self.crowd.counts
        self.until(lambda: self.crowd.waits_since() >= began, "all are answered", RECOVERS_WITHIN_S)
        for place, api in enumerate(self.stack.apis):
            at = f"at {place}"
            self.until(lambda at=at: self.crowd.counts[at] > before[at], f"{api.name} answers", RECOVERS_WITHIN_S)
        return monotonic() - began
