"""Names with quotes, SQL, NUL, other scripts, other case, trailing space: kept apart or refused, never confused."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.accounts import Account
from tests.api.contract import EVENT, STOCK, items, labelled, refused, refused_as_invalid, rows
from tests.api.reading import held, seat_states
from tests.make import hold, put_event, put_seats, put_stock

Json = dict[str, Any]
ONE = [{"sku": "NW-001", "quantity": 1}]

GOOD_NAMES = (
    "a",
    "A",
    "0",
    "final",
    "Final",
    "FINAL",
    "final.",
    "final_",
    "final-",
    "final~",
    "~",
    "-",
    "...",
    ".a",
    "a" * 64,
    "NULL",
)
BAD_NAMES = {
    "empty": "",
    "a dot": ".",
    "two dots": "..",
    "65 letters": "a" * 65,
    "a trailing space": "final ",
    "a leading space": " final",
    "a tab": "final\t",
    "a trailing line break": "final\n",
    "NUL in the middle": "fi\0nal",
    "NUL at the end": "final\0",
    "a single quote": "final'",
    "a double quote": 'final"',
    "a backtick": "final`",
    "SQL": "final' OR '1'='1",
    "an SQL comment": "final'--",
    "a second statement": "final; DROP TABLE events",
    "a wildcard": "fina%",
    "a way up": "../final",
    "a way up, Windows": "..\\final",
    "a slash": "fi/nal",
    "a query": "final?limit=1",
    "a fragment": "final#1",
    "a colon": "final:1",
    "a plus sign": "fi+nal",
    "a percent sign": "fi%6eal",
    "an accent": "finál",
    "a combining accent": "final\u0301",
    "a Cyrillic letter": "fin\u0430l",
    "full-width letters": "\uff46inal",
    "a dotless i": "f\u0131nal",
    "a zero-width space": "final\u200b",
    "a right-to-left mark": "\u200ffinal",
    "an emoji": "final\U0001f3df",
    "markup": "<final>",
}
BAD = pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
PATHS = (("/v1/events/{}", EVENT, "event", "events"), ("/v1/stock/{}", STOCK, "sku", "stock"))
KINDS = pytest.mark.parametrize(("path", "body", "member", "plural"), PATHS, ids=["events", "stock items"])


def escaped(name: str) -> str:
    """The name as one segment of a path; dots, too, or the client itself would take the path apart."""
    return quote(name, safe="").replace(".", "%2E")


@KINDS
def test_good_names_are_kept_apart(account: Account, path: str, body: Json, member: str, plural: str) -> None:
    described = "name" if member == "event" else "description"
    for name in GOOD_NAMES:
        answer = account.http.put(path.format(escaped(name)), json={**body, described: f"This is {name}"})
        assert answer.is_success, f"{name}: {answer.text}"
    for name in GOOD_NAMES:
        found = items(account.http.get(path.format(escaped(name))))
        assert (found[member], found[described]) == (name, f"This is {name}")
    assert sorted(row[member] for row in rows(account.http, f"/v1/{plural}", plural)) == sorted(GOOD_NAMES)


@BAD
def test_bad_name_in_a_path_is_refused_and_finds_nothing(account: Account, name: str) -> None:
    for path, body, member, plural in PATHS:
        assert account.http.put(path.format("final"), json=body).is_success
        for method in ("PUT", "GET"):
            if method == "GET" and not name:
                continue
            answer = account.http.request(method, path.format(escaped(name)), json=body if method == "PUT" else None)
            if "/" in name or not name:
                assert answer.status_code in {400, 404, 405}, answer.text
            else:
                refused_as_invalid(answer)
        assert [row[member] for row in rows(account.http, f"/v1/{plural}", plural)] == ["final"]


@BAD
def test_bad_name_in_a_body_or_a_query_is_invalid(account: Account, name: str) -> None:
    put_stock(account, sku="final")
    requests: tuple[tuple[list[Json], Json, str], ...] = (
        ([{"event": name, "seats": ["101-A-1"]}], {}, "event"),
        ([{"event": name, "best_available": {"quantity": 1}}], {}, "event"),
        ([{"sku": name, "quantity": 1}], {}, "sku"),
        ([{"sku": "final", "location": name, "quantity": 1}], {}, "location"),
        ([{"sku": "final", "quantity": 1}], {"customer": name}, "customer"),
    )
    for lines, more, path in requests:
        refused_as_invalid(hold(account, lines, **more), path)
    assert rows(account.http, "/v1/reservations", "reservations") == []
    refused_as_invalid(account.http.put("/v1/stock/final", params={"location": name}, json=STOCK), "location")
    assert [row["location"] for row in rows(account.http, "/v1/stock", "stock")] == ["default"]


ALIKE = (
    ("final", "Final"),
    ("final", "FINAL"),
    ("final", "final."),
    ("fi_al", "final"),
    ("1", "01"),
    ("1", "1.0"),
    ("-", "--"),
)


@pytest.mark.parametrize(("mine", "other"), ALIKE)
def test_name_that_is_alike_is_another(account: Account, mine: str, other: str) -> None:
    """None of the things that bear one name is found under the other, and each has its own counts."""
    put_event(account, event=mine)
    items(account.http.put(f"/v1/stock/{mine}", params={"location": mine}, json=STOCK))
    held(account, [{"sku": mine, "location": mine, "quantity": 1}], customer=mine, external_reference=mine)
    assert account.http.get(f"/v1/events/{other}").status_code == 404
    assert account.http.get(f"/v1/stock/{other}", params={"location": mine}).status_code == 404
    for line in (
        {"event": other, "seats": ["101-A-1"]},
        {"sku": other, "location": mine, "quantity": 1},
        {"sku": mine, "location": other, "quantity": 1},
    ):
        refused(hold(account, [line]), "not-found")
    items(account.http.put(f"/v1/stock/{mine}", params={"location": other}, json=STOCK))
    held(account, [{"sku": mine, "location": other, "quantity": 2}], customer=other, external_reference=other)
    assert {row["location"]: row["held"] for row in rows(account.http, "/v1/stock", "stock")} == {mine: 1, other: 2}
    for query in ("customer", "external_reference"):
        for name in (mine, other):
            found = rows(account.http, "/v1/reservations", "reservations", **{query: name})
            assert [row[query] for row in found] == [name]


SEATS_ALIKE = {
    "another case of the row": ("101-A-1", "101-a-1"),
    "another case of the section": ("Upper-A-1", "upper-A-1"),
    "a leading zero": ("101-A-1", "101-A-01"),
    "a hyphen or a space": ("North-West-A-1", "North West-A-1"),
    "a dot or an underscore": ("1.1-A-1", "1_1-A-1"),
    "hyphens in another place": ("a-b-c-1", "a-bc-1"),
    "a letter with an accent": ("Lower-A-1", "L\u00f6wer-A-1"),
    "a Cyrillic letter": ("101-A-1", "101-\u0410-1"),
    "a digit of another script": ("101-A-1", "101-A-\u0661"),
    "a full-width digit": ("101-A-1", "101-A-\uff11"),
    "a trailing space of the section": ("101-A-1", "101 -A-1"),
    "a leading space of the section": ("101-A-1", " 101-A-1"),
}


@pytest.mark.parametrize(("mine", "other"), SEATS_ALIKE.values(), ids=SEATS_ALIKE)
def test_seat_with_a_label_that_is_alike_is_another_or_refused(account: Account, mine: str, other: str) -> None:
    put_event(account, seats=[labelled(mine)])
    held(account, [{"event": "final", "seats": [mine]}])
    response = hold(account, [{"event": "final", "seats": [other]}])
    assert response.status_code in {400, 404}, f"{other} was taken for {mine}: {response.text}"
    answer = account.http.put("/v1/events/final/seats", json={"seats": [labelled(other)]})
    if answer.is_error:
        refused(answer, "invalid-request")
        assert seat_states(account) == {mine: "held"}
    else:
        assert answer.json()["created"] == 1
        assert seat_states(account) == {mine: "held", other: "available"}
        held(account, [{"event": "final", "seats": [other]}])
        assert seat_states(account) == {mine: "held", other: "held"}


BAD_LABELS = (
    "",
    "101",
    "101-A",
    "-A-1",
    "101--1",
    "101-A-",
    "101-A-1-",
    "101-A-1 ",
    "101-A-1\n",
    "101-A-1\0",
    "101-A 1-1",
    "101/A/1",
    "../101-A-1",
    "101-A-1'",
    "101-A-1' OR '1'='1",
    "101-A-1; DROP TABLE seats",
    "101-A-%",
    "101-A-\u0661",
    "101-A-1\u200b",
    "101-A-123456789",
    "101-ROW000001-1",
    f"{'s' * 33}-A-1",
    "101-A-1" * 10_000,
)


@pytest.mark.parametrize("label", BAD_LABELS, ids=lambda label: repr(label[:30]))
def test_bad_label_in_a_hold_takes_no_seat(account: Account, label: str) -> None:
    put_event(account)
    put_seats(account, "final", [labelled("102-A-1")])
    before = seat_states(account)
    for path in ("/v1/events/final/blocks", "/v1/events/final/unblocks"):
        response = account.http.post(path, json={"seats": ["101-A-2", label]})
        assert response.status_code in {400, 404}, response.text
    response = hold(account, [{"event": "final", "seats": ["101-A-2", label]}])
    assert response.status_code in {400, 404}, response.text
    assert seat_states(account) == before


EXTERNAL_REFERENCES = {
    "another case": ("order-1", "Order-1"),
    "a trailing space": ("order-1", "order-1 "),
    "a leading space": ("order-1", " order-1"),
    "a trailing tab": ("order-1", "order-1\t"),
    "NUL at the end": ("order-1", "order-1\0"),
    "a quote": ("order-1", "order-1'"),
    "SQL": ("order-1", "order-1' OR '1'='1"),
    "a wildcard": ("order-1", "order-%"),
    "one wildcard": ("order-1", "order__"),
    "a path": ("order-1", "../order-1"),
    "a slash": ("a-b", "a/b"),
    "an accent": ("cafe", "caf\u00e9"),
    "sharp s": ("strasse", "stra\u00dfe"),
    "a dotless i": ("final", "f\u0131nal"),
    "a Cyrillic letter": ("final", "fin\u0430l"),
    "full-width digits": ("order-1", "order-\uff11"),
    "a zero-width space": ("order-1", "order-1\u200b"),
    "an emoji for another": ("\U0001f3df", "\U0001f3e0"),
    "a percent escape": ("order 1", "order%201"),
    "a plus for a space": ("order 1", "order+1"),
    "a long one with another end": ("x" * 300 + "1", "x" * 300 + "2"),
}


def kept(account: Account, external_reference: str) -> bool:
    """Whether a reservation was made under this name; anything else must be a bad request."""
    response = hold(account, ONE, external_reference=external_reference)
    if response.status_code != 201:
        refused_as_invalid(response, "external_reference")
        return False
    assert response.json()["external_reference"] == external_reference
    return True


def found_by(account: Account, external_reference: str) -> list[str]:
    response: httpx.Response = account.http.get("/v1/reservations", params={"external_reference": external_reference})
    if response.is_error:
        refused(response, "invalid-request")
        return []
    return [row["external_reference"] for row in response.json()["reservations"]]


@pytest.mark.parametrize(("mine", "other"), EXTERNAL_REFERENCES.values(), ids=EXTERNAL_REFERENCES)
def test_external_reference_that_is_alike_is_another_or_refused(account: Account, mine: str, other: str) -> None:
    put_stock(account)
    mine_kept = kept(account, mine)
    assert found_by(account, other) == [], "found under a name that it does not bear"
    other_kept = kept(account, other)
    assert found_by(account, mine) == [mine] * mine_kept
    assert found_by(account, other) == [other] * other_kept
    for name, there in ((mine, mine_kept), (other, other_kept)):
        if there:
            refused(hold(account, ONE, external_reference=name), "external-reference-exists")
