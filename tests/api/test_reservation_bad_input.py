"""Bad bodies of reservations and their actions: shapes of lines, labels and names that are none, numbers out of range.

What is wrong with any JSON body of any endpoint is in test_bad_bodies.py.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.accounts import Account
from tests.api.contract import refused_as_invalid
from tests.api.reading import done, held, read, references, seat_states, stock_counts
from tests.make import act, hold, new_idempotency_key, put_event, put_stock

Json = dict[str, Any]

SEAT = {"event": "final", "seats": ["101-A-1"]}
UNIT = {"sku": "NW-001", "quantity": 1}

# Text that stands for nothing of ours, wherever a name or a label is expected.
HOSTILE = {
    "nothing": "",
    "a quote": "final'",
    "a double quote": 'final"',
    "SQL": "x' OR '1'='1",
    "a comment of SQL": "final--\n",
    "two names": "final semi",
    "a space behind": "final ",
    "a space before": " final",
    "a parent folder": "../final",
    "a folder": "final/semi",
    "a backslash": "final\\semi",
    "NUL": "final\x00",
    "a line end": "final\r\n",
    "another script": "финал",
    "an accent": "finál",
    "a letter and its combining accent": "fina\u0301l",
    "full-width letters": "ｆｉｎａｌ",  # noqa: RUF001
    "a right-to-left mark": "final\u200f",
    "an emoji": "final\U0001f3df",
    "a percent sign": "final%00",
    "65 symbols": "f" * 65,
    "ten thousand symbols": "f" * 10_000,
}
DOTS = {"a dot alone": ".", "two dots alone": ".."}
NAME_PLACES = {
    "event": lambda text: {"lines": [{"event": text, "seats": ["101-A-1"]}]},
    "sku": lambda text: {"lines": [{"sku": text, "quantity": 1}]},
    "location": lambda text: {"lines": [{"sku": "NW-001", "location": text, "quantity": 1}]},
    "customer": lambda text: {"lines": [UNIT], "customer": text},
}
NO_LABELS = {
    "nothing": "",
    "a section alone": "101",
    "a section and a row": "101-A",
    "no section": "-A-1",
    "no row": "101--1",
    "no number": "101-A-",
    "a row of nine letters": "101-AAAAAAAAA-1",
    "a number of nine digits": "101-A-123456789",
    "a section of 33 symbols": f"{'s' * 33}-A-1",
    "a space behind": "101-A-1 ",
    "a space in the row": "101-A B-1",
    "a quote": "101-A-1'",
    "SQL": "101-A-1' OR '1'='1",
    "a parent folder": "../101-A-1",
    "NUL": "101-A-1\x00",
    "a line end": "101-A-1\n",
    "an emoji": "101-A-\U0001f3df",
    "ten thousand symbols": f"101-A-{'1' * 10_000}",
}
BAD_LINES: dict[str, tuple[Json, str]] = {
    "an event without seats": ({"event": "final"}, "lines"),
    "seats without an event": ({"seats": ["101-A-1"]}, "lines"),
    "best_available without an event": ({"best_available": {"quantity": 1}}, "lines"),
    "seats and best_available": ({**SEAT, "best_available": {"quantity": 1}}, "lines"),
    "a seat and a stock item in one": ({**SEAT, **UNIT}, "lines"),
    "a stock item without a quantity": ({"sku": "NW-001"}, "lines"),
    "a quantity without a stock item": ({"quantity": 1}, "lines"),
    "a location without a stock item": ({**SEAT, "location": "default"}, "lines"),
    "a quantity of named seats": ({**SEAT, "quantity": 1}, "lines"),
    "a list": (["101-A-1"], "lines"),
    "null": (None, "lines"),
    "best_available that is a number": ({"event": "final", "best_available": 2}, "best_available"),
    "best_available without a quantity": ({"event": "final", "best_available": {}}, "best_available"),
    "best_available of none": ({"event": "final", "best_available": {"quantity": 0}}, "quantity"),
    "best_available of minus one": ({"event": "final", "best_available": {"quantity": -1}}, "quantity"),
    "best_available of one and a half": ({"event": "final", "best_available": {"quantity": 1.5}}, "quantity"),
    "best_available of 10^30": ({"event": "final", "best_available": {"quantity": 10**30}}, "quantity"),
    "together in a string": ({"event": "final", "best_available": {"quantity": 1, "together": "yes"}}, "together"),
    "together that is a number": ({"event": "final", "best_available": {"quantity": 1, "together": 1}}, "together"),
    "a section that is a number": ({"event": "final", "best_available": {"quantity": 1, "section": 101}}, "section"),
    "a category that is a number": ({"event": "final", "best_available": {"quantity": 1, "category": 1}}, "category"),
    "a section that is SQL": ({"event": "final", "best_available": {"quantity": 1, "section": "1' OR '1"}}, "section"),
    "seats that are numbers": ({"event": "final", "seats": [1]}, "seats"),
    "seats that are objects": ({"event": "final", "seats": [{"row": "A", "number": "1"}]}, "seats"),
    "seats that are null": ({"event": "final", "seats": [None]}, "seats"),
}


@pytest.fixture
def shop(account: Account) -> Iterator[Account]:
    """An account with an event and a stock item, of which bad input must have claimed nothing."""
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=10)
    yield account
    assert references(account) == []
    assert stock_counts(account) == (0, 0, 10)
    assert set(seat_states(account).values()) == {"available"}


@pytest.mark.parametrize(("line", "path"), BAD_LINES.values(), ids=BAD_LINES)
def test_line_of_another_shape_is_invalid_and_claims_nothing_of_its_neighbours(
    shop: Account, line: Json, path: str
) -> None:
    refused_as_invalid(hold(shop, [UNIT, line]), path)


@pytest.mark.parametrize("place", NAME_PLACES)
def test_text_that_is_no_name_is_invalid_in_its_place(shop: Account, place: str) -> None:
    for what, text in {**HOSTILE, **DOTS}.items():
        answer = hold(shop, **NAME_PLACES[place](text))
        assert answer.status_code == 400, f"{what} as {place}: {answer.status_code} {answer.text}"
        refused_as_invalid(answer, place)


def test_text_that_is_no_label_is_invalid(shop: Account) -> None:
    for what, label in NO_LABELS.items():
        answer = hold(shop, [UNIT, {"event": "final", "seats": ["101-A-1", label]}])
        assert answer.status_code == 400, f"{what} as a label: {answer.status_code} {answer.text}"
        refused_as_invalid(answer, "seats")


@pytest.mark.parametrize("text", ["101\u0410-A-1", "101-\u0391-1", "101 -A-1", "l01-A-1", "101-A-01"])
def test_label_that_only_looks_like_a_seat_gets_no_seat(shop: Account, text: str) -> None:
    answer = hold(shop, [{"event": "final", "seats": [text]}])
    assert answer.status_code in (400, 404), f"{text!a} was taken for a seat: {answer.text}"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        pytest.param("hold_seconds", -1, id="minus one second"),
        pytest.param("hold_seconds", 1.5, id="one and a half seconds"),
        pytest.param("hold_seconds", True, id="true seconds"),
        pytest.param("hold_seconds", 10**30, id="10^30 seconds"),
        pytest.param("hold_seconds", 3601, id="more seconds than the longest hold"),
        pytest.param("wait", "false", id="wait in a string"),
        pytest.param("wait_seconds", 10**30, id="10^30 seconds of waiting"),
        pytest.param("external_reference", 9001, id="a number as external_reference"),
        pytest.param("external_reference", {"order": 9001}, id="an object as external_reference"),
        pytest.param("metadata", "text", id="text as metadata"),
        pytest.param("metadata", [{}], id="a list as metadata"),
        pytest.param("reference", "K7QX2-9PMDA", id="a reference of the client's choice"),
        pytest.param("state", "confirmed", id="a state of the client's choice"),
        pytest.param("Lines", [SEAT], id="a member in another case"),
    ],
)
def test_bad_member_beside_good_lines_is_invalid_and_named(shop: Account, member: str, value: object) -> None:
    refused_as_invalid(hold(shop, [UNIT], **{member: value}), member)


def test_every_bad_line_is_named(shop: Account) -> None:
    lines = [{"sku": "NW-001", "quantity": "1"}, {"event": "final", "seats": 7}, {"sku": "NW 002", "quantity": 1}]
    facts = refused_as_invalid(hold(shop, lines, wait="no"), "quantity", "seats", "sku", "wait")
    assert len({error["path"] for error in facts["errors"]}) == len(facts["errors"]), facts["errors"]


def test_key_of_a_bad_body_serves_the_good_one(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    key = new_idempotency_key()
    for bad in ({"sku": "NW-001", "quantity": 10**30}, {"sku": "NW\x00001", "quantity": 1}, {}):
        refused_as_invalid(hold(account, [bad], key=key))
    good = hold(account, [UNIT], key=key)
    assert (good.status_code, good.headers["Idempotent-Replayed"]) == (201, "false"), good.text


ACTION_BODIES: dict[str, tuple[str, object, str]] = {
    "confirm, late in another word": ("confirm", {"late": "always"}, "late"),
    "confirm, late that is true": ("confirm", {"late": True}, "late"),
    "confirm, lines": ("confirm", {"lines": [1]}, "lines"),
    "confirm, a state": ("confirm", {"state": "confirmed"}, "state"),
    "extend, until when": ("extend", {"hold_expires_at": "2097-06-05T19:00:00Z"}, "hold_expires_at"),
    "extend, 10^30 seconds": ("extend", {"hold_seconds": 10**30}, "hold_seconds"),
    "release, a refund": ("release", {"refund": "none"}, "refund"),
    "release, lines as an object": ("release", {"lines": {"1": True}}, "lines"),
    "cancel, refund in another case": ("cancel", {"refund": "Original"}, "refund"),
    "cancel, a list of reasons": ("cancel", {"reason": ["ill"]}, "reason"),
}


@pytest.mark.parametrize(("action", "body", "path"), ACTION_BODIES.values(), ids=ACTION_BODIES)
def test_bad_body_of_an_action_is_invalid_and_changes_nothing(
    account: Account, action: str, body: Json, path: str
) -> None:
    put_event(account)
    before = held(account, [SEAT])
    refused_as_invalid(act(account, before["reference"], action, body), path)
    after = read(account, before["reference"])
    assert (after["state"], after["version"], after["hold_expires_at"]) == ("held", 1, before["hold_expires_at"])
    assert done(account, before["reference"], "confirm")["version"] == 2


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("'; DELETE FROM reservations; --", id="SQL"),
        pytest.param("../../etc/passwd", id="a path"),
        pytest.param("заказ 9001", id="another script"),
        pytest.param("order-9001 ", id="a space behind"),
        pytest.param("x" * 10_000, id="ten thousand symbols"),
        pytest.param("order\x009001", id="NUL"),
    ],
)
def test_odd_external_reference_is_kept_exactly_or_refused_as_invalid(account: Account, text: str) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    ordinary = held(account, [UNIT], external_reference="order-9001")["reference"]
    answer = hold(account, [UNIT], external_reference=text)
    if answer.status_code == 201:
        assert read(account, answer.json()["reference"])["external_reference"] == text
        assert references(account, external_reference=text) == [answer.json()["reference"]]
    else:
        refused_as_invalid(answer, "external_reference")
    assert references(account, external_reference="order-9001") == [ordinary]
