"""What every user of a scenario can do: send, insist, hold, act. Imported by Locust's process alone.

`LOAD_…` in the environment says where the servers are and where the ledger goes (`loadtests/locust_process.py`).
Whatever a user meets that its scenario does not expect is a failure in Locust's report, and fails the run.
"""

import os
import random
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import gevent
from locust import FastHttpUser
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
        wish = create(new_operation(), lines, **body)
        return self.insisting.ask_and_insist(wish, self.sender("hold", answers))

    def act(
        self,
        reference: str,
        action: str,
        answers: Collection[int] = ACTION_ANSWERS,
        **body: Any,  # noqa: ANN401 - JSON
    ) -> Reply:
        """An action on a reservation, asked for until there is a final answer."""
        wish = act(new_operation(), reference, action, **body)
        return self.insisting.ask_and_insist(wish, self.sender(action, answers))

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
            with self.client.request(
                "GET",
                (url or random.choice(URLS)) + path,
                name=label,
                headers=self._common_headers(),
                catch_response=True,
            ) as response:
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
