"""What the load runs on: an account with events of the real venue, as many as there are holds to make."""

import csv
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.accounts import new_account
from tests.running import RunningService

PLAN = Path(__file__).parent.parent / "service" / "samples" / "stadium-seats.csv"
SEATS_PER_CALL = 5000
HOLD_SECONDS = 7200
"""No hold of the run is over before the run is."""

Seat = tuple[str, str]
Json = dict[str, Any]


class Venue:
    """An account with its events. Every seat is handed out once; another event is made when they run short."""

    def __init__(self, service: RunningService) -> None:
        self.account = new_account(service.url, service.database_url)
        self.api_key = self.account.key
        self._events = 0
        self._left: list[Seat] = []
        self._examples: list[Seat] = []

    def take(self, count: int) -> list[Seat]:
        """Events and labels of `count` seats that nobody holds, in no order."""
        self.prepare(count)
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def prepare(self, count: int) -> None:
        """Makes events until so many seats are left."""
        while len(self._left) < count:
            seats = self.new_stadium(f"final-{self._events}")
            self._events += 1
            random.shuffle(seats)
            self._examples = self._examples or seats
            self._left += seats

    def give_back(self, seats: Sequence[Seat]) -> None:
        """These are free again: their reservations were released."""
        self._left += seats

    def examples(self, count: int) -> list[Seat]:
        """Seats of the same kind, for requests that hold nothing."""
        self.prepare(1)
        return [self._examples[number % len(self._examples)] for number in range(count)]

    def new_stadium(self, event: str) -> list[Seat]:
        """An event with all seats of the real venue."""
        rows = _plan()
        prices = {row["category"]: (int(row["price_minor"]), row["currency"]) for row in rows}
        self._put_event(event, prices)
        seats = [
            {"section": row["section"], "row": row["row"], "number": row["seat"], "category": row["category"]}
            for row in rows
        ]
        return self._put_seats(event, seats)

    def new_event(self, event: str, seats_wanted: int) -> list[Seat]:
        """An event of so many seats, 500 in a section, 25 in a row."""
        self._put_event(event, {"1": (12500, "EUR")})
        seats = [
            {
                "section": f"{1 + number // 500}",
                "row": f"{1 + number % 500 // 25}",
                "number": f"{1 + number % 25}",
                "category": "1",
            }
            for number in range(seats_wanted)
        ]
        return self._put_seats(event, seats)

    def put_stock(self, sku: str, on_hand: int) -> None:
        body = {"description": "Chai", "on_hand": on_hand, "amount": 1800, "currency": "USD"}
        self.account.http.put(f"/v1/stock/{sku}", json=body).raise_for_status()

    def close(self) -> None:
        self.account.close()

    def _put_event(self, event: str, prices: dict[str, tuple[int, str]]) -> None:
        body = {
            "name": "Final",
            "starts_at": "2097-06-05T19:00:00Z",
            "hold_seconds": HOLD_SECONDS,
            "hold_seconds_max": HOLD_SECONDS,
            "categories": [
                {"category": category, "name": category, "amount": amount, "currency": currency}
                for category, (amount, currency) in prices.items()
            ],
        }
        self.account.http.put(f"/v1/events/{event}", json=body).raise_for_status()

    def _put_seats(self, event: str, seats: Sequence[Json]) -> list[Seat]:
        for start in range(0, len(seats), SEATS_PER_CALL):
            part = list(seats[start : start + SEATS_PER_CALL])
            self.account.http.put(f"/v1/events/{event}/seats", json={"seats": part}).raise_for_status()
        return [(event, f"{seat['section']}-{seat['row']}-{seat['number']}") for seat in seats]


@cache
def _plan() -> list[dict[str, str]]:
    with PLAN.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
