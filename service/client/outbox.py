"""The durable queue for phones and kiosks: what was ordered offline is booked once, however often the device dies.

    outbox = Outbox("orders.outbox")
    key = outbox.add(calls.hold(seats("final", "101-A-12"), customer="c-77"))  # on the disk when it returns
    outbox.send(client)                                                        # in order, until nothing is left
    reservation = outbox.answer(key, ReservationView)                          # now, or after the next start

A request is on the disk with its key before its first byte is sent, and stays until its answer is on the disk: whatever
dies in between, the same bytes go again under the same key. A refusal is an answer. What says nothing about the request
is none, and stops the sending with everything kept: no network, a service in trouble, an API key that is not (or no
longer) allowed to (401, 403), and words that are not the service's own, as of a hotel's login page.

The service forgets keys after its retention (72 h, unless it tells another), and a device may be off for longer. A
request that was first sent so long ago is therefore not just sent again:

- A hold is looked up by its external reference. Found, it is the answer. Not found, it is sent again under the same
  key, and the unique external reference refuses a double. So that every hold has one, a hold without gets its key as
  its external reference when it is added.
- Confirm, release, cancel and adjustments are sent again: done twice they are done once. So is what has an `If-Match`.
- Anything else (a PUT, an extension, a block) may undo what others did since. It is `in_doubt` until the app says
  `send_anyway(key)` or `drop(key)`; the others go on.

A file belongs to one account and one name of API key, those of the first client that sends from it, because the service
knows a key only together with them. With asyncio: `await asyncio.to_thread(outbox.send, client)`, where `client` is a
Holdfast.
"""

import os
import time
import weakref
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from service.client import calls
from service.client.calls import ADJUSTMENTS, RESERVATIONS, AnyCall, Call
from service.client.outbox_file import Entry, OutboxBusy, OutboxError, OutboxFile
from service.client.policy import is_tried_again
from service.client.problems import ExternalReferenceExists, HoldfastError, Problem, problem_of, unreadable
from service.client.replies import NO_JSON, Reply
from service.client.sending import Holdfast, read_answer

__all__ = ["Entry", "NotAnswered", "Outbox", "OutboxBusy", "OutboxError", "UnknownKey", "WrongCaller"]

T = TypeVar("T")

RETENTION_S: Final = 72 * 3600.0
OLD: Final = 0.9
"""Which part of the retention makes a request old: the rest is for one attempt with all its retries, and for clocks."""

CLOCK_TOLERANCE_S: Final = 60.0
"""A clock that is put right by so little has not gone back."""

_SAFE_ROUTES: Final = frozenset({ADJUSTMENTS, *(f"{RESERVATIONS}/{{reference}}/{verb}" for verb in calls.ENDINGS)})
_ABOUT_THE_CALLER: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class UnknownKey(OutboxError):
    """No request with this key is here, or none in the state that was asked for."""


class NotAnswered(OutboxError):
    """The request waits, or is in doubt."""


class WrongCaller(OutboxError):
    """The client calls for another account, or under another name of API key, than the one that the file belongs to."""


class Outbox:
    """The queue in the file at `path`, made if there is none. Threads and processes may share it.

    Every method raises OutboxError where the file cannot be used. `clock` is the device's, in seconds since 1970.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time) -> None:
        self._file = OutboxFile(Path(path))
        self._clock = clock
        self._known: weakref.ref[Holdfast] | None = None

    def add(self, call: AnyCall) -> str:
        """The call's key; the call is on the disk. The same call again, as after a crash, changes nothing.

        A hold without an external reference gets its key as that. Raises ValueError for a call that changes nothing.
        """
        if call.key is None:
            raise ValueError(f"{call.method} {call.target} changes nothing, so there is nothing to queue: send it")
        named = _with_natural_key(call)
        entry = self._file.add(named, self._clock())
        if msgspec.structs.replace(named, answer=None) != msgspec.structs.replace(entry.call, answer=None):
            raise OutboxError(
                f"the key {call.key!r} belongs to another request here: a new one needs its own", call.key
            )
        return call.key

    def send(self, client: Holdfast, *, wait: bool = True) -> list[str]:
        """Send what waits, in order, until nothing does. The keys of those that were answered now.

        While another thread or process sends from this file, it waits, or with `wait=False` raises OutboxBusy.
        Raises Unreached or a Problem where the sending had to stop (its `key` says at which request), and WrongCaller.
        """
        answered: list[str] = []
        with self._file.sending(wait=wait):
            self._file.note_clock(self._clock(), min(CLOCK_TOLERANCE_S, self.retention_s * (1 - OLD) / 2))
            while (entry := self._file.first_waiting()) is not None:
                try:
                    self._require_owner(client)
                    if self._send(client, entry):
                        answered.append(entry.key)
                except HoldfastError as error:
                    error.key = entry.key  # also where it came from a look-up, which has no key
                    raise
        return answered

    def waiting(self) -> list[Entry]:
        """What will be sent, in order."""
        return self._file.entries("waiting")

    def in_doubt(self) -> list[Entry]:
        """What will not, until the app decides."""
        return self._file.entries("in_doubt")

    def entries(self) -> list[Entry]:
        """All that is here, answered or not, in the order in which it was added."""
        return self._file.entries("waiting", "in_doubt", "answered")

    def __iter__(self) -> Iterator[Entry]:
        """The same as `waiting`."""
        return iter(self.waiting())

    def reply(self, key: str) -> Reply | None:
        """The answer as it came; None as long as there is none. Raises UnknownKey."""
        return self._entry(key).reply

    def answer(self, key: str, kind: type[T]) -> T:
        """What was answered. Raises the Problem that it was, NotAnswered, UnknownKey."""
        entry = self._entry(key)
        if entry.reply is None:
            doing = "waits to be sent" if entry.state == "waiting" else "is in doubt: send_anyway or drop it"
            raise NotAnswered(f"the request {key!r} has no answer yet, it {doing}", key)
        call: Call[T] = msgspec.structs.replace(entry.call, answer=kind)
        return read_answer(call, entry.reply)

    def send_anyway(self, key: str) -> None:
        """Let one that is in doubt wait for the next `send`, in its old place. Raises UnknownKey."""
        if not self._file.take_back(key):
            raise UnknownKey(f"no request {key!r} is in doubt", key)

    def drop(self, key: str) -> None:
        """Give up one that has no answer; what it has done, if it was ever sent, stays done. Raises UnknownKey."""
        if not self._file.delete(key, "waiting", "in_doubt"):
            raise UnknownKey(f"no request {key!r} is without an answer", key)

    def forget(self, key: str) -> None:
        """Remove an answered one. Raises UnknownKey: what has no answer is dropped, not forgotten."""
        if not self._file.delete(key, "answered"):
            raise UnknownKey(f"no request {key!r} is answered", key)

    def forget_answered(self, older_than_s: float) -> int:
        """Remove those that were answered longer ago than that; how many."""
        return self._file.delete_answered(self._clock() - older_than_s)

    @property
    def retention_s(self) -> float:
        """How long the service keeps a key, as far as it has said: the least of what it said."""
        return float(self._file.fact("retention_s") or RETENTION_S)

    def _entry(self, key: str) -> Entry:
        entry = self._file.find(key)
        if entry is None:
            raise UnknownKey(f"no request {key!r} is here", key)
        return entry

    def _require_owner(self, client: Holdfast) -> None:
        """Asks once for each client: its API key stays."""
        if self._known is not None and self._known() is client:
            return
        me = client.me()
        caller = f"{me.account}, API key {me.key_name}"
        owner = self._file.keep_first("owner", caller)
        if owner != caller:
            raise WrongCaller(f"this outbox belongs to account {owner}; this client calls for account {caller}")
        self._known = weakref.ref(client)

    def _send(self, client: Holdfast, entry: Entry) -> bool:
        """Whether it is answered. Raises what stops the sending."""
        call = entry.call
        is_old = self._is_old(entry)
        if is_old and not _is_safe_when_old(call):
            self._file.set_aside(entry.number)
            return False
        if is_old and call.natural_key is not None and (found := _look_up(client, call.natural_key)) is not None:
            self._file.keep_answer(entry.number, found, self._clock(), looked_up=True)
            return True
        self._file.mark_sent(entry.number, self._clock())
        reply = _final(client.exchange(call), call)
        self._learn_retention(reply)
        # Nobody else has a key for an external reference: then the reservation is this very request's, always.
        own = _reservation_of_it(client, reply, call) if is_old or call.natural_key == call.key else None
        self._file.keep_answer(entry.number, own or reply, self._clock(), looked_up=own is not None)
        return True

    def _is_old(self, entry: Entry) -> bool:
        """Whether the service may have forgotten the key. By a clock that has gone back nothing is young."""
        if entry.first_sent_at is None:
            return False
        return not 0 <= self._clock() - entry.first_sent_at < OLD * self.retention_s

    def _learn_retention(self, reply: Reply) -> None:
        # A replay's key has a part of its time behind it already.
        if reply.replayed is False and (kept_s := _kept_s(reply)) is not None:
            self._file.keep_least("retention_s", kept_s)


def _with_natural_key(call: AnyCall) -> AnyCall:
    if call.natural_key is not None or call.route != RESERVATIONS or call.body is None:
        return call
    body = msgspec.json.decode(call.body) | {"external_reference": call.key}
    return msgspec.structs.replace(call, body=msgspec.json.encode(body), natural_key=call.key)


def _is_safe_when_old(call: AnyCall) -> bool:
    return call.natural_key is not None or call.if_match is not None or call.route in _SAFE_ROUTES


def _look_up(client: Holdfast, external_reference: str) -> Reply | None:
    """The reservation of that name, as it is now."""
    found = next(client.reservations(external_reference=external_reference), None)
    return None if found is None else _read(client, found.reference)


def _reservation_of_it(client: Holdfast, reply: Reply, call: AnyCall) -> Reply | None:
    """The reservation that the request had made long before, where the reply refuses it for that."""
    problem = problem_of(reply, call.key) if reply.is_error else None
    return _read(client, problem.reference) if isinstance(problem, ExternalReferenceExists) else None


def _read(client: Holdfast, reference: str) -> Reply:
    call = calls.reservation(reference)
    reply = client.exchange(call)
    read_answer(call, reply)
    return reply


def _final(reply: Reply, call: AnyCall) -> Reply:
    """The reply, if it is the service's own last word on the request. Raises Problem."""
    if not reply.is_error:
        # Of every success with a key the service says whether it is a replay; a login page on the way does not.
        if reply.replayed is None or not _is_json(reply.body):
            raise unreadable(reply, call.key, f"{call.method} {call.target}")
        return reply
    problem: Problem = problem_of(reply, call.key)
    if is_tried_again(reply) or reply.status in _ABOUT_THE_CALLER or not reply.is_of_the_service:
        raise problem
    return reply


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except NO_JSON:
        return False
    return True


def _kept_s(reply: Reply) -> float | None:
    """How long the service keeps the key, by its own clock alone."""
    try:
        expires = datetime.fromisoformat(reply.headers["idempotency-expires"])
        return (expires - parsedate_to_datetime(reply.headers["date"])).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None
