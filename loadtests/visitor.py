"""What every user of a scenario can do: send, insist, hold, act. Imported by Locust's process alone.

What a user has begun is finished, whatever becomes of the user: Locust ends users between two tasks, and sometimes a
moment later. At the end Locust waits for all of it, and only then counts.

`LOAD_…` in the environment says where the servers are and where the ledger goes (`loadtests/locust_process.py`).
Whatever a user meets that its scenario does not expect is a failure in Locust's report, and fails the run.
"""

import os
import random
import uuid
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import gevent
import locust.stats
import msgspec
from gevent.pool import Group
from locust import FastHttpUser, events
from locust.contrib.fasthttp import LocustBadStatusCode, ResponseContextManager
from locust.env import Environment

from loadtests.insist import Insisting, Reply, Send, Wish, act, create
from loadtests.ledger import Ledger

URLS: Final = os.environ["LOAD_URLS"].split(",")
KEY: Final = os.environ["LOAD_KEY"]
USERS: Final = int(os.environ["LOAD_USERS"])
LEDGER: Final = Ledger(Path(os.environ["LOAD_LEDGER"]))

HOLD_ANSWERS = frozenset({201, 409})
ACTION_ANSWERS = frozenset({200, 409, 410})
"""What a client of this business must be ready for. 409 and 410: somebody was first, time was over."""

Json = dict[str, Any]
T = TypeVar("T")

# Often enough that the last numbers are in Locust's own files, too.
CSV_EVERY_S = 0.5
locust.stats.CSV_STATS_INTERVAL_SEC = CSV_EVERY_S

unfinished = Group()


def see_through(work: Callable[[], T]) -> T:
    """The result of work that goes on to its end, also when the user who waits for it is ended."""
    result: T = unfinished.spawn(work).get()
    return result


@events.quitting.add_listener
def finish_and_count(environment: Environment, **_: object) -> None:
    """Nobody begins anything, all that was begun is finished; then the summary is written."""
    if environment.runner is not None:
        environment.runner.stop()
        unfinished.join()
        gevent.sleep(2 * CSV_EVERY_S)
        Path(os.environ["LOAD_SUMMARY"]).write_bytes(msgspec.json.encode(summary_of(environment)))


def summary_of(environment: Environment) -> Json:
    """What `loadtests/locust_process.py` reads as Measured; times in ms and s."""
    assert environment.runner is not None
    total, entries = environment.stats.total, environment.stats.entries.values()
    return {
        "requests": total.num_requests,
        "failures": total.num_failures,
        "exceptions": sum(found["count"] for found in environment.runner.exceptions.values()),
        "seconds": (total.last_request_timestamp or 0) - total.start_time if total.num_requests else 0.0,
        "median_ms": total.get_response_time_percentile(0.5),
        "p99_ms": total.get_response_time_percentile(0.99),
        "by_name": {entry.name: entry.num_requests for entry in entries},
    }


def new_operation(prefix: str = "op") -> str:
    """A name that no operation has; for creates it is the customer's, too."""
    return f"{prefix}-{uuid.uuid4().hex}"


class Visitor(FastHttpUser):
    """A user. `loses_answers`: the scenario cuts connections; `may_wait`: an overloaded server may send it away."""

    abstract = True
    host = URLS[0]
    connection_timeout = 30.0
    network_timeout = 30.0
    keeps_connections = True
    loses_answers = False
    may_wait = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.insisting = Insisting(LEDGER, new_operation("client"), gevent.sleep)

    def hold(self, lines: list[Json], answers: Collection[int] = HOLD_ANSWERS, **body: Any) -> Reply:  # noqa: ANN401
        """A reservation, asked for until there is a final answer."""
        return self.insist(create(new_operation(), lines, **body), "hold", answers)

    def act(
        self,
        reference: str,
        action: str,
        answers: Collection[int] = ACTION_ANSWERS,
        **body: Any,  # noqa: ANN401 - JSON
    ) -> Reply:
        """An action on a reservation, asked for until there is a final answer."""
        return self.insist(act(new_operation(), reference, action, **body), action, answers)

    def insist(self, wish: Wish, label: str, answers: Collection[int]) -> Reply:
        """The final answer to a wish."""
        return see_through(partial(self.insisting.ask_and_insist, wish, self.sender(label, answers)))

    def sender(self, label: str, answers: Collection[int], url: str | None = None) -> Send:
        """Sends a wish once, to one server or to any; `answers` are the statuses that are no surprise."""

        def send(wish: Wish) -> Reply | None:
            target = (url or random.choice(URLS)) + wish.path
            headers = {**wish.headers, **self._common_headers()}
            with self.client.request(
                wish.method, target, name=label, data=wish.body, headers=headers, catch_response=True
            ) as response:
                reply = reply_in(response)
                self._judge(response, reply, answers)
            return reply

        return send

    def look(self, path: str, label: str, url: str | None = None) -> Reply:
        """A GET, which must find something; tried again where the connection broke."""
        while True:
            target = (url or random.choice(URLS)) + path
            headers = self._common_headers()
            with self.client.request("GET", target, name=label, headers=headers, catch_response=True) as response:
                reply = reply_in(response)
                self._judge(response, reply, {200})
            if reply is not None and reply.is_final:
                return reply
            gevent.sleep(0.1)

    def _common_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {KEY}", **({} if self.keeps_connections else {"Connection": "close"})}

    def _judge(self, response: ResponseContextManager, reply: Reply | None, answers: Collection[int]) -> None:
        """Tells Locust how it went: lost and sent-away tries as names of their own, surprises as failures."""
        label = response.request_meta["name"]
        if reply is None:
            response.request_meta["name"] = f"{label}: lost"
            if not self.loses_answers:
                response.failure(f"connection lost: {response.request_meta['exception']}")
                return
        elif not reply.is_final:
            response.request_meta["name"] = f"{label}: {reply.status}, come back later"
            if not self.may_wait:
                response.failure(reply.body[:200])
                return
        elif reply.status not in answers:
            response.failure(f"{reply.status} {reply.body[:200]}")
            return
        else:
            response.request_meta["name"] = f"{label}: {reply.status}"
        response.success()


def reply_in(response: ResponseContextManager) -> Reply | None:
    """The answer, if all of it arrived."""
    error = response.request_meta["exception"]
    if not response.status_code or response.content is None or not isinstance(error, LocustBadStatusCode | None):
        return None
    headers = {name.lower(): value for name, value in response.headers.items()}
    if int(headers.get("content-length", len(response.content))) != len(response.content):
        return None
    return Reply(response.status_code, bytes(response.content).decode(), headers)
