"""The real venue that the load runs on: as many events with all its seats as there are holds to make."""

import csv
import random
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.accounts import new_account
from tests.running import RunningService

PLAN = Path(__file__).parent.parent / "service" / "samples" / "stadium-seats.csv"
SEATS_PER_CALL = 5000


class Venue:
    """An account with its events; every seat is handed out once."""

    def __init__(self, api_key: str, seats: list[tuple[str, str]]) -> None:
        self.api_key = api_key
        self._all = seats
        self._left = list(seats)

    def take(self, count: int) -> list[tuple[str, str]]:
        """Events and labels of `count` seats that nobody was given before, in no order."""
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def examples(self, count: int) -> Iterator[tuple[str, str]]:
        """Seats of the same kind, for requests that hold nothing."""
        return iter(self._all[:count])


def load_venue(service: RunningService, seats_wanted: int) -> Venue:
    """A fresh account on `service` whose events have at least `seats_wanted` seats."""
    account = new_account(service.url, service.database_url)
    seats: list[tuple[str, str]] = []
    while len(seats) < seats_wanted:
        event = f"final-{len(seats)}"
        seats += [(event, label) for label in _put_event(account.http, event)]
    random.shuffle(seats)
    return Venue(account.key, seats)


def _put_event(http: httpx.Client, event: str) -> list[str]:
    with PLAN.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    prices = {row["category"]: (int(row["price_minor"]), row["currency"]) for row in rows}
    categories = [
        {"category": category, "name": category, "amount": amount, "currency": currency}
        for category, (amount, currency) in prices.items()
    ]
    body = {"name": "Final", "starts_at": "2027-06-05T19:00:00Z", "categories": categories}
    http.put(f"/v1/events/{event}", json=body).raise_for_status()
    for start in range(0, len(rows), SEATS_PER_CALL):
        part = rows[start : start + SEATS_PER_CALL]
        seats = [
            {"section": row["section"], "row": row["row"], "number": row["seat"], "category": row["category"]}
            for row in part
        ]
        http.put(f"/v1/events/{event}/seats", json={"seats": seats}).raise_for_status()
    return [f"{row['section']}-{row['row']}-{row['seat']}" for row in rows]
