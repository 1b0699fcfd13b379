"""The HTTP API against the model: random programs are sent to the real server and every answer is the model's.

Time stands still unless the program lets it pass, so that the model knows to the millisecond what is over; the worker
comes by when the program calls it. Requests are repeated under their keys, in a program's course and at the same
moment, and sent in pairs at the same moment: then one of the two orders must explain both answers. At the end
everything that can be read is read, and compared both ways.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import groupby
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from service.clock import now_ms
from service.reservations import commands as c
from tests.accounts import Account, new_account
from tests.api.contract import rows
from tests.api.modelled import Modelled, send
from tests.api.reading import at_once, messages
from tests.api.set_clock import SetClock
from tests.make import put_event, put_stock
from tests.process import make_directory
from tests.races.databases import audit_now
from tests.races.launched import launch_service, launch_worker
from tests.searching import search
from tests.unit.random_commands import (
    CATEGORIES,
    HOLD_SECONDS,
    HOLD_SECONDS_MAX,
    ON_HAND,
    ROWS,
    SEEDS,
    Chance,
    in_words,
    new_model,
)

LAUNCHER = "tests.api.set_clock"
EVENT = {"name": "Final", "starts_at": "2097-06-05T19:00:00Z"}


class Office(NamedTuple):
    """A server whose clock the test sets."""

    url: str
    database_url: str
    clock: SetClock


@pytest.fixture(scope="module")
def office(fresh_database: str) -> Iterator[Office]:
    path = make_directory("clock") / "clock"
    with ExitStack() as stack:
        clock = stack.enter_context(closing(SetClock(path)))
        clock.set(now_ms())
        # One lane: of holds that end at one moment the sweep ends one after the other, in a known order.
        env = {"HOLDFAST_TEST_CLOCK": str(path), "HOLDFAST_LANES": "1", "HOLDFAST_LOG_LEVEL": "warning"}
        service = stack.enter_context(launch_service(LAUNCHER, fresh_database, env))
        if service.store == "mysql":
            stack.enter_context(launch_worker(LAUNCHER, fresh_database, env))
        yield Office(service.url, fresh_database, clock)
        audit_now(fresh_database)


class Program:
    """A program under way: the account's requests and the model that follows them."""

    def __init__(self, office: Office, account: Account) -> None:
        self.clock = office.clock
        self.account = account
        self.modelled = Modelled(new_model(self.clock.now))
        self.chance = Chance(self.modelled.model, by_clients=True)
        self.first: dict[bytes, tuple[object, ...]] = {}
        categories = [{"category": name, "name": name, "amount": 100 * int(name), "currency": "EUR"} for name in "12"]
        self.event = {"hold_seconds": HOLD_SECONDS, "hold_seconds_max": HOLD_SECONDS_MAX, "categories": categories}
        seats = [
            {"section": "S", "row": row, "number": str(number), "category": CATEGORIES[row]}
            for row, count in ROWS.items()
            for number in range(1, count + 1)
        ]
        put_event(account, seats=seats, **self.event)
        for sku, on_hand in ON_HAND.items():
            put_stock(account, sku, on_hand, description=sku, amount=100, currency="EUR")

    @property
    def model(self) -> Any:
        return self.modelled.model

    def step(self, seed: int) -> None:
        self.chance.begin(seed)
        self.let_pass(self.chance.milliseconds())
        what = self.chance.random.random()
        if what < 0.1:
            note("  the worker comes by")
            self.clock.call_the_worker()
            self.model.let_the_worker_come_by()
        elif what < (0.13 if self.model.sales == "open" else 0.4):
            self.put_sales("closed" if self.model.sales == "open" else "open")
        if what > 0.75:
            self.at_the_same_moment(self.chance.command(), self.chance.command())
        elif what > 0.65:
            command = self.chance.command()
            self.at_the_same_moment(command, command)
        else:
            for command in self.chance.batch(3):
                self.one(command)

    def let_pass(self, milliseconds: int) -> None:
        self.model.now += milliseconds
        self.clock.set(self.model.now)
        note(f"after {milliseconds} ms:")

    def put_sales(self, sales: str) -> None:
        note(f"  sales are {sales}")
        self.model.sales = sales
        response = self.account.http.put("/v1/events/final", json={**EVENT, **self.event, "sales": sales})
        assert response.status_code == 200, response.text

    def one(self, command: c.Command) -> None:
        note(f"  {in_words(command)}")
        response = send(self.account, self.modelled.request(command))
        self.modelled.judge(command, response)
        self.remember(command, response)

    def at_the_same_moment(self, *commands: c.Command) -> None:
        note("  at the same moment: " + "\n    and ".join(map(in_words, commands)))
        requests = [self.modelled.request(command) for command in commands]
        responses = at_once([lambda request=request: send(self.account, request) for request in requests])
        told = list(zip(commands, responses, strict=True))
        explained, failures = [], []
        for order in (told, told[::-1]):
            candidate = self.modelled.copied()
            try:
                for command, response in order:
                    candidate.judge(command, response)
                explained.append(candidate)
            except AssertionError as failure:
                failures.append(failure)
        if not explained:
            raise ExceptionGroup("neither order explains the answers", failures)
        self.take_what_is_read(explained)
        for command, response in told:
            self.remember(command, response)

    def take_what_is_read(self, explained: list[Modelled]) -> None:
        """Where both orders explain the answers, what is read afterwards tells which it was."""
        if len(explained) == 1 or explained[0].seen() == explained[1].seen():
            fitting = explained
        else:
            page = self.get("/v1/reservations?limit=500").json()["reservations"]
            fitting = [one for one in explained if one.seen()["bookings"] == page[::-1]]
            assert fitting, f"neither order explains what is read: {page}"
        self.modelled, self.chance.model = fitting[0], fitting[0].model

    def remember(self, command: c.Command, response: httpx.Response) -> None:
        """The first answer under a key is every later one's, byte for byte."""
        if command.key is None or "Idempotent-Replayed" not in response.headers:
            return
        names = ("Content-Type", "ETag", "Location", "Idempotency-Expires")
        seen = (response.status_code, response.content, *(response.headers.get(name) for name in names))
        assert self.first.setdefault(command.key.scope_hash, seen) == seen

    def get(self, path: str) -> httpx.Response:
        response = self.account.http.get(path)
        assert response.status_code == 200, response.text
        return response

    def read_everything(self) -> None:
        self.read_reservations()
        self.read_inventory()
        self.read_history()

    def read_reservations(self) -> None:
        shown = [self.modelled.named(self.model.view(booking)) for booking in self.model.bookings]
        for view in shown:
            response = self.get(f"/v1/reservations/{view['reference']}")
            assert response.json() == view
            assert response.headers["ETag"] == f'"{view["version"]}"'
        assert list(rows(self.account.http, "/v1/reservations", "reservations", limit=5)) == shown[::-1]
        for state in {view["state"] for view in shown}:
            found = rows(self.account.http, "/v1/reservations", "reservations", state=state)
            assert list(found) == [view for view in shown[::-1] if view["state"] == state]

    def read_inventory(self) -> None:
        states = self.model.seat_states()
        listed = {seat["seat"]: seat["state"] for seat in self.get("/v1/events/final/seats").json()["seats"]}
        assert listed == states
        available = self.get("/v1/events/final/availability").json()
        counts = {name: list(states.values()).count(name) for name in ("available", "held", "confirmed", "blocked")}
        assert available["total"] == counts
        for section in available["sections"]:
            of_it = [state for seat, state in states.items() if self.model.category(seat) == section["category"]]
            assert {name: section[name] for name in counts} == {name: of_it.count(name) for name in counts}
        stock = {item["sku"]: item for item in self.get("/v1/stock").json()["stock"]}
        assert stock == {sku: self.model.stock_view(sku) for sku in ON_HAND}

    def read_history(self) -> None:
        """Of each subject its messages in their order, and the history, which says the same."""
        told: dict[str, list[Any]] = {}
        for message in messages(self.account):
            view = message.get("reservation") or message["stock"]
            told.setdefault(view.get("reference") or view["sku"], []).append((message["version"], view))
        for sku in ON_HAND:
            assert told[sku].pop(0)[0] == 1  # its making, before the program
        changes = sorted(self.model.messages, key=lambda change: (change.subject, change.version))
        by_subject = {subject: list(of_it) for subject, of_it in groupby(changes, key=lambda change: change.subject)}
        expected = {
            self.modelled.names.get(subject, subject): [(one.version, self.modelled.named(one.view)) for one in of_it]
            for subject, of_it in by_subject.items()
        }
        assert {subject: seen for subject, seen in told.items() if seen} == expected
        for subject, of_it in by_subject.items():
            if subject not in ON_HAND:
                self._read_history_of(self.modelled.names[subject], of_it)

    def _read_history_of(self, reference: str, changes: list[Any]) -> None:
        history = self.get(f"/v1/reservations/{reference}/history").json()["history"]
        assert [(row["version"], row["from"], row["to"], row["action"], row["reason"]) for row in history] == [
            (one.version, one.source, one.target, one.action, one.reason) for one in changes
        ]
        actors = ["worker" if one.actor == "worker" else "default" for one in changes]
        assert [row["actor"] for row in history] == actors, json.dumps(history)


@search(8, is_slow=True)
@given(seeds=st.lists(SEEDS, min_size=15, max_size=25))
def test_api_answers_and_keeps_what_the_model_says(office: Office, seeds: list[int]) -> None:
    with closing(new_account(office.url, office.database_url)) as account:
        program = Program(office, account)
        for seed in seeds:
            program.step(seed)
        program.read_everything()
