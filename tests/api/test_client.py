"""The Python client against the real service, with threads and with asyncio: every operation, and what is refused."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from service.client import AsyncHoldfast, Attempt, Holdfast, best_available, calls, new_key, seats, stock
from service.client import problems as p
from service.client.calls import Call
from service.inventory.bodies import Category, PutSeat
from service.inventory.wire import StockView
from service.refusals import UnavailableBest, UnavailableSeats, UnavailableStock
from tests.accounts import Account
from tests.api.reading import expired, message_types, unused_reference
from tests.clients import ONCE, async_client, client
from tests.make import SEATS, hold, put_event, put_stock

LOWER = Category("1", "Lower tier", 12500, "EUR")
STARTS_AT = "2097-06-05T19:00:00Z"


class Both:
    """One client of either kind, called in one way: a method's answer, or all that it lists."""

    def __init__(self, of: Holdfast | AsyncHoldfast) -> None:
        self.of = of

    async def __call__(self, operation: str, *args: Any, **options: Any) -> Any:
        answer = getattr(self.of, operation)(*args, **options)
        if isinstance(answer, AsyncIterator):
            return [item async for item in answer]
        if inspect.iscoroutine(answer):
            return await answer
        return list(answer) if isinstance(answer, Iterator) else answer


@pytest.fixture(params=["threads", "asyncio"])
async def call(account: Account, request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    if request.param == "threads":
        with client(account) as one:
            yield Both(one)
    else:
        async with async_client(account) as other:
            yield Both(other)


async def test_every_operation_does_its_work(account: Account, call: Both) -> None:
    me = await call("me")
    assert (me.account, me.key_name) == (account.name, "default")

    event = await call("put_event", "final", name="Final", starts_at=STARTS_AT, categories=[LOWER])
    assert (await call("event", "final")) == event == (await call("events"))[0]
    counts = await call("put_seats", "final", [PutSeat("101", "A", str(n), "1", 1.5, 2.5) for n in range(1, 5)])
    assert counts.created == 4
    assert (await call("block_seats", "final", "101-A-4", reason="camera")).seats == ["101-A-4"]
    assert (await call("availability", "final")).total.blocked == 1
    assert [seat.seat for seat in await call("seat_map", "final", state="blocked")] == ["101-A-4"]
    await call("unblock_seats", "final", "101-A-4")
    item = await call("put_stock", "NW-001", on_hand=10, amount=1800, currency="USD", description="Chai")
    assert (await call("adjust_stock", "NW-001", reference="delivery-77", delta=2)).on_hand == 12
    assert (await call("stock_item", "NW-001")).available == 12
    assert [each.sku for each in await call("stock_items")] == [item.sku]

    key = new_key()
    lines = [best_available("final", 2), stock("NW-001", 2)]
    names = {"customer": "c-77", "external_reference": "order-1", "metadata": {"a": 1}}
    made = await call("hold", *lines, **names, key=key)
    assert [line.quantity for line in made.lines] == [1, 1, 2]
    assert made.metadata == {"a": 1}
    told = await call("status", key)
    assert (told.state, told.status, told.location) == ("completed", 201, f"/v1/reservations/{made.reference}")
    assert (await call("status", new_key())).state == "unseen"
    assert (await call("hold", *lines, **names, key=key)) == made

    longer = await call("extend", made.reference, 1200)
    assert longer.version == 2
    assert (await call("release", made.reference, [3], if_match=2)).version == 3
    assert (await call("confirm", made.reference, reason="paid")).state == "confirmed"
    assert (await call("cancel", made.reference, refund="none")).state == "cancelled"
    after = await call("reservation", made.reference)
    assert after.state == "cancelled"
    assert (await call("reservations", external_reference="order-1")) == [after]
    actions = ["create", "extend", "release", "confirm", "cancel"]
    assert [change.action for change in await call("history", made.reference, page_size=2)] == actions
    assert len(message_types(account, made.reference, 5)) == 5
    page = await call("messages", limit=500)
    assert [message.reference for message in page.messages].count(made.reference) == 5
    assert (await call("messages", after=page.next_after)).messages == []


async def test_waiting_for_what_is_taken(account: Account, call: Both) -> None:
    put_stock(account, on_hand=1)
    first = await call("hold", stock("NW-001"))
    second = await call("hold", stock("NW-001"), wait=True, wait_seconds=60)
    assert (second.state, second.hold_expires_at) == ("pending", None)
    await call("release", first.reference)
    assert (await call("reservation", second.reference)).state in {"held", "pending"}


async def test_lists_are_read_page_by_page_in_order(account: Account, call: Both) -> None:
    put_event(account)
    put_stock(account, on_hand=100)
    references = [hold(account, [{"sku": "NW-001", "quantity": 1}]).json()["reference"] for _ in range(5)]
    found = await call("reservations", state="held", page_size=2)
    assert [each.reference for each in found] == references[::-1]
    assert sorted(seat.seat for seat in await call("seat_map", "final", page_size=7)) == sorted(SEATS)
    assert await call("reservations", customer="nobody") == []


def test_pages_are_asked_for_when_they_are_wanted(account: Account) -> None:
    put_event(account)
    asked: list[Attempt] = []
    with client(account, on_attempt=asked.append) as one:
        seats_of_it = one.seat_map("final", page_size=10)
        assert asked == []
        for _ in range(11):
            next(seats_of_it)
        assert len(asked) == 2


async def test_refusal_is_raised_with_its_facts(account: Account, call: Both) -> None:
    put_event(account)
    put_stock(account, on_hand=3)
    first = await call("hold", seats("final", "101-A-1"), stock("NW-001", 3), external_reference="order-1")
    wanted = [seats("final", "101-A-1"), stock("NW-001", 2), best_available("final", 20)]
    with pytest.raises(p.InventoryUnavailable) as unavailable:
        await call("hold", *wanted, key="second")
    assert unavailable.value.unavailable == [
        UnavailableSeats(1, "final", ["101-A-1"]),
        UnavailableStock(2, "NW-001", "default", 2, 0),
        UnavailableBest(3, "final", 20, 29),
    ]
    assert (unavailable.value.key, unavailable.value.retry_with) == ("second", "new_key")
    with pytest.raises(p.IdempotencyKeyReused) as reused:
        await call("hold", stock("NW-001"), key="second")
    assert reused.value.mismatch == ["body"]
    with pytest.raises(p.ExternalReferenceExists) as taken:
        await call("hold", stock("NW-001"), external_reference="order-1")
    assert taken.value.reference == first.reference
    with pytest.raises(p.VersionConflict) as version:
        await call("confirm", first.reference, if_match=7)
    assert version.value.version == 1
    await call("release", first.reference)
    with pytest.raises(p.StateConflict) as state:
        await call("confirm", first.reference)
    assert (state.value.state, state.value.action, state.value.version) == ("released", "confirm", 2)
    with pytest.raises(p.NotFound) as missing:
        await call("event", "none")
    assert (missing.value.kind, missing.value.name) == ("event", "none")
    with pytest.raises(p.NotFound):
        await call("reservation", unused_reference())
    await call("put_event", "final", name="Final", starts_at=STARTS_AT, categories=[LOWER], sales="closed")
    with pytest.raises(p.SalesClosed) as closed:
        await call("hold", seats("final", "101-A-1"))
    assert closed.value.event == "final"
    short = await call("hold", stock("NW-001"), hold_seconds=1)
    ended = expired(account, short.reference)
    with pytest.raises(p.HoldExpired) as late:
        await call("confirm", short.reference)
    assert late.value.expired_at <= ended["ended_at"]
    assert (await call("confirm", short.reference, late="if_available")).state == "confirmed"


BAD_CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], str]] = {
    "no lines": ("hold", (), {}, "$.lines"),
    "a seat twice": ("hold", (seats("final", "101-A-1", "101-A-1"),), {}, "$.lines[0].seats[1]"),
    "no quantity": ("hold", (stock("NW-001", 0),), {}, "$.lines[0].quantity"),
    "a bad name": ("event", ("a b",), {}, "/event"),
    "a bad reference": ("reservation", ("K7QX2-9PMDZ",), {}, "/reference"),
    "a long reason": ("confirm", ("K7QX2-9PMD8",), {"reason": "x" * 201}, "$.reason"),
    "a page too large": ("events", (), {"page_size": 501}, "?limit"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
async def test_bad_input_is_named_by_its_place(call: Both, name: str) -> None:
    operation, args, options, place = BAD_CALLS[name]
    with pytest.raises(p.InvalidRequest) as raised:
        await call(operation, *args, **options)
    assert place in [error.path for error in raised.value.errors]
    assert place in str(raised.value)


async def test_caller_without_a_key_or_a_scope_is_told(account: Account) -> None:
    with client(account, api_key="hf_0123456789_nobody") as nobody, pytest.raises(p.Unauthenticated) as raised:
        nobody.me()
    assert raised.value.instance == raised.value.reply.headers["x-request-id"]
    key = account.new_key("reader", ["reservations:read"])
    async with async_client(account, api_key=key) as reader:
        with pytest.raises(p.Forbidden) as forbidden:
            await reader.events().__anext__()
    assert forbidden.value.scope == "inventory:read"


async def test_hook_sees_every_attempt_and_its_key_names_the_operation(account: Account) -> None:
    put_stock(account)
    seen: list[Attempt] = []
    with client(account, on_attempt=seen.append) as one:
        one.hold(stock("NW-001"), key="order-1")
    async with async_client(account, on_attempt=seen.append) as other:
        await other.hold(stock("NW-001"), key="order-1")
    assert [(at.call.key, at.number, at.status, at.error, at.pause_s) for at in seen] == [
        ("order-1", 1, 201, None, None)
    ] * 2
    assert all(0 < at.seconds < 10 for at in seen)


async def test_answer_as_it_came_is_a_reply_and_a_refusal_is_not_raised(account: Account) -> None:
    put_stock(account, on_hand=1)
    wanted = calls.hold(stock("NW-001", 2))
    with client(account) as one:
        first, again = one.exchange(wanted), one.exchange(wanted)
    async with async_client(account) as other:
        third = await other.exchange(wanted)
    assert (first.status, first.replayed, again.replayed, third.replayed) == (409, False, True, True)
    assert first.body == again.body == third.body
    assert (first.problem() or {})["type"] == "/problems/inventory-unavailable"


async def test_one_client_serves_many_tasks_and_threads_at_once(account: Account) -> None:
    put_stock(account, on_hand=20)
    async with async_client(account) as other:
        made = await asyncio.gather(*(other.hold(stock("NW-001")) for _ in range(10)))
    with client(account) as one:
        made += await asyncio.gather(*(asyncio.to_thread(one.hold, stock("NW-001")) for _ in range(10)))
    assert len({each.reference for each in made}) == 20
    with client(account, policy=ONCE) as one:
        assert one.stock_item("NW-001").available == 0


async def test_cancelled_task_stops_waiting_and_its_key_tells(account: Account) -> None:
    put_stock(account)
    async with async_client(account) as other:
        task = asyncio.create_task(other.hold(stock("NW-001"), key="order-1"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        again = await other.hold(stock("NW-001"), key="order-1")
        assert [each.reference async for each in other.reservations()] == [again.reference]


def test_generic_calls_and_listings_are_sent_too(account: Account) -> None:
    put_stock(account)
    with client(account) as one:
        call: Call[StockView] = Call(method="GET", route="/v1/stock/{sku}", target="/v1/stock/NW-001", answer=StockView)
        assert one.send(call).sku == "NW-001"
        listing = calls.stock_items(page_size=1)
        assert [len(listing.items(page)) for page in one.pages(listing)] == [1]
