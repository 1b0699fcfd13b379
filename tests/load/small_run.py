"""A small run with every kind of operation: its ledger, its database, and the means to doctor both."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec

from loadtests.insist import Insisting, Reply, Wish, act, create
from loadtests.ledger import Asked, Ledger, Told, read_ledger
from loadtests.verifier import Verdict, verify
from tests.accounts import Account, new_account
from tests.make import put_event, put_stock
from tests.polling import wait_until
from tests.process import make_directory, remove_directory
from tests.running import start_service, upgrade


class Run(NamedTuple):
    """A ledger and the database that belongs to it."""

    ledger: Path
    database: Path
    account_id: bytes
    account: str
    references: dict[str, str]

    @property
    def url(self) -> str:
        return f"sqlite+aiosqlite:///{self.database}"

    def verdict(self) -> Verdict:
        return verify([self.ledger], self.url, self.account_id)

    def plant(self, *statements: str) -> None:
        """Does something to the database that the service never does. `{held}` is a literal of that reference."""
        known = {name: f"x'{text.replace('-', '').encode().hex()}'" for name, text in self.references.items()}
        with sqlite3.connect(self.database) as database:
            for statement in statements:
                changed = database.execute(statement.format(**known, account=f"x'{self.account_id.hex()}'")).rowcount
                assert changed > 0, statement
        database.close()

    def rewrite(self, change: Callable[[Asked | Told], list[Asked | Told]]) -> None:
        """Every entry of the ledger becomes those that `change` gives for it."""
        entries = [new for entry in read_ledger(self.ledger) for new in change(entry)]
        self.ledger.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))


def must_not_wait(seconds: float) -> None:
    raise AssertionError(f"asked to come back in {seconds} s, and nobody else is there")


class Client:
    """Carries out operations by name and remembers the references that came of them."""

    def __init__(self, account: Account, ledger: Ledger) -> None:
        self._http = account.http
        self._client = Insisting(ledger, "one", sleep=must_not_wait)
        self.references: dict[str, str] = {}

    def send(self, wish: Wish) -> Reply | None:
        try:
            answer = self._http.request(wish.method, wish.path, content=wish.body, headers=wish.headers)
        except httpx.TransportError:
            return None
        return Reply(answer.status_code, answer.text, {name.lower(): text for name, text in answer.headers.items()})

    def hold(self, name: str, lines: list[dict[str, Any]], status: int = 201, **body: Any) -> None:
        wish = create(name, lines, **body)
        reply = self._client.ask_and_insist(wish, self.send)
        assert reply.status == status, reply
        if reply.is_success:
            self.references[name] = reply.json()["reference"]

    def act(self, name: str, action: str, status: int = 200, times: int = 1, **body: Any) -> None:
        wish = act(f"{action}-{name}", self.references[name], action, **body)
        self._client.ask(wish)
        for _ in range(times):
            assert self._client.insist(wish, self.send).status == status


def seats(*numbers: int) -> dict[str, Any]:
    return {"event": "final", "seats": [f"101-A-{number}" for number in numbers]}


def units(quantity: int) -> dict[str, Any]:
    return {"sku": "few", "quantity": quantity}


def everything_that_can_be_asked(client: Client, account: Account) -> None:
    put_event(account)
    put_stock(account, sku="few", on_hand=10)
    client.hold("held", [seats(1, 2), units(2)])
    client.hold("short", [seats(3)], hold_seconds=1)
    client.hold("late", [units(1)], hold_seconds=1)
    client.hold("confirmed", [{"event": "final", "best_available": {"quantity": 2, "section": "101"}}, units(1)])
    client.act("confirmed", "confirm", times=3)
    client.hold("part", [seats(6, 7)])
    client.act("part", "release", lines=[2])
    client.act("part", "extend", hold_seconds=900)
    client.act("part", "cancel", status=409)
    client.hold("released", [units(5)])
    client.act("released", "release")
    client.hold("cancelled", [seats(8)])
    client.act("cancelled", "confirm")
    client.act("cancelled", "cancel")
    client.hold("refused", [units(50)], status=409)
    client.hold("pending", [units(9)], status=202, wait=True)

    def has_ended(name: str) -> bool:
        shown = account.http.get(f"/v1/reservations/{client.references[name]}").json()
        return bool(shown["state"] == "expired")

    wait_until(lambda: has_ended("short") and has_ended("late"), 20, "two holds expired")
    client.act("short", "confirm", status=410)
    client.act("late", "confirm", late="if_available")


@contextmanager
def finished_run() -> Iterator[Run]:
    """It has ended, and its database is at rest."""
    directory = make_directory("verifier")
    database, path = directory / "holdfast.sqlite3", directory / "ledger.jsonl"
    url = f"sqlite+aiosqlite:///{database}"
    upgrade(url)
    with Ledger(path) as ledger, start_service(url, env={"HOLDFAST_SWEEP_INTERVAL_MS": "100"}) as service:
        account = new_account(service.url, url)
        client = Client(account, ledger)
        everything_that_can_be_asked(client, account)
        account.close()
    yield Run(path, database, account.id, account.name, client.references)
    remove_directory(directory)
