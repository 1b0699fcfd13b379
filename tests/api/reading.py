"""What a client can see of its reservations, and steps that many of the API tests share.

Everything goes through HTTP with the account's own client. Nothing here looks into a database, and nothing waits
for longer than what it waits for takes.
"""

import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any, TypeVar

from tests.accounts import Account
from tests.make import act, hold, put_stock, wait_until

Answer = TypeVar("Answer")
Json = dict[str, Any]

_SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def at_once(calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Answers of calls that were all started at the same moment, each in its own thread, in the order given."""
    ready = Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        ready.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def held(account: Account, lines: list[Json], **body: object) -> Json:
    """The reservation of a hold that must succeed at once."""
    response = hold(account, lines, **body)
    assert response.status_code == 201, response.text
    return response.json()


def pending(account: Account, lines: list[Json], **body: object) -> Json:
    """The reservation of a hold that must have to wait."""
    response = hold(account, lines, wait=True, **body)
    assert response.status_code == 202, response.text
    return response.json()


def done(account: Account, reference: str, action: str, body: Json | None = None) -> Json:
    """The reservation after an action that must succeed."""
    response = act(account, reference, action, body)
    assert response.status_code == 200, response.text
    return response.json()


def read(account: Account, reference: str) -> Json:
    response = account.http.get(f"/v1/reservations/{reference}")
    assert response.status_code == 200, response.text
    return response.json()


def references(account: Account, **query: str | int) -> list[str]:
    """References of one page of the account's reservations."""
    response = account.http.get("/v1/reservations", params=query)
    assert response.status_code == 200, response.text
    return [reservation["reference"] for reservation in response.json()["reservations"]]


def history(account: Account, reference: str) -> list[Json]:
    """Every change of the reservation, oldest first."""
    response = account.http.get(f"/v1/reservations/{reference}/history")
    assert response.status_code == 200, response.text
    return sorted(response.json()["history"], key=lambda change: change["version"])


def messages(account: Account) -> list[Json]:
    """Every message of the account, read to the end; each once, whatever was delivered twice."""
    seen: dict[str, Json] = {}
    query: dict[str, str | int] = {"limit": 500}
    while True:
        response = account.http.get("/v1/messages", params=query)
        assert response.status_code == 200, response.text
        page = response.json()
        if not page["messages"]:
            return list(seen.values())
        seen.update((message["id"], message) for message in page["messages"])
        query["after"] = page["next_after"]


def message_types(account: Account, reference: str, count: int) -> list[str]:
    """Types of the reservation's messages by version, once there are at least so many."""

    def of_the_reservation() -> list[Json]:
        return [message for message in messages(account) if message["reference"] == reference]

    wait_until(lambda: len(of_the_reservation()) >= count)
    return [message["type"] for message in sorted(of_the_reservation(), key=lambda message: message["version"])]


def seat_states(account: Account, event: str = "final") -> dict[str, str]:
    """State of each seat of a small event, by label."""
    response = account.http.get(f"/v1/events/{event}/seats", params={"limit": 500})
    assert response.status_code == 200, response.text
    return {seat["seat"]: seat["state"] for seat in response.json()["seats"]}


def stock_counts(account: Account, sku: str = "NW-001") -> tuple[int, int, int]:
    """Held, confirmed and available of a stock item at its default location."""
    response = account.http.get(f"/v1/stock/{sku}")
    assert response.status_code == 200, response.text
    item = response.json()
    assert item["available"] == item["on_hand"] - item["held"] - item["confirmed"], item
    return item["held"], item["confirmed"], item["available"]


def seats(reservation: Json) -> list[str]:
    """Labels of the reservation's seats, in the order of its lines."""
    return [line["seat"] for line in reservation["lines"] if "seat" in line]


def sorted_totals(reservation: Json) -> list[tuple[str, int]]:
    return sorted((total["currency"], total["amount"]) for total in reservation["totals"])


def moment(text: str) -> datetime:
    """An instant as the contract writes it: UTC, RFC 3339 with milliseconds and `Z`."""
    assert text.endswith("Z"), f"not UTC: {text}"
    assert len(text) == len("2027-06-01T10:10:00.000Z"), f"not with milliseconds: {text}"
    return datetime.fromisoformat(text)


def seconds_since(instant: str) -> float:
    """By this host's clock, which is also that of the tests' databases."""
    return (datetime.now(UTC) - moment(instant)).total_seconds()


def seconds_between(earlier: str, later: str) -> float:
    return (moment(later) - moment(earlier)).total_seconds()


def expired(account: Account, reference: str) -> Json:
    """The reservation as soon as the clock has ended it."""
    wait_until(lambda: read(account, reference)["state"] == "expired")
    return read(account, reference)


def becomes_held(account: Account, reference: str) -> Json:
    """The waiting reservation as soon as it has been served."""
    wait_until(lambda: read(account, reference)["state"] == "held")
    return read(account, reference)


def let_the_worker_come_by(account: Account) -> None:
    """Return when a hold of one second made now has been swept: the worker has had its time for everything else."""
    sku = f"clock-{secrets.token_hex(4)}"
    put_stock(account, sku=sku, on_hand=1)
    expired(account, held(account, [{"sku": sku, "quantity": 1}], hold_seconds=1)["reference"])


def unused_reference() -> str:
    """A reference with a right check symbol that no reservation has."""
    while True:
        symbols = [secrets.choice(_SYMBOLS) for _ in range(9)]
        value = 0
        for symbol in symbols:
            value = value * 32 + _SYMBOLS.index(symbol)
        if value % 37 < 32:
            text = "".join(symbols) + _SYMBOLS[value % 37]
            return f"{text[:5]}-{text[5:]}"
