"""The phone from inside: an app with an outbox and a client, as a process of its own.

`python -m service.demo.mobile.phone OUTBOX URL EVENT`, with the API key in PHONE_API_KEY. Standard input is the
customer's finger: `order` and `pay`, a line each; when it ends, the phone does. Standard output is its screen, a JSON
line for everything that happens. Whatever it has not finished when it dies, it goes on with at its next start.
"""

import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from service.client import Attempt, Holdfast, Outbox, Policy, Problem, ReservationView, Unreached, calls
from service.client.calls import RESERVATIONS, best_available

API_KEY: Final = "PHONE_API_KEY"
SEATS: Final = 2
POLICY: Final = Policy(deadline_s=3, attempt_s=1, pause_s=0.3, pause_max_s=0.6)
PAUSE_S: Final = 0.3
"""Between two sendings, while there is no network."""

Doing = Literal["started", "ordered", "paid", "tried", "gave up", "answered", "refused"]


class Said(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What the phone shows. `about` is the request that it is about: `hold` or `confirm`."""

    did: Doing
    about: str = ""
    waiting: int = 0
    key: str = ""
    status: int | None = None
    error: str = ""
    reference: str = ""
    state: str = ""
    seats: list[str] = []
    replayed: bool = False


Tell = Callable[[Said], None]


class Phone:
    """The app. Everything that it knows is in its outbox."""

    def __init__(self, outbox: Outbox, client: Holdfast, event: str, tell: Tell) -> None:
        self._outbox = outbox
        self._client = client
        self._event = event
        self._tell = tell

    def start(self) -> None:
        """Go on with what was not finished."""
        self._tell(Said(did="started", waiting=len(self._outbox.waiting())))
        self._send()

    def order(self) -> None:
        """Two seats next to each other."""
        key = self._outbox.add(calls.hold(best_available(self._event, SEATS), customer="c-phone"))
        self._tell(Said(did="ordered", about="hold", key=key))
        self._send()

    def pay(self) -> None:
        """Confirm what is held."""
        order = self._outbox.entries()[0]
        reservation = self._outbox.answer(order.key, ReservationView)
        # The key follows from the order's, so that a second tap is the same payment.
        key = self._outbox.add(calls.confirm(reservation.reference, key=f"{order.key}-pay"))
        self._tell(Said(did="paid", about="confirm", key=key))
        self._send()

    def _send(self) -> None:
        while waiting := self._outbox.waiting():
            try:
                self._outbox.send(self._client)
            except (Unreached, Problem) as error:
                self._tell(Said(did="gave up", key=error.key or "", error=str(error)))
                threading.Event().wait(PAUSE_S)
                continue
            for entry in waiting:
                self._show(entry.key, about(entry.call.route))

    def _show(self, key: str, what: str) -> None:
        try:
            seen = self._outbox.answer(key, ReservationView)
        except Problem as problem:
            self._tell(Said(did="refused", about=what, error=str(problem)))
            return
        reply = self._outbox.reply(key)
        seats = [line.seat for line in seen.lines if isinstance(line.seat, str)]
        replayed = reply is not None and reply.replayed is True
        said = Said(did="answered", about=what, reference=seen.reference, state=seen.state, seats=seats)
        self._tell(msgspec.structs.replace(said, replayed=replayed))


def about(route: str) -> str:
    """`hold`, `confirm`, or `me`: the last word of a route."""
    return "hold" if route == RESERVATIONS else route.rsplit("/", 1)[-1]


def run(outbox: str, url: str, event: str, api_key: str, finger: "queue.Queue[str]", tell: Tell) -> None:
    """The phone, until it is switched off."""

    def on_attempt(attempt: Attempt) -> None:
        error = "" if attempt.error is None else type(attempt.error).__name__
        tell(Said(did="tried", about=about(attempt.call.route), status=attempt.status, error=error))

    with Holdfast(url, api_key, policy=POLICY, on_attempt=on_attempt) as client:
        phone = Phone(Outbox(outbox), client, event, tell)
        phone.start()
        while True:
            {"order": phone.order, "pay": phone.pay}[finger.get()]()


def show(said: Said) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


def _listen(finger: "queue.Queue[str]") -> None:
    """Who has started the phone ends it, also by dying."""
    for line in sys.stdin:
        finger.put(line.strip())
    os._exit(0)


def main() -> None:
    outbox, url, event = sys.argv[1:]
    finger: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(finger,), daemon=True).start()
    run(outbox, url, event, os.environ[API_KEY], finger, show)


if __name__ == "__main__":
    main()
