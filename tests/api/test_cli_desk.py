"""Reservations, inventory, keys and hot rows at the operator's desk: on each store, and the same through the API."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.accounts import Account, new_account
from tests.api.reading import done, held, history, read
from tests.make import hold, put_event, put_stock
from tests.running import RunningService, run_cli
from tests.shell import Operator

Json = dict[str, Any]
SEATS = [{"event": "final", "seats": ["101-A-1", "101-A-2"]}, {"sku": "NW-001", "quantity": 2}]


@pytest.fixture
def shop(service: RunningService) -> Iterator[Account]:
    with closing(new_account(service.url, service.database_url)) as account:
        put_event(account)
        put_stock(account)
        yield account


@pytest.fixture
def operator(shop: Account) -> Operator:
    return Operator(shop.name, shop.database_url)


def test_reservation_is_shown_with_all_that_happened_to_it(shop: Account, operator: Operator) -> None:
    key = secrets.token_hex(8)
    reservation = hold(shop, SEATS, key, customer="c-77", external_reference="order-9001", metadata={"channel": "app"})
    reference = reservation.json()["reference"]
    operator.told("reservations", "confirm", reference, "--reason", "paid at the counter")
    shown = operator.shown("reservations", "show", reference.lower())
    assert shown["reservation"] == read(shop, reference)
    assert [(each["action"], each["actor"]) for each in shown["entries"]] == [
        ("create", "default"),
        ("confirm", "operator:ann"),
    ]
    assert [each["status"] for each in shown["entries"][0]["keys"]] == [201]
    text = operator.told("reservations", "show", reference)
    for words in (
        f"{reference}  confirmed, version 2",
        "customer: c-77",
        "your reference: order-9001",
        "total: 250.00 EUR, 36.00 USD",
        'metadata: {"channel":"app"}',
        "final 101-A-2",
        "create: nothing → held  by default",
        "confirm: held → confirmed  by operator:ann",
        "because: paid at the counter",
        "reservation.confirmed",
    ):
        assert words in text, words

    by_key = operator.shown("idempotency", "show", key)["records"]
    assert [(each["principal"], each["route"], each["status"]) for each in by_key] == [
        ("default", "/v1/reservations", 201)
    ]
    assert by_key[0]["key_id"] == shown["entries"][0]["keys"][0]["key_id"]
    assert "no request with this key is known" in operator.told("idempotency", "show", f"{key}-other", code=1)


def test_reservation_is_confirmed_and_cancelled_and_repeating_changes_nothing(
    shop: Account, operator: Operator
) -> None:
    reference = held(shop, SEATS)["reference"]
    assert "would confirm" in operator.told("reservations", "confirm", reference, "--dry-run")
    assert "does not allow cancel" in operator.told("reservations", "cancel", reference, "--dry-run", code=1)
    assert "does not allow cancel" in operator.told("reservations", "cancel", reference, code=1)
    assert read(shop, reference)["version"] == 1
    assert operator.shown("reservations", "confirm", reference)["changed"] is True
    assert "nothing has changed" in operator.told("reservations", "confirm", reference)
    assert f"Line 3 of {reference} cancelled now" in operator.told("reservations", "cancel", reference, "--line", "3")
    assert operator.shown("reservations", "cancel", reference, "--reason", "fell ill")["changed"] is True
    assert operator.shown("reservations", "cancel", reference)["changed"] is False
    assert [change["action"] for change in history(shop, reference)] == ["create", "confirm", "cancel", "cancel"]
    assert history(shop, reference)[-1]["reason"] == "fell ill"


def test_reservations_are_listed_in_any_state_newest_first_and_narrowed(shop: Account, operator: Operator) -> None:
    first = held(shop, [{"sku": "NW-001", "quantity": 1}], customer="c-1")["reference"]
    second = held(shop, [{"event": "final", "seats": ["101-A-1"]}], customer="c-2", external_reference="order-2")
    third = held(shop, [{"sku": "NW-001", "quantity": 2}], customer="c-1")["reference"]
    done(shop, first, "release")
    done(shop, second["reference"], "confirm")
    for options, expected, more in (
        (("--limit", "2"), [third, second["reference"]], True),
        (("--customer", "c-1", "--limit", "2"), [third, first], False),
        (("--sku", "NW-001", "--state", "released"), [first], False),
        (("--event", "final", "--external-reference", "order-2"), [second["reference"]], False),
    ):
        listed = operator.shown("reservations", "list", *options)
        assert ([each["reference"] for each in listed["reservations"]], listed["more"]) == (expected, more), options
        # What is over has no time that runs.
        assert third in expected or listed["reservations"] == [read(shop, reference) for reference in expected]
    text = operator.told("reservations", "list", "--limit", "2")
    assert text.splitlines()[3].split()[:2] == [third, "held"]
    assert "final 101-A-1" in text
    assert "2 reservations; there are more (--limit), as of " in text
    assert operator.told("reservations", "list", "--customer", "nobody") == "No reservation is like that.\n"


def test_events_and_stock_items_are_listed(shop: Account, operator: Operator) -> None:
    put_event(shop, "semi")
    listed = operator.shown("inventory", "list")
    assert [event["event"] for event in listed["events"]] == ["final", "semi"]
    assert [item["sku"] for item in listed["stock"]] == ["NW-001"]
    assert (listed["more_events"], listed["more_stock"]) == (False, False)
    listed = operator.shown("inventory", "list", "--limit", "1")
    assert ([event["event"] for event in listed["events"]], listed["more_events"]) == (["final"], True)
    text = operator.told("inventory", "list", "--limit", "1")
    assert "final" in text
    assert "NW-001" in text
    assert "semi" not in text
    assert text.endswith("There are more (--limit).\n")


def test_inventory_is_counted_and_drawn(shop: Account, operator: Operator) -> None:
    confirmed = held(shop, [{"event": "final", "seats": ["101-A-10"]}])["reference"]
    done(shop, confirmed, "confirm")
    held(shop, SEATS)
    shop.http.post("/v1/events/final/blocks", json={"seats": ["101-B-3"]})
    put_stock(shop, location="Lager", on_hand=3)
    counted = operator.shown("inventory", "show", "final")
    assert counted["availability"]["total"] == {"available": 26, "held": 2, "confirmed": 1, "blocked": 1}
    stock = operator.shown("inventory", "show", "NW-001")["stock"]
    assert [(each["location"], each["available"]) for each in stock] == [("Lager", 3), ("default", 8)]
    assert "available" in operator.told("inventory", "show", "final")
    assert "Lager" in operator.told("inventory", "show", "NW-001")

    drawn = operator.told("inventory", "map", "final", "101").splitlines()
    assert drawn[0].split() == [str(number) for number in range(1, 11)]
    assert [line.split() for line in drawn[1:4]] == [
        ["A", "h", "h", *"ooooooo", "X"],
        ["B", "o", "o", "-", *"ooooooo"],
        ["C", *"oooooooooo"],
    ]
    assert "held 2" in drawn[-1]
    assert operator.shown("inventory", "map", "final", "101")["seats"][0]["state"] == "held"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("reservations", "show", "K7QX2-9PMD8"), 1, "There is no reservation K7QX2-9PMD8"),
        (("reservations", "show", "K7QX2"), 2, "a reference has 10 symbols"),
        (("reservations", "cancel", "K7QX2-9PMD8", "--line", "0"), 2, "--line"),
        (("reservations", "list", "--state", "sold"), 2, "'sold' is not one of"),
        (("reservations", "list", "--event", "nothing"), 1, "There is no event nothing"),
        (("reservations", "list", "--sku", "nothing"), 1, "there is no stock item 'nothing'"),
        (("reservations", "list", "--limit", "0"), 2, "--limit"),
        (("reservations", "list", "--customer", ""), 2, "customer"),
        (("inventory", "list", "--limit", "many"), 2, "--limit"),
        (("reservations", "cancel", "K7QX2-9PMD8", "--refund", "all"), 2, "--refund"),
        (("inventory", "show", "nothing"), 1, "no event and no stock item 'nothing'"),
        (("inventory", "show", "a/b"), 2, "event must be a name"),
        (("inventory", "map", "final", "9"), 1, "its sections are 101"),
        (("inventory", "map", "nothing", "9"), 1, "There is no event nothing"),
        (("idempotency", "show", "a b"), 1, "contains a space"),
    ],
)
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_what_is_not_there_is_named(operator: Operator, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = operator.run(*arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    assert words in " ".join(done.stderr.replace("│", " ").split())


@pytest.fixture
def by_api(shop: Account) -> Operator:
    return Operator(shop.name, shop.database_url, url=shop.url, key=shop.key)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # the way there is the same, whatever the store
def test_an_api_answers_as_the_database_does(shop: Account, operator: Operator, by_api: Operator) -> None:
    key = secrets.token_hex(8)
    reference = hold(shop, SEATS, key).json()["reference"]
    for command in (
        ("reservations", "show", reference),
        ("inventory", "show", "final"),
        ("inventory", "map", "final", "101"),
        ("inventory", "list"),
        ("reservations", "list"),
        ("idempotency", "show", key),
        ("hot",),
        ("holds", "list"),
    ):
        assert without_times(by_api.shown(*command)) == without_times(operator.shown(*command)), command
    assert by_api.shown("holds", "extend", reference, "--for", "20m")["changed"] is True
    assert by_api.shown("reservations", "confirm", reference, "--reason", "paid")["changed"] is True
    assert (history(shop, reference)[-1]["actor"], history(shop, reference)[-1]["reason"]) == ("default", "paid")
    assert by_api.shown("reservations", "cancel", reference)["changed"] is True
    other = held(shop, SEATS)["reference"]
    rows = by_api.shown("holds", "release", other, "--reason", "by phone")["reservations"]
    assert rows == [{"reference": other, "state": "released", "released": True}]
    assert history(shop, other)[-1]["reason"] == "by phone"


def without_times(answer: Any) -> Any:
    """What does not depend on the moment of the question."""
    if isinstance(answer, dict):
        return {
            name: without_times(value) for name, value in answer.items() if name not in {"as_of", "hold_remaining_s"}
        }
    return [without_times(item) for item in answer] if isinstance(answer, list) else answer


def test_api_that_cannot_be_used_is_told_with_its_cure(shop: Account) -> None:
    def told(url: str, key: str, *command: str) -> tuple[int, str]:
        done = run_cli(*command, "--url", url, env={"HOLDFAST_API_KEY": key})
        assert (done.stdout, "Traceback" in done.stderr) == ("", False)
        return done.returncode, done.stderr

    code, words = told(shop.url, "hf_nobodyss_nobody", "holds", "list")
    assert (code, "does not know this API key" in words) == (2, True), words
    clerk = shop.new_key("clerk", ["reservations:read"])
    code, words = told(shop.url, clerk, "idempotency", "show", "k-1")
    assert (code, "lacks the scope ops" in words) == (2, True), words
    assert "holdfast keys scopes" in words
