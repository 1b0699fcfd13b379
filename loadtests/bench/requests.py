"""The requests of the benchmark, under fresh keys unless they are repeated on purpose."""

import json
import random
from collections.abc import Iterable, Sequence

from loadtests.generator import Request

Seats = Sequence[tuple[str, str]]

SKU = "BENCH-1"
HOLDS = "/v1/reservations"
ECHO = "/bench/echo"


def hold_seats(seats: Seats, path: str = HOLDS) -> list[Request]:
    """A hold of each of these seats, one a request."""
    return [Request("POST", path, _body({"event": event, "seats": [seat]}), _key()) for event, seat in seats]


def hold_stock(count: int, sku: str = SKU) -> list[Request]:
    """Holds of one unit each, all of one stock item."""
    body = _body({"sku": sku, "quantity": 1})
    return [Request("POST", HOLDS, body, _key()) for _ in range(count)]


def echoes(seats: Seats) -> list[Request]:
    """What holds of these seats would send, to the no-op."""
    return hold_seats(seats, ECHO)


def act(references: Iterable[str], action: str) -> list[Request]:
    """An action on each of the reservations."""
    return [Request("POST", f"{HOLDS}/{reference}/{action}", "{}", _key()) for reference in references]


def look_up(references: Iterable[str]) -> list[Request]:
    """Each of the reservations."""
    return [Request("GET", f"{HOLDS}/{reference}") for reference in references]


def availability(event: str, count: int) -> list[Request]:
    """The free seats of one event, asked so many times."""
    return [Request("GET", f"/v1/events/{event}/availability")] * count


def _body(line: dict[str, object]) -> str:
    return json.dumps({"lines": [line], "customer": "c-77", "metadata": {"channel": "app"}})


def _key() -> str:
    return f"bench-{random.getrandbits(64):x}"
