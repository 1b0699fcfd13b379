"""Messages: one for every change of state, in an order that a reader can follow to the end and miss none."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from threading import Event
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tests.accounts import Account
from tests.api.contract import RFC3339_MILLISECONDS, items, refused, refused_as_invalid
from tests.api.reading import done, expired, held, let_the_worker_come_by, messages, pending, read
from tests.make import act, hold, new_idempotency_key, put_event, put_stock, wait_until
from tests.running import RunningService

Json = dict[str, Any]
SEAT = [{"event": "final", "seats": ["101-A-1"]}]
ONE = [{"sku": "NW-001", "quantity": 1}]
PATH = "/v1/messages"


def of(account: Account, reference: str) -> list[tuple[str, int]]:
    """Type and version of each message of the reservation, in the order in which they are listed."""
    return [(one["type"], one["version"]) for one in messages(account) if one.get("reference") == reference]


def read_on(account: Account, after: str | None, limit: int = 100) -> tuple[list[Json], str | None]:
    """Messages from there to the end, page by page, and where to go on."""
    found: list[Json] = []
    while True:
        query: dict[str, str | int] = {"limit": limit} if after is None else {"limit": limit, "after": after}
        page = items(account.http.get(PATH, params=query))
        if not page["messages"]:
            return found, page["next_after"] or after
        assert len(page["messages"]) <= limit
        assert page["next_after"] not in {None, after}, "the reader would not come any further"
        found.extend(page["messages"])
        after = page["next_after"]


def references(found: list[Json]) -> list[str]:
    """The reservations that messages are about, in their order; those about stock left out."""
    return [message["reference"] for message in found if message["type"].startswith("reservation.")]


def created(account: Account) -> str:
    return str(held(account, SEAT)["reference"])


def extended(account: Account) -> str:
    reference = created(account)
    done(account, reference, "extend", {"hold_seconds": 1200})
    return reference


def confirmed(account: Account) -> str:
    reference = created(account)
    done(account, reference, "confirm")
    return reference


def released(account: Account) -> str:
    reference = created(account)
    done(account, reference, "release")
    return reference


def line_released(account: Account) -> str:
    reference = str(held(account, [{"event": "final", "seats": ["101-A-1", "101-A-2", "101-A-3"]}])["reference"])
    done(account, reference, "release", {"lines": [1, 3]})
    return reference


def released_line_by_line(account: Account) -> str:
    reference = str(held(account, [{"event": "final", "seats": ["101-A-1", "101-A-2"]}])["reference"])
    done(account, reference, "release", {"lines": [2]})
    done(account, reference, "release", {"lines": [1]})
    return reference


def cancelled(account: Account) -> str:
    reference = confirmed(account)
    done(account, reference, "cancel")
    return reference


def lapsed(account: Account) -> str:
    reference = str(held(account, SEAT, hold_seconds=1)["reference"])
    expired(account, reference)
    return reference


def confirmed_late(account: Account) -> str:
    reference = lapsed(account)
    done(account, reference, "confirm", {"late": "if_available"})
    return reference


def promoted(account: Account) -> str:
    first = created(account)
    reference = str(pending(account, SEAT)["reference"])
    done(account, first, "release")
    wait_until(lambda: read(account, reference)["state"] == "held")
    return reference


def given_up_waiting(account: Account) -> str:
    created(account)
    reference = str(pending(account, SEAT)["reference"])
    done(account, reference, "release")
    return reference


def waited_too_long(account: Account) -> str:
    created(account)
    reference = str(pending(account, SEAT, wait_seconds=1)["reference"])
    expired(account, reference)
    return reference


LIVES: dict[Callable[[Account], str], list[str]] = {
    created: ["held"],
    extended: ["held", "extended"],
    confirmed: ["held", "confirmed"],
    released: ["held", "released"],
    line_released: ["held", "line_released"],
    released_line_by_line: ["held", "line_released", "released"],
    cancelled: ["held", "confirmed", "cancelled"],
    lapsed: ["held", "expired"],
    confirmed_late: ["held", "expired", "confirmed"],
    promoted: ["pending", "held"],
    given_up_waiting: ["pending", "released"],
    waited_too_long: ["pending", "expired"],
}


@pytest.mark.parametrize(("live", "types"), LIVES.items(), ids=[live.__name__ for live in LIVES])
def test_every_change_of_state_has_one_message(
    account: Account, live: Callable[[Account], str], types: list[str]
) -> None:
    put_event(account)
    reference = live(account)
    expected = [(f"reservation.{name}", version) for version, name in enumerate(types, start=1)]
    assert of(account, reference) == expected
    changes = items(account.http.get(f"/v1/reservations/{reference}/history"))["history"]
    assert sorted(change["version"] for change in changes) == [version for _, version in expected]


def test_some_lines_of_a_confirmed_reservation_given_back_have_one_message(account: Account) -> None:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-A-1", "101-A-2"]}])["reference"]
    done(account, reference, "confirm")
    done(account, reference, "cancel", {"lines": [1]})
    assert [version for _, version in of(account, reference)] == [1, 2, 3]


def test_message_carries_the_reservation_as_it_was_then(account: Account) -> None:
    put_event(account)
    first = held(account, SEAT, customer="c-77", external_reference="order-1", metadata={"channel": "app"})
    second = done(account, first["reference"], "confirm")
    for message, then in zip(messages(account), (first, second), strict=True):
        assert RFC3339_MILLISECONDS.fullmatch(message["at"])
        assert (message["reference"], message["version"]) == (then["reference"], then["version"])
        now, told = dict(then), dict(message["reservation"])
        now.pop("hold_remaining_s")
        told.pop("hold_remaining_s", None)
        assert told == now


def test_what_changes_nothing_has_no_message(account: Account) -> None:
    put_event(account)
    reference = hold(account, SEAT, key="k-1").json()["reference"]
    done(account, reference, "confirm")
    assert act(account, reference, "cancel", key="k-2").status_code == 200
    before = messages(account)
    assert hold(account, SEAT, key="k-1").headers["Idempotent-Replayed"] == "true"
    assert act(account, reference, "cancel", key="k-2").headers["Idempotent-Replayed"] == "true"
    assert act(account, reference, "cancel").status_code == 200
    assert act(account, reference, "confirm").status_code == 409
    assert act(account, reference, "extend").is_error
    assert hold(account, [{"event": "final", "seats": ["101-Z-1"]}]).status_code == 404
    let_the_worker_come_by(account)
    after = messages(account)
    assert after[: len(before)] == before
    assert {message.get("reference") for message in after[len(before) :]}.isdisjoint({reference})


def test_stock_adjustment_has_one_message(account: Account) -> None:
    put_stock(account)
    before = len(messages(account))
    for _ in range(2):
        body = {"reference": "delivery-77", "delta": -3, "reason": "damaged"}
        headers = {"Idempotency-Key": new_idempotency_key()}
        items(account.http.post("/v1/stock/NW-001/adjustments", json=body, headers=headers))
    (message,) = messages(account)[before:]
    assert message["type"] == "stock.adjusted"
    assert RFC3339_MILLISECONDS.fullmatch(message["at"])


def test_messages_come_oldest_first(account: Account) -> None:
    put_stock(account)
    made = [held(account, ONE)["reference"] for _ in range(6)]
    assert references(messages(account)) == made


@pytest.mark.parametrize("limit", [1, 2, 5, 500])
def test_reader_that_continues_sees_every_message_once(account: Account, limit: int) -> None:
    put_stock(account)
    made = [held(account, ONE)["reference"] for _ in range(5)]
    found, _ = read_on(account, None, limit)
    assert references(found) == made
    assert len({message["id"] for message in found}) == len(found)


def test_reader_at_the_end_continues_with_what_comes_next(account: Account) -> None:
    put_stock(account)
    held(account, ONE)
    _, end = read_on(account, None)
    assert end is not None
    assert read_on(account, end) == ([], end)
    later = [held(account, ONE)["reference"] for _ in range(3)]
    found, _ = read_on(account, end)
    assert references(found) == later


def test_message_keeps_its_id_and_place(account: Account) -> None:
    put_stock(account)
    for _ in range(3):
        held(account, ONE)
    first, _ = read_on(account, None, 2)
    held(account, ONE)
    again, _ = read_on(account, None)
    assert again[: len(first)] == first


def test_messages_need_the_scope_of_reading_reservations(account: Account) -> None:
    scopes = ["reservations:write", "inventory:read", "inventory:write", "ops"]
    with account.client(account.new_key(name="writer", scopes=scopes)) as writer:
        assert refused(writer.get(PATH), "forbidden")["scope"] == "reservations:read"


@pytest.mark.parametrize("after", ["", "next", "' OR '1'='1", "\0", "決勝", "9" * 100])
def test_position_that_is_not_one_of_ours_is_invalid(account: Account, after: str) -> None:
    put_stock(account)
    held(account, ONE)
    refused_as_invalid(account.http.get(PATH, params={"after": after}), "after")


def sell(account: Account, event: str) -> list[tuple[str, int]]:
    """Changes of twenty reservations, each over an event and the one stock item that all sellers share."""
    changes = []
    for number in range(1, 21):
        seat = {"event": event, "seats": [f"101-{'AB'[number // 11]}-{(number - 1) % 10 + 1}"]}
        lines = [seat, *ONE] if number % 2 else [*ONE, seat]
        reference = held(account, lines)["reference"]
        done(account, reference, "confirm" if number % 3 else "release")
        changes.extend([(reference, 1), (reference, 2)])
    return changes


def test_reader_beside_concurrent_writers_misses_none(account: Account) -> None:
    put_stock(account, on_hand=1000)
    events = ("one", "two", "three", "four")
    for event in events:
        put_event(account, event=event)
    seen: list[Json] = []
    position: str | None = None
    with ThreadPoolExecutor(len(events)) as threads:
        sellers = [threads.submit(sell, account, event) for event in events]
        while not all(seller.done() for seller in sellers):
            found, position = read_on(account, position, limit=7)
            seen.extend(found)
        made = [change for seller in sellers for change in seller.result()]
    found, _ = read_on(account, position, limit=7)
    seen.extend(found)
    seen = [message for message in seen if message["type"].startswith("reservation.")]
    read_changes = [(message["reference"], message["version"]) for message in seen]
    assert Counter(read_changes) == Counter(made), "missed or doubled"
    assert len({message["id"] for message in seen}) == len(made)
    for reference, _ in made:
        assert [version for name, version in read_changes if name == reference] == [1, 2], "told in the wrong order"


async def lock_stock_rows(connection: AsyncConnection) -> None:
    """Hold every row that counts stock, as a foreign transaction would, until the connection's transaction ends."""
    statement = text(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = DATABASE() "
        "AND column_name IN ('sku', 'on_hand') GROUP BY table_name HAVING COUNT(*) = 2"
    )
    names = [row[0] for row in await connection.execute(statement)]
    assert names, "no table counts stock"
    for name in names:
        await connection.execute(text(f"SELECT * FROM {name} FOR UPDATE"))


async def held_up(service: RunningService, locked: Event, release: Event) -> None:
    """Keep the commit of whoever moves stock waiting; SQLite has one writer, so nothing there commits late."""
    if service.store == "sqlite":
        locked.set()
        return
    engine = create_async_engine(service.database_url, isolation_level="READ COMMITTED")
    async with engine.begin() as connection:
        await lock_stock_rows(connection)
        locked.set()
        await asyncio.to_thread(release.wait, 10)
    await engine.dispose()


def test_transaction_that_commits_late_is_not_missed(account: Account, service: RunningService) -> None:
    """It begins before the others and ends after a reader has passed them."""
    put_stock(account)
    events = [f"event-{number}" for number in range(8)]
    for event in events:
        put_event(account, event=event, seats=["101-A-1"])
    locked, release = Event(), Event()
    with ThreadPoolExecutor(len(events) + 2) as threads:
        lock = threads.submit(lambda: asyncio.run(held_up(service, locked, release)))
        wait_until(lambda: locked.is_set() or lock.done())
        late: Future[Json] = threads.submit(held, account, ONE)
        early = [threads.submit(held, account, [{"event": event, "seats": ["101-A-1"]}]) for event in events]
        wait_for(early, timeout=2, return_when=FIRST_COMPLETED)
        seen, position = read_on(account, None)
        release.set()
        made = sorted(future.result()["reference"] for future in (late, *early))
        lock.result()
    seen.extend(read_on(account, position)[0])
    assert sorted(references(seen)) == made
