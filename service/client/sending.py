"""Holdfast and AsyncHoldfast: they send Calls, wait, send them again as `policy.py` says, and read the answers.

Each operation of `calls.py` is a method of both, with the same parameters. One of either serves any number of threads
or tasks at once. A cancelled task stops waiting; what was sent may still be carried out, and its key tells.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

import httpx
import msgspec

from service.client import calls, operators
from service.client.calls import AnyCall, Call, Listing
from service.client.deadline import bounded
from service.client.policy import Attempt, Outcome, Policy, Rest, Send, converse
from service.client.problems import problem_of, unreadable
from service.client.replies import NO_JSON, Reply

T = TypeVar("T")
Page = TypeVar("Page")
P = ParamSpec("P")

OnAttempt = Callable[[Attempt], None]
DEFAULT_POLICY: Final = Policy()
AGENT: Final = "holdfast-python"

_VISIBLE: Final = re.compile(r"[!-~]+")


def _headers(call: AnyCall) -> dict[str, str]:
    headers = {}
    if call.key is not None:
        headers["Idempotency-Key"] = call.key
    if call.if_match is not None:
        headers["If-Match"] = f'"{call.if_match}"'
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    return headers


def read_answer(call: Call[T], reply: Reply) -> T:
    """What the answer says. Raises Problem."""
    if reply.is_error:
        raise problem_of(reply, call.key)
    try:
        answer: T = msgspec.json.decode(reply.body, type=call.answer)
    except NO_JSON as error:
        raise unreadable(reply, call.key, f"{call.method} {call.target}") from error
    return answer


def _sent(make: Callable[P, Call[T]]) -> Callable[Concatenate["Holdfast", P], T]:
    @wraps(make)
    def send(client: "Holdfast", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client.send(make(*args, **kwargs))

    return send


def _listed(make: Callable[P, Listing[Page, T]]) -> Callable[Concatenate["Holdfast", P], Iterator[T]]:
    @wraps(make)
    def iterate(client: "Holdfast", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        listing = make(*args, **kwargs)
        for page in client.pages(listing):
            yield from listing.items(page)

    return iterate


def _sent_async(make: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncHoldfast", P], Coroutine[Any, Any, T]]:
    @wraps(make)
    async def send(client: "AsyncHoldfast", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client.send(make(*args, **kwargs))

    return send


def _listed_async(make: Callable[P, Listing[Page, T]]) -> Callable[Concatenate["AsyncHoldfast", P], AsyncIterator[T]]:
    @wraps(make)
    async def iterate(client: "AsyncHoldfast", /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        listing = make(*args, **kwargs)
        async for page in client.pages(listing):
            for item in listing.items(page):
                yield item

    return iterate


class Holdfast:
    """The service at `url`, called with the API key `api_key`. Close it, or use it as a context manager.

    Every operation raises Problem (the service said no; its facts are attributes) and Unreached (no answer in time).
    `on_attempt` is called after each attempt, for logs and metrics. `transport` is httpx's, for proxies and tests.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        policy: Policy = DEFAULT_POLICY,
        on_attempt: OnAttempt | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._policy = policy
        self._on_attempt = on_attempt
        self._http = httpx.Client(base_url=_checked(url), headers=_identity(api_key), transport=transport)
        self._deadline = bounded(self._http)

    def exchange(self, call: AnyCall) -> Reply:
        """The answer that stays, a refusal included. Raises Unreached."""
        conversation = converse(call, self._policy, self._on_attempt)
        outcome: Outcome = None
        while True:
            try:
                step = conversation.send(outcome)
            except StopIteration as end:
                reply: Reply = end.value
                return reply
            outcome = self._do(call, step)

    def _do(self, call: AnyCall, step: Send | Rest) -> Outcome:
        if isinstance(step, Rest):
            time.sleep(step.seconds)
            return None
        try:
            with self._deadline.within(step.timeout_s):
                response = self._http.request(
                    call.method, call.target, content=call.body, headers=_headers(call), timeout=step.timeout_s
                )
        except (httpx.RequestError, TimeoutError) as error:
            return error
        return Reply(response.status_code, dict(response.headers), response.content)

    def send(self, call: Call[T]) -> T:
        """What the service answers. Raises Problem, Unreached."""
        return read_answer(call, self.exchange(call))

    def pages(self, listing: Listing[Page, T]) -> Iterator[Page]:
        """One page after the other."""
        cursor: str | None = None
        while True:
            page = self.send(listing.at(cursor))
            yield page
            cursor = listing.next_cursor(page)
            if cursor is None:
                return

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    hold = _sent(calls.hold)
    confirm = _sent(calls.confirm)
    extend = _sent(calls.extend)
    release = _sent(calls.release)
    cancel = _sent(calls.cancel)
    reservation = _sent(calls.reservation)
    reservations = _listed(calls.reservations)
    history = _listed(calls.history)
    put_event = _sent(calls.put_event)
    event = _sent(calls.event)
    events = _listed(calls.events)
    put_seats = _sent(calls.put_seats)
    seat_map = _listed(calls.seat_map)
    availability = _sent(calls.availability)
    block_seats = _sent(calls.block_seats)
    unblock_seats = _sent(calls.unblock_seats)
    put_stock = _sent(calls.put_stock)
    adjust_stock = _sent(calls.adjust_stock)
    stock_item = _sent(calls.stock_item)
    stock_items = _listed(calls.stock_items)
    messages = _sent(calls.messages)
    status = _sent(calls.status)
    me = _sent(calls.me)
    release_seen = _sent(operators.release_seen)
    count_reservations = _sent(operators.count_reservations)
    timeline = _listed(operators.timeline)
    key_records = _sent(operators.key_records)
    hot_rows = _sent(operators.hot_rows)


class AsyncHoldfast:
    """The same with `await` and `async for`."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        policy: Policy = DEFAULT_POLICY,
        on_attempt: OnAttempt | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._policy = policy
        self._on_attempt = on_attempt
        self._http = httpx.AsyncClient(base_url=_checked(url), headers=_identity(api_key), transport=transport)

    async def exchange(self, call: AnyCall) -> Reply:
        """The answer that stays, a refusal included. Raises Unreached."""
        conversation = converse(call, self._policy, self._on_attempt)
        outcome: Outcome = None
        while True:
            try:
                step = conversation.send(outcome)
            except StopIteration as end:
                reply: Reply = end.value
                return reply
            outcome = await self._do(call, step)

    async def _do(self, call: AnyCall, step: Send | Rest) -> Outcome:
        if isinstance(step, Rest):
            await asyncio.sleep(step.seconds)
            return None
        try:
            async with asyncio.timeout(step.timeout_s):
                response = await self._http.request(
                    call.method, call.target, content=call.body, headers=_headers(call), timeout=step.timeout_s
                )
        except (httpx.RequestError, TimeoutError) as error:
            return error
        return Reply(response.status_code, dict(response.headers), response.content)

    async def send(self, call: Call[T]) -> T:
        """What the service answers. Raises Problem, Unreached."""
        return read_answer(call, await self.exchange(call))

    async def pages(self, listing: Listing[Page, T]) -> AsyncIterator[Page]:
        """One page after the other."""
        cursor: str | None = None
        while True:
            page = await self.send(listing.at(cursor))
            yield page
            cursor = listing.next_cursor(page)
            if cursor is None:
                return

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    hold = _sent_async(calls.hold)
    confirm = _sent_async(calls.confirm)
    extend = _sent_async(calls.extend)
    release = _sent_async(calls.release)
    cancel = _sent_async(calls.cancel)
    reservation = _sent_async(calls.reservation)
    reservations = _listed_async(calls.reservations)
    history = _listed_async(calls.history)
    put_event = _sent_async(calls.put_event)
    event = _sent_async(calls.event)
    events = _listed_async(calls.events)
    put_seats = _sent_async(calls.put_seats)
    seat_map = _listed_async(calls.seat_map)
    availability = _sent_async(calls.availability)
    block_seats = _sent_async(calls.block_seats)
    unblock_seats = _sent_async(calls.unblock_seats)
    put_stock = _sent_async(calls.put_stock)
    adjust_stock = _sent_async(calls.adjust_stock)
    stock_item = _sent_async(calls.stock_item)
    stock_items = _listed_async(calls.stock_items)
    messages = _sent_async(calls.messages)
    status = _sent_async(calls.status)
    me = _sent_async(calls.me)
    release_seen = _sent_async(operators.release_seen)
    count_reservations = _sent_async(operators.count_reservations)
    timeline = _listed_async(operators.timeline)
    key_records = _sent_async(operators.key_records)
    hot_rows = _sent_async(operators.hot_rows)


def _checked(url: str) -> str:
    """Raises ValueError: what is no address would be tried again until the deadline."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is no URL: {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{url!r} is no URL of a service: it must be like https://tickets.example")
    return url


def _identity(api_key: str) -> dict[str, str]:
    if not _VISIBLE.fullmatch(api_key):
        raise ValueError("the API key must be visible ASCII characters, as in hf_…")
    return {"Authorization": f"Bearer {api_key}", "User-Agent": AGENT}
