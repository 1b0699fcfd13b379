"""A client that insists: the same request under the same key until there is a final answer, all of it in the ledger.

The one place that knows which answers are final. Whoever uses it brings the means to send and to wait: greenlets of
Locust, threads of a test.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

import msgspec

from loadtests.ledger import RESERVATIONS, Ledger, replayed_of

SUCCESSFUL = range(200, 300)
NOT_FINAL = frozenset({429, 503})
IN_PROGRESS = '"/problems/idempotency-in-progress"'
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 1.0
PATIENCE_S = 120.0


class NoAnswerError(Exception):
    """Nobody gave a final answer for longer than a client's patience."""


class Wish(msgspec.Struct, frozen=True):
    """One operation: what is sent, under which key, and its name in the ledger."""

    operation: str
    key: str
    method: str
    path: str
    body: str = ""
    expects_failure: bool = False

    @property
    def headers(self) -> dict[str, str]:
        typed = {"Content-Type": "application/json"} if self.body else {}
        return {"Idempotency-Key": self.key, **typed}


class Reply(msgspec.Struct, frozen=True):
    """A complete answer. Header names are in small letters."""

    status: int
    body: str
    headers: Mapping[str, str]

    @property
    def is_success(self) -> bool:
        return self.status in SUCCESSFUL

    @property
    def is_final(self) -> bool:
        return self.status not in NOT_FINAL and IN_PROGRESS not in self.body[:64]

    def json(self) -> Any:  # noqa: ANN401 - JSON
        return msgspec.json.decode(self.body)


Send = Callable[[Wish], Reply | None]
"""Sends once; None: the connection was lost, and with it the answer."""


def create(operation: str, lines: list[dict[str, Any]], **body: Any) -> Wish:  # noqa: ANN401 - JSON
    """A reservation. The operation's name is its customer, so that a second effect of one key would be seen."""
    content = {"lines": lines, "customer": operation, **body}
    return Wish(operation, f"key-{operation}", "POST", RESERVATIONS, msgspec.json.encode(content).decode())


def act(operation: str, reference: str, action: str, **body: Any) -> Wish:  # noqa: ANN401 - JSON
    """An action on a reservation."""
    content = msgspec.json.encode(body).decode() if body else ""
    return Wish(operation, f"key-{operation}", "POST", f"{RESERVATIONS}/{reference}/{action}", content)


class Insisting:
    """One client. `sleep` waits so many seconds."""

    def __init__(
        self, ledger: Ledger, client: str, sleep: Callable[[float], object], patience_s: float = PATIENCE_S
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._sleep = sleep
        self._patience_s = patience_s

    def ask(self, wish: Wish) -> None:
        """Writes down what is going to be sent; once, before the first try."""
        self._ledger.asked(
            wish.operation,
            key=wish.key,
            client=self._client,
            method=wish.method,
            path=wish.path,
            body=wish.body,
            expects_failure=wish.expects_failure,
        )

    def insist(self, wish: Wish, send: Send) -> Reply:
        """The final answer to what was asked before, also in the ledger. Raises NoAnswerError."""
        until = monotonic() + self._patience_s
        pause_s = FIRST_PAUSE_S
        tries = 0
        while True:
            tries += 1
            reply = send(wish)
            if reply is not None and reply.is_final:
                self._note(wish, reply, tries)
                return reply
            if monotonic() > until:
                last = "a lost connection" if reply is None else f"{reply.status} {reply.body[:200]}"
                raise NoAnswerError(f"{wish.operation}: {tries} tries in {self._patience_s:g} s, the last one {last}")
            self._sleep(min(pause_s if reply is None else _told_to_wait(reply, pause_s), LONGEST_PAUSE_S))
            pause_s *= 2

    def ask_and_insist(self, wish: Wish, send: Send) -> Reply:
        """Both. Raises NoAnswerError."""
        self.ask(wish)
        return self.insist(wish, send)

    def _note(self, wish: Wish, reply: Reply, tries: int) -> None:
        self._ledger.told(
            wish.operation,
            status=reply.status,
            replayed=replayed_of(reply.headers.get("idempotent-replayed")),
            body=reply.body,
            etag=reply.headers.get("etag"),
            location=reply.headers.get("location"),
            tries=tries,
        )


def _told_to_wait(reply: Reply, pause_s: float) -> float:
    told = reply.headers.get("retry-after", "")
    return float(told) if told.isdecimal() else pause_s
