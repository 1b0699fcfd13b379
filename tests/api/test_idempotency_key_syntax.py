"""What is a key and what is none: judged before anything is read or stored."""

from typing import Any

import httpx
import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import done, held, references, stock_counts
from tests.make import put_event, put_stock

UNIT = {"lines": [{"sku": "NW-001", "quantity": 1}]}
Headers = list[tuple[bytes, bytes]]


def create(account: Account, *values: bytes, body: dict[str, Any] | None = None) -> httpx.Response:
    """A create with one `Idempotency-Key` header line for each value."""
    headers: Headers = [(b"Idempotency-Key", value) for value in values]
    return account.http.post("/v1/reservations", json=body or UNIT, headers=headers)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(b"k", id="one symbol"),
        pytest.param(b"k" * 255, id="255 bytes"),
        pytest.param(b"7f9c24e8-3b12-4fef-91e0-56a2d6f3b0c1", id="uuid"),
        pytest.param(b"order/9001:retry=1&a[b]{c}~!#$%^*()+?<>|.;", id="every sort of visible ASCII"),
        pytest.param(b"'; DROP TABLE reservations; --".replace(b" ", b"_"), id="SQL"),
        pytest.param(b"../../etc/passwd", id="path"),
    ],
)
def test_visible_ascii_of_up_to_255_bytes_is_a_key(account: Account, key: bytes) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    first, again = create(account, key), create(account, key)
    assert (first.status_code, first.headers["Idempotent-Replayed"]) == (201, "false"), first.text
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert stock_counts(account) == (1, 0, 4)


@pytest.mark.parametrize(
    ("first_form", "second_form"),
    [
        pytest.param(b"abc", b'"abc"', id="bare and then quoted"),
        pytest.param(b'"abc"', b"abc", id="quoted and then bare"),
    ],
)
def test_bare_and_quoted_forms_are_the_same_key(account: Account, first_form: bytes, second_form: bytes) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    first, again = create(account, first_form), create(account, second_form)
    assert first.status_code == 201, first.text
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([b""], id="empty"),
        pytest.param([b'""'], id="empty in quotes"),
        pytest.param([b"k" * 256], id="256 bytes"),
        pytest.param([b"k" * 5000], id="5000 bytes"),
        pytest.param([b"a b"], id="space"),
        pytest.param([b'"a b"'], id="space in quotes"),
        pytest.param([b"a\tb"], id="tab"),
        pytest.param(["é".encode("latin-1")], id="Latin-1"),
        pytest.param(["ключ".encode()], id="UTF-8"),
        pytest.param([b"a\xc2\xa0b"], id="no-break space"),
        pytest.param([b"one", b"two"], id="two header lines"),
        pytest.param([b"one", b"one"], id="the same header line twice"),
        pytest.param([b'"abc'], id="quote never closed"),
        pytest.param([b'"'], id="a quote alone"),
    ],
)
def test_bad_key_is_refused_and_nothing_happens(account: Account, values: list[bytes]) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    answer = create(account, *values)
    refused(answer, "idempotency-key-invalid")
    assert "Idempotent-Replayed" not in answer.headers
    assert "Idempotency-Expires" not in answer.headers
    assert references(account) == []


def test_bad_key_is_refused_where_a_key_is_optional(account: Account) -> None:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-A-1"]}])["reference"]
    answer = account.http.post(f"/v1/reservations/{reference}/confirm", headers={"Idempotency-Key": "a b"})
    refused(answer, "idempotency-key-invalid")
    assert done(account, reference, "confirm")["version"] == 2


def test_bad_key_is_judged_before_a_replay_is_looked_for(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    assert create(account, b"abc").status_code == 201
    refused(create(account, b"abc", b"abc"), "idempotency-key-invalid")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(b"Order-1", b"order-1", id="case"),
        pytest.param(b"order-1", b"order-1.", id="a dot at the end"),
        pytest.param(b"order-1", b"order_1", id="hyphen and underscore"),
        pytest.param(b"order-1", b"order-01", id="a zero"),
        pytest.param(b"a" * 254 + b"x", b"a" * 254 + b"y", id="the last of 255 symbols"),
    ],
)
def test_keys_that_differ_a_little_are_two_keys(account: Account, one: bytes, other: bytes) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    answers = [create(account, one), create(account, other)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["reference"] != answers[1].json()["reference"]
    assert stock_counts(account) == (2, 0, 3)


def test_header_name_is_read_in_any_case(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    first = account.http.post("/v1/reservations", json=UNIT, headers={"IDEMPOTENCY-KEY": "abc"})
    again = account.http.post("/v1/reservations", json=UNIT, headers={"idempotency-key": "abc"})
    assert first.status_code == 201, first.text
    assert again.content == first.content
