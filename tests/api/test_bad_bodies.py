"""Bodies that are no JSON, too much of it, or JSON of another kind: refused whole, each bad member named by path."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.accounts import Account
from tests.api.contract import ENDPOINTS, EVENT, WITH_BODY, items, refused, refused_as_invalid, rows, send, stocked
from tests.api.reading import held, read, stock_counts
from tests.make import act, hold, new_idempotency_key, put_event, put_stock

Json = dict[str, Any]
LIMIT_BYTES = 10_000_000
DEEP = 100_000


def post(account: Account, content: bytes, content_type: str = "application/json") -> httpx.Response:
    headers = {"Content-Type": content_type, "Idempotency-Key": new_idempotency_key()}
    return account.http.post("/v1/reservations", content=content, headers=headers)


def with_quantity(text: str) -> bytes:
    return b'{"lines": [{"sku": "NW-001", "quantity": ' + text.encode() + b"}]}"


def with_metadata(text: str) -> bytes:
    return b'{"lines": [{"sku": "NW-001", "quantity": 1}], "metadata": ' + text.encode() + b"}"


NO_JSON = {
    "nothing": b"",
    "spaces": b"   ",
    "an open brace": b"{",
    "a word": b"lines",
    "a form": b"sku=NW-001&quantity=1",
    "XML": b"<lines><sku>NW-001</sku></lines>",
    "single quotes": b"{'lines': []}",
    "a trailing comma": b'{"lines": [{"sku": "NW-001", "quantity": 1},]}',
    "a comment": b'{"lines": [{"sku": "NW-001", "quantity": 1}]} // one',
    "two documents": b'{"lines": [{"sku": "NW-001", "quantity": 1}]} {}',
    "bytes that are no UTF-8": b'{"lines": [{"sku": "NW-\xff", "quantity": 1}]}',
    "UTF-16": '{"lines": [{"sku": "NW-001", "quantity": 1}]}'.encode("utf-16"),
    "a control character in a string": b'{"lines": [{"sku": "NW-\n001", "quantity": 1}]}',
    "NUL": b'{"lines": [{"sku": "NW-001", "quantity": 1}]}\0',
    "an unknown escape": rb'{"lines": [{"sku": "NW-\x41", "quantity": 1}]}',
    "half a surrogate": rb'{"lines": [{"sku": "\ud800", "quantity": 1}]}',
    "surrogates in the wrong order": with_metadata(r'{"a": "\udc00\ud800"}'),
    "half a surrogate in a member's name": with_metadata(r'{"\udfff": 1}'),
    "NaN": with_quantity("NaN"),
    "NaN in metadata": with_metadata('{"a": NaN}'),
    "Infinity": with_metadata('{"a": Infinity}'),
    "minus Infinity": with_metadata('{"a": [-Infinity]}'),
    "a leading zero": with_quantity("01"),
    "a plus sign": with_quantity("+1"),
    "deep brackets": b"[" * DEEP,
    "deep brackets that close": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"lines":' * DEEP + b"1" + b"}" * DEEP,
    "deep metadata": with_metadata('{"a":' * DEEP + "1" + "}" * DEEP),
}
OTHER_JSON = {
    "null": b"null",
    "a number": b"1",
    "a string": b'"lines"',
    "a list": b"[]",
    "true": b"true",
    "an empty object": b"{}",
}
DUPLICATES = {
    "of the whole": (b'{"lines": [{"sku": "NW-001", "quantity": 1}], "wait": false, "wait": false}', "wait"),
    "written with an escape": (
        b'{"lines": [{"sku": "NW-001", "quantity": 1}], "wait": false, "w\\u0061it": true}',
        "wait",
    ),
    "of a line": (b'{"lines": [{"sku": "NW-001", "quantity": 1, "quantity": 2}]}', "quantity"),
    "in metadata": (with_metadata('{"a": {"b": 1, "c": 2, "b": 3}}'), "b"),
}
QUANTITIES = {
    "10^30": str(10**30),
    "-10^30": str(-(10**30)),
    "10^30 with an exponent": "1e30",
    "more than a float holds": "1e400",
    "five thousand digits": "9" * 5000,
    "none": "0",
    "fewer than none": "-1",
    "one and a half": "1.5",
    "a string": '"1"',
    "true": "true",
    "null": "null",
    "a list": "[1]",
}


@pytest.fixture
def shop(account: Account) -> Iterator[Account]:
    """An account with ten NW-001, of which a refused body must have claimed none."""
    put_stock(account)
    yield account
    assert stock_counts(account) == (0, 0, 10)
    assert rows(account.http, "/v1/reservations", "reservations") == []


@pytest.mark.parametrize("content", NO_JSON.values(), ids=NO_JSON)
def test_body_that_is_not_json_is_invalid(shop: Account, content: bytes) -> None:
    refused_as_invalid(post(shop, content))


@pytest.mark.parametrize("content", OTHER_JSON.values(), ids=OTHER_JSON)
def test_body_that_is_json_of_another_kind_is_invalid(shop: Account, content: bytes) -> None:
    refused_as_invalid(post(shop, content))


@pytest.mark.parametrize(("content", "name"), DUPLICATES.values(), ids=DUPLICATES)
def test_duplicate_member_is_invalid_and_named(shop: Account, content: bytes, name: str) -> None:
    refused_as_invalid(post(shop, content), name)


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=QUANTITIES)
def test_quantity_that_is_no_count_is_invalid_and_named(shop: Account, quantity: str) -> None:
    refused_as_invalid(post(shop, with_quantity(quantity)), "quantity")


WRONG_TYPES: dict[str, tuple[Json, str]] = {
    "lines that are an object": ({"lines": {"sku": "NW-001", "quantity": 1}}, "lines"),
    "no lines": ({"lines": []}, "lines"),
    "a line that is a string": ({"lines": ["NW-001"]}, "lines"),
    "a line of nothing": ({"lines": [{}]}, "lines"),
    "an unknown member of a line": ({"lines": [{"sku": "NW-001", "quantity": 1, "colour": "red"}]}, "colour"),
    "an unknown member of best_available": (
        {"lines": [{"event": "final", "best_available": {"quantity": 1, "colour": "red"}}]},
        "colour",
    ),
    "a sku that is a number": ({"lines": [{"sku": 1, "quantity": 1}]}, "sku"),
    "seats that are a string": ({"lines": [{"event": "final", "seats": "101-A-1"}]}, "seats"),
    "a customer that is a number": ({"customer": 77}, "customer"),
    "an external_reference that is a list": ({"external_reference": ["order-1"]}, "external_reference"),
    "hold_seconds in a string": ({"hold_seconds": "600"}, "hold_seconds"),
    "hold_seconds of none": ({"hold_seconds": 0}, "hold_seconds"),
    "wait that is a number": ({"wait": 1}, "wait"),
    "wait in a string": ({"wait": "true"}, "wait"),
    "wait_seconds of none": ({"wait": True, "wait_seconds": 0}, "wait_seconds"),
    "wait_seconds of more than a day": ({"wait": True, "wait_seconds": 86_401}, "wait_seconds"),
    "metadata that is a list": ({"metadata": [1]}, "metadata"),
    "metadata that is a string": ({"metadata": "app"}, "metadata"),
    "metadata of more than 4 KB": ({"metadata": {"note": "x" * 4200}}, "metadata"),
    "metadata seven deep": ({"metadata": {"1": {"2": {"3": {"4": {"5": {"6": {"7": 1}}}}}}}}, "metadata"),
}


@pytest.mark.parametrize(("change", "path"), WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_member_of_a_wrong_type_or_size_is_invalid_and_named(shop: Account, change: Json, path: str) -> None:
    body = {"lines": [{"sku": "NW-001", "quantity": 1}], **change}
    refused_as_invalid(hold(shop, **body), path)


def test_every_bad_member_of_a_body_is_named(shop: Account) -> None:
    body = {"lines": [{"sku": "NW-001", "quantity": "1"}], "wait": "no", "colour": "red", "customer": 77}
    response = post(shop, json.dumps(body).encode())
    refused_as_invalid(response, "quantity", "wait", "colour", "customer")


def test_unknown_member_is_invalid_on_every_endpoint(account: Account) -> None:
    reference = stocked(account)
    for endpoint in WITH_BODY:
        response = send(account.http, endpoint, reference, body={**(endpoint.body or {}), "colour": "red"})
        assert response.status_code == 400, f"{endpoint} took an unknown member: {response.status_code}"
        refused_as_invalid(response, "colour")
    assert read(account, reference)["version"] == 1


def test_body_that_is_not_json_is_invalid_on_every_endpoint(account: Account) -> None:
    reference = stocked(account)
    for endpoint in WITH_BODY:
        path = endpoint.path.format(event="final", sku="NW-001", reference=reference)
        headers = {"Content-Type": "application/json", "Idempotency-Key": new_idempotency_key()}
        for content in (b"{", b"[1]", b'{"a": NaN}', b'{"a": 1, "a": 1}', b'"\\ud800"', b"[" * DEEP, b"\xff"):
            response = account.http.request(endpoint.method, path, content=content, headers=headers)
            assert response.status_code == 400, f"{endpoint} answered {response.status_code} to {content[:20]!r}"
            refused_as_invalid(response)
    assert read(account, reference)["version"] == 1


CONTENT_TYPES = (
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/json",
    "*/*",
)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_body_of_another_content_type_is_unsupported(shop: Account, content_type: str) -> None:
    refused(post(shop, with_quantity("1"), content_type), "unsupported-media-type")


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_by_any_of_its_spellings_is_read(account: Account, content_type: str) -> None:
    put_stock(account)
    assert post(account, with_quantity("1"), content_type).status_code == 201


def test_action_takes_no_body_at_all(account: Account) -> None:
    put_stock(account)
    reference = held(account, [{"sku": "NW-001", "quantity": 1}])["reference"]
    for action in ("extend", "confirm", "cancel"):
        response = account.http.post(f"/v1/reservations/{reference}/{action}")
        assert response.status_code == 200, f"{action}: {response.text}"


def test_body_of_the_largest_size_is_read(account: Account) -> None:
    content = json.dumps(EVENT).encode().ljust(LIMIT_BYTES)
    headers = {"Content-Type": "application/json"}
    assert account.http.put("/v1/events/final", content=content, headers=headers).status_code == 201


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, 11_000_000])
def test_body_that_is_larger_is_refused(account: Account, size: int) -> None:
    content = json.dumps(EVENT).encode().ljust(size)
    headers = {"Content-Type": "application/json"}
    response = account.http.put("/v1/events/final", content=content, headers=headers)
    assert refused(response, "payload-too-large")["limit_bytes"] == LIMIT_BYTES
    refused(account.http.get("/v1/events/final"), "not-found")


def test_body_that_is_larger_but_does_not_say_so_is_refused(account: Account) -> None:
    """Sent in chunks, without a Content-Length to judge it by."""
    chunks = (b" " * 1_000_000 for _ in range(11))
    response = account.http.put("/v1/events/final", content=chunks, headers={"Content-Type": "application/json"})
    refused(response, "payload-too-large")
    assert items(account.http.get("/v1/me"))


def test_reason_of_two_hundred_symbols_is_kept_and_of_more_is_invalid(account: Account) -> None:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-A-1"]}])["reference"]
    for action in ("extend", "confirm", "release", "cancel"):
        refused_as_invalid(act(account, reference, action, {"reason": "é" * 201}), "reason")
    assert read(account, reference)["version"] == 1
    assert act(account, reference, "release", {"reason": "é" * 200}).status_code == 200
    changes = items(account.http.get(f"/v1/reservations/{reference}/history"))["history"]
    assert "é" * 200 in [change["reason"] for change in changes]


METADATA: dict[str, Json] = {
    "nothing": {},
    "five deep": {"1": {"2": {"3": {"4": {"5": 1}}}}},
    "nearly 4 KB": {"note": "x" * 3900},
    "every kind of value": {"a": None, "b": True, "c": -1, "d": 0.5, "e": "é決\U0001f3df", "f": [1, "two", []]},
    "hostile text": {"'; DROP TABLE reservations; --": "../../etc/passwd", "<b>": "${jndi:ldap://x}"},
}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_metadata_reads_as_it_was_sent(account: Account, metadata: Json) -> None:
    put_stock(account)
    reservation = held(account, [{"sku": "NW-001", "quantity": 1}], metadata=metadata)
    assert reservation["metadata"] == metadata
    assert read(account, reservation["reference"])["metadata"] == metadata


def test_get_with_a_body_never_fails_inside(account: Account) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET":
            path = endpoint.path.format(event="final", sku="NW-001", reference="K7QX2-9PMDA")
            response = account.http.request("GET", path, content=b"{", headers={"Content-Type": "application/json"})
            assert response.status_code < 500, f"{endpoint}: {response.text}"
