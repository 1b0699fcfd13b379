"""The model of `tests/unit/model.py` beside the real API: commands are sent, and each answer is what the model tells.

What the model cannot know it learns from the answer that made it: the reference of a new reservation. Everything else
is compared whole: status, body, `ETag`, `Location`, whether it was a replay; of a replay every byte.
"""

from typing import Any

import httpx

from service.reservations import commands as c
from tests.accounts import Account
from tests.api.contract import PROBLEMS
from tests.api.reading import unused_reference
from tests.make import new_idempotency_key, problem
from tests.unit.model import Answer, Model
from tests.unit.random_commands import in_words

Json = dict[str, Any]
VERBS = {
    c.ConfirmReservation: "confirm",
    c.ExtendReservation: "extend",
    c.ReleaseReservation: "release",
    c.CancelReservation: "cancel",
}
NOT_OF_THE_BODY = {"account_id", "actor", "request_id", "key", "reference", "if_match", "refund"}


class Modelled:
    """An account's venue as the model has it. `names` are the real references of the model's."""

    def __init__(self, model: Model, names: dict[str, str] | None = None) -> None:
        self.model = model
        self.names = {} if names is None else names

    def copied(self) -> "Modelled":
        return Modelled(self.model.copied(), dict(self.names))

    def judge(self, command: c.Command, response: httpx.Response) -> None:
        """Let the model decide, and AssertionError where it would have said something else."""
        key = command.key
        is_replay = key is not None and key.scope_hash in self.model.answers
        answer = self.model.decide(command)
        told = f"{response.status_code} {dict(response.headers)} {response.text}"
        shown = f"{in_words(command)}\nmodel: {answer}\nservice: {told}"
        if answer.told in PROBLEMS:
            self._judge_refusal(answer, response, shown)
        else:
            self._judge_success(command, answer, response, shown)
        if key is not None and (answer.told not in PROBLEMS or key.scope_hash in self.model.answers):
            expected = None if answer.told in {"idempotency-key-reused", "not-found"} else str(is_replay).lower()
            assert response.headers.get("Idempotent-Replayed") == expected, shown

    def _judge_refusal(self, answer: Answer, response: httpx.Response, shown: str) -> None:
        assert response.status_code == PROBLEMS[answer.told].status, shown
        told = problem(response)
        assert told["type"] == f"/problems/{answer.told}", shown
        facts = dict(answer.view)
        if "reference" in facts:
            facts["reference"] = self.names.get(facts["reference"], facts["reference"])
        assert {name: told.get(name) for name in facts} == facts, shown

    def _judge_success(self, command: c.Command, answer: Answer, response: httpx.Response, shown: str) -> None:
        body = response.json()
        created = isinstance(command, c.CreateReservation)
        if created:
            self.names.setdefault(answer.view["reference"], body.get("reference"))
        assert body == self.named(answer.view), shown
        status = {"held": 201, "pending": 202}[answer.told.split()[0]] if created else 200
        assert response.status_code == status, shown
        has_etag = isinstance(command, (c.CreateReservation, c.ReservationCommand, c.PutStock))
        assert response.headers.get("ETag") == (f'"{body["version"]}"' if has_etag else None), shown
        location = f"/v1/reservations/{body['reference']}" if created else None
        assert response.headers.get("Location") == location, shown

    def named(self, view: Any) -> Json:
        """The view with the real reference."""
        return {**view, "reference": self.names[view["reference"]]} if "reference" in view else dict(view)

    def seen(self) -> Json:
        """What the order of commands may have changed."""
        model = self.model
        bookings = [self.named(model.view(booking)) for booking in model.bookings]
        told: dict[str, list[Json]] = {}
        for change in model.messages:
            told.setdefault(self.names.get(change.subject, change.subject), []).append(self.named(change.view))
        stock = {sku: model.stock_view(sku) for sku in model.on_hand}
        return {"bookings": bookings, "seats": model.seat_states(), "stock": stock, "told": told}

    def request(self, command: c.Command) -> Json:
        """The command as a request: arguments of `httpx.Client.request`."""
        method, path, body = self._parts(command)
        headers = {}
        if command.key is not None:
            headers["Idempotency-Key"] = command.key.scope_hash.hex()
        elif isinstance(command, (c.CreateReservation, c.AdjustStock)):  # which need one
            headers["Idempotency-Key"] = new_idempotency_key()
        if getattr(command, "if_match", None) is not None:
            headers["If-Match"] = f'"{command.if_match}"'
        if command.reason is not None:
            body["reason"] = command.reason
        return {"method": method, "url": path, "json": body, "headers": headers}

    def _parts(self, command: c.Command) -> tuple[str, str, Json]:
        if isinstance(command, c.CreateReservation):
            facts = _given(command)
            return "POST", "/v1/reservations", {**facts, "lines": [_line(line) for line in command.lines]}
        if isinstance(command, c.ReservationCommand):
            reference = self.names.get(command.reference) or unused_reference()
            return "POST", f"/v1/reservations/{reference}/{VERBS[type(command)]}", _given(command)
        if isinstance(command, c.PutStock):
            names = ("description", "on_hand", "amount", "currency")
            return "PUT", f"/v1/stock/{command.sku}", {name: getattr(command, name) for name in names}
        if isinstance(command, c.AdjustStock):
            body = {"reference": command.reference, "delta": command.delta}
            return "POST", f"/v1/stock/{command.sku}/adjustments", body
        assert isinstance(command, c.BlockSeats)
        return "POST", f"/v1/events/final/{'blocks' if command.blocked else 'unblocks'}", {"seats": list(command.seats)}


def send(account: Account, request: Json) -> httpx.Response:
    return account.http.request(**request)


def _given(command: c.Command) -> Json:
    """Members of the body that are not their defaults."""
    usual = {"lines": (), "late": "never", "wait": False, "wait_seconds": 3600}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name in command.__struct_fields__
        if name not in NOT_OF_THE_BODY and name != "reason"
        if (value := getattr(command, name)) is not None and value != usual.get(name)
    }


def _line(line: c.RequestLine) -> Json:
    if isinstance(line, c.StockLine):
        return {"sku": line.sku, "quantity": line.quantity}
    if isinstance(line, c.SeatsLine):
        return {"event": line.event, "seats": list(line.seats)}
    narrowed = {"section": line.section, "category": line.category}
    wanted = {"quantity": line.quantity, "together": line.together}
    given = {name: value for name, value in narrowed.items() if value is not None}
    return {"event": line.event, "best_available": {**wanted, **given}}
