"""Examples of requests and answers for the API reference."""

from typing import Any, Final

CREATE: Final[dict[str, Any]] = {
    "lines": [
        {"event": "final", "seats": ["101-A-12", "101-A-13"]},
        {"event": "final", "best_available": {"quantity": 2, "section": "102", "category": "1", "together": True}},
        {"sku": "NW-001", "location": "default", "quantity": 2},
    ],
    "customer": "c-77",
    "external_reference": "order-9001",
    "hold_seconds": 600,
    "metadata": {"channel": "app"},
}


def _seat(number: int, seat: str) -> dict[str, Any]:
    return {"line": number, "event": "final", "seat": seat, "quantity": 1, "amount": 12500, "currency": "EUR"}


RESERVATION: Final[dict[str, Any]] = {
    "reference": "K7QX2-9PMD8",
    "state": "held",
    "version": 1,
    "hold_expires_at": "2027-06-01T10:10:00.000Z",
    "hold_remaining_s": 600,
    "wait_expires_at": None,
    "lines": [
        _seat(1, "101-A-12"),
        _seat(2, "101-A-13"),
        _seat(3, "102-A-1"),
        _seat(4, "102-A-2"),
        {"line": 5, "sku": "NW-001", "location": "default", "quantity": 2, "amount": 3600, "currency": "USD"},
    ],
    "totals": [{"amount": 50000, "currency": "EUR"}, {"amount": 3600, "currency": "USD"}],
    "customer": "c-77",
    "external_reference": "order-9001",
    "metadata": {"channel": "app"},
    "created_at": "2027-06-01T10:00:00.000Z",
    "confirmed_at": None,
    "ended_at": None,
}

_CONFIRMED: Final[dict[str, Any]] = {
    **RESERVATION,
    "state": "confirmed",
    "version": 2,
    "hold_expires_at": None,
    "hold_remaining_s": None,
    "confirmed_at": "2027-06-01T10:04:00.000Z",
}


def _without_line_2(reservation: dict[str, Any]) -> dict[str, Any]:
    given_back = {**reservation["lines"][1], "released_at": "2027-06-01T10:05:00.000Z"}
    lines = [given_back if line["line"] == given_back["line"] else line for line in reservation["lines"]]
    totals = [{"amount": 37500, "currency": "EUR"}, {"amount": 3600, "currency": "USD"}]
    return {**reservation, "version": reservation["version"] + 1, "lines": lines, "totals": totals}


AFTER: Final[dict[str, dict[str, Any]]] = {
    "confirm": _CONFIRMED,
    "extend": {**RESERVATION, "version": 2, "hold_expires_at": "2027-06-01T10:14:00.000Z"},
    "release": _without_line_2(RESERVATION),
    "cancel": _without_line_2(_CONFIRMED),
}

HISTORY: Final[dict[str, Any]] = {
    "history": [
        {
            "version": 1,
            "from": None,
            "to": "held",
            "action": "create",
            "actor": "box-office",
            "at": "2027-06-01T10:00:00.000Z",
            "reason": None,
        },
        {
            "version": 2,
            "from": "held",
            "to": "confirmed",
            "action": "confirm",
            "actor": "box-office",
            "at": "2027-06-01T10:04:00.000Z",
            "reason": "paid at the counter",
        },
    ],
    "next_cursor": None,
}
