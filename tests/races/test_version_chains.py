"""Forty callers of several processes write down what they are told, and when; the history of each row bears them out.

Versions of each reservation and stock item are one chain, nobody sees a row go back, and whoever was told a version was
told what the message of that version tells everybody.
"""

from collections.abc import Sequence
from random import Random
from threading import Lock
from typing import Any

import httpx

from loadtests.version_chain import Change, Offence, RealTimeOrder, Row, Told, check_chains
from service.database.store import Store
from tests.accounts import Account, on_store
from tests.api.reading import messages
from tests.background import Background
from tests.make import act, hold, new_idempotency_key, put_event, put_stock, wait_until

CALLERS = 40
ENOUGH = 2000
KNOWN = 30
SEATS = [f"101-A-{number}" for number in range(1, 13)]

SELECT_CHANGES = """
SELECT COALESCE(r.reference, i.sku), m.version, m.from_state, m.to_state, m.action, m.batch_id
FROM messages m LEFT JOIN reservations r ON r.id = m.subject_id LEFT JOIN stock_items i ON i.id = m.subject_id
WHERE m.account_id = ?"""
SELECT_ROWS = """
SELECT reference, version, state FROM reservations WHERE account_id = ?
UNION ALL SELECT sku, definition_version, NULL FROM stock_items WHERE account_id = ?"""


class Witnesses(Background):
    """Callers that hold, act on each other's reservations, count stock and look; `told` is what they were told."""

    def __init__(self, callers: Sequence[Account]) -> None:
        super().__init__(CALLERS)
        self.told: list[tuple[Told, dict[str, Any]]] = []
        self.stale: list[Offence] = []
        self._callers = callers
        self._chances = [Random(number) for number in range(CALLERS)]
        self._references: list[str] = []
        self._order = RealTimeOrder()
        self._asked = 0
        self._lock = Lock()

    def prepare(self) -> None:
        put_event(self._callers[0], seats=SEATS)
        put_stock(self._callers[0], "tea", on_hand=40)

    def once(self, number: int) -> None:
        caller, chance = self._callers[number % len(self._callers)], self._chances[number]
        kind = chance.random()
        with self._lock:
            reference = chance.choice(self._references[-KNOWN:]) if self._references else None
        if reference is None or kind < 0.25:
            self._hear(None, lambda: self._hold(caller, chance))
        elif kind < 0.55:
            verb = chance.choice(["confirm", "extend", "release", "cancel", "extend"])
            body = {"hold_seconds": chance.randint(60, 600)} if verb == "extend" else None
            self._hear(reference, lambda: act(caller, reference, verb, body))
        elif kind < 0.85:
            self._hear(reference, lambda: caller.http.get(f"/v1/reservations/{reference}"))
        elif kind < 0.93:
            self._hear("tea", lambda: caller.http.get("/v1/stock/tea"))
        else:
            self._hear("tea", lambda: self._adjust(caller, chance))

    def _hold(self, caller: Account, chance: Random) -> httpx.Response:
        lines: list[dict[str, Any]] = [{"sku": "tea", "quantity": 1}]
        if chance.random() < 0.5:
            lines.append({"event": "final", "seats": [chance.choice(SEATS)]})
        return hold(caller, lines, hold_seconds=chance.choice([1, 1, 60]), wait=chance.random() < 0.3)

    def _adjust(self, caller: Account, chance: Random) -> httpx.Response:
        name = new_idempotency_key()
        body = {"reference": name, "delta": chance.choice([-1, 1])}
        return caller.http.post("/v1/stock/tea/adjustments", json=body, headers={"Idempotency-Key": name})

    def _hear(self, subject: str | None, call: Any) -> None:
        """Asked is written down before the first byte is sent, told after the last has come."""
        with self._lock:
            self._asked += 1
            operation = str(self._asked)
            self._order.ask(operation, None if subject is None else subject.replace("-", ""))
        response = call()
        body = response.json()
        assert response.status_code in {200, 201, 202, 409, 410}, response.text
        name = body.get("sku") or body.get("reference") or subject
        if name is None or body.get("version") is None:
            return
        seen = Told(name.replace("-", ""), body["version"], body.get("state") if name != "tea" else None)
        with self._lock:
            if response.status_code in {201, 202}:
                self._references.append(name)
            offence = self._order.tell(operation, seen.subject, seen.version)
            self.stale += [] if offence is None else [offence]
            self.told.append((seen, body))


def of_the_database(account: Account) -> tuple[list[Change], list[Row]]:
    """History and rows, ascending."""

    async def read(store: Store) -> tuple[Sequence[Any], Sequence[Any]]:
        async with store.snapshot() as reader:
            changes = await reader.rows(SELECT_CHANGES, (account.id,))
            return changes, await reader.rows(SELECT_ROWS, (account.id, account.id))

    changes, rows = on_store(account.database_url, read)
    return (
        sorted(Change(*map(_text, row[:5]), batch=bytes(row[5])) for row in changes),
        sorted(Row(*map(_text, row)) for row in rows),
    )


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def lasting(view: dict[str, Any]) -> dict[str, Any]:
    """All that does not count down while it is looked at."""
    return {name: value for name, value in view.items() if name != "hold_remaining_s"}


def test_history_is_one_chain_a_row_and_bears_out_what_every_client_was_told(callers: list[Account]) -> None:
    with Witnesses(callers) as witnesses:
        wait_until(lambda: len(witnesses.told) >= ENOUGH or bool(witnesses.failures), timeout=120)
    assert not witnesses.stale
    changes, rows = of_the_database(callers[0])
    told = sorted((seen for seen, _ in witnesses.told), key=lambda seen: (seen.subject, seen.version))
    assert list(check_chains(changes, rows, told)) == []
    assert {change.action for change in changes} == {
        "create", "hold", "extend", "confirm", "release", "expire", "cancel", "adjust"
    }  # fmt: skip
    published = {
        (message["reference"].replace("-", ""), message["version"]): lasting(message["reservation"])
        for message in messages(callers[0])
        if "reservation" in message
    }
    for seen, body in witnesses.told:
        if "lines" in body:
            assert lasting(body) == published[seen.subject, seen.version]
