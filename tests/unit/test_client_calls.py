"""The client against the API's own tables: every endpoint has its call, every problem its exception."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from service import problems
from service.app import ENDPOINTS
from service.client import AsyncHoldfast, Holdfast, best_available, calls, operators, seats, stock
from service.client.calls import AnyCall, Call, Listing
from service.client.policy import Policy
from service.client.problems import BY_SLUG, Problem, UnknownProblem, problem_of
from service.client.replies import Reply
from service.client.sending import read_answer
from service.http.decode import decode_json
from service.http.endpoint import Endpoint
from service.inventory.bodies import Category, PutSeat
from service.reservations import examples
from service.reservations.views import ReservationView

REFERENCE = "K7QX2-9PMD8"
RESERVATION = msgspec.convert(examples.RESERVATION, ReservationView)

# A call of each operation, with all that it may be given.
EVERY: tuple[AnyCall | Listing[Any, Any], ...] = (
    calls.hold(
        seats("final", "101-A-12", "101-A-13"),
        best_available("final", 2, section="102", category="1", together=False),
        stock("NW-001", 2, location="Lager"),
        customer="c-77",
        external_reference="order-9001",
        hold_seconds=60,
        wait=True,
        wait_seconds=3600,
        metadata={"channel": "app"},
        reason="by phone",
    ),
    calls.confirm(REFERENCE, late="if_available", reason="paid", if_match=1),
    calls.extend(REFERENCE, 600, reason="slow", if_match=1),
    calls.release(REFERENCE, [1, 2], reason="changed", if_match=1),
    calls.cancel(REFERENCE, [1], refund="credit", reason="ill", if_match=2),
    calls.reservation(REFERENCE),
    calls.reservations(
        state="held",
        customer="c-77",
        event="final",
        sku="NW-001",
        expires_before="2097-06-05T19:00:00Z",
        created_before="2097-06-05T19:00:00Z",
        stale=True,
        external_reference="order-9001",
        order="expires",
        page_size=10,
    ),
    calls.history(REFERENCE, page_size=10),
    calls.put_event(
        "final",
        name="Final",
        starts_at="2097-06-05T19:00:00Z",
        categories=[Category("1", "Lower tier", 12500, "EUR")],
        hold_seconds=60,
        hold_seconds_max=120,
        sales="closed",
        front_row="A",
        if_match=1,
    ),
    calls.event("final"),
    calls.events(page_size=10),
    calls.put_seats("final", [PutSeat("101", "A", "12", "1", 525.5, 226.5)]),
    calls.seat_map("final", section="101", state="available", category="1", page_size=10),
    calls.availability("final"),
    calls.block_seats("final", "101-A-12", reason="camera"),
    calls.unblock_seats("final", "101-A-12", reason="moved"),
    calls.put_stock("NW-001", on_hand=1, amount=1800, currency="USD", description="Chai", location="Lager", if_match=1),
    calls.adjust_stock("NW-001", reference="delivery-77", delta=-3, reason="damaged", location="Lager"),
    calls.stock_item("NW-001", location="Lager"),
    calls.stock_items(sku="NW-001", page_size=10),
    calls.messages(after="1", limit=10),
    calls.status("order-9001"),
    calls.me(),
    operators.release_seen([RESERVATION], reason="the worker was down"),
    operators.count_reservations(
        state="held",
        customer="c-77",
        event="final",
        sku="NW-001",
        expires_before="2097-06-05T19:00:00Z",
        created_before="2097-06-05T19:00:00Z",
        stale=False,
        external_reference="order-9001",
        at_most=10,
    ),
    operators.timeline(REFERENCE, page_size=10),
    operators.key_records("order-9001", principals=["operator:ann"]),
    operators.hot_rows(),
)


def sent(made: AnyCall | Listing[Any, Any]) -> AnyCall:
    return made.at("next") if isinstance(made, Listing) else made


CALLS = {(call.method, call.route): call for call in map(sent, EVERY)}
ENDPOINTS_OF = {(declared.method, declared.path): declared for declared in ENDPOINTS}
EACH = pytest.mark.parametrize("declared", ENDPOINTS, ids=lambda declared: f"{declared.method} {declared.path}")


@EACH
def test_endpoint_has_a_call_that_reads_its_answer(declared: Endpoint) -> None:
    call = CALLS[declared.method, declared.path]
    assert set(declared.answers.values()) == {call.answer}
    example = msgspec.json.encode(declared.answer_example)
    answer = read_answer(call, Reply(min(declared.answers), {}, example))
    again = msgspec.json.decode(msgspec.json.encode(answer))
    assert set(msgspec.json.decode(example)) <= set(again)


@EACH
def test_what_a_call_sends_is_what_the_endpoint_takes(declared: Endpoint) -> None:
    call = CALLS[declared.method, declared.path]
    assert (call.body is None) == (declared.body is None)
    if declared.body is not None:
        assert call.body is not None
        body = decode_json(call.body, declared.body).value
        assert set(msgspec.json.decode(call.body)) == {field.encode_name for field in msgspec.structs.fields(body)}
    asked = dict(parse_qsl(urlsplit(call.target).query))
    takes = () if declared.query is None else msgspec.structs.fields(declared.query)
    assert set(asked) == {field.encode_name for field in takes}
    assert (call.key is not None) == (declared.method != "GET")


def test_every_call_is_of_an_endpoint_and_a_method_of_both_clients() -> None:
    assert set(CALLS) == set(ENDPOINTS_OF)
    made = {
        name
        for module in (calls, operators)
        for name, each in vars(module).items()
        if getattr(each, "__module__", "") == module.__name__ and callable(each) and not name.startswith("_")
    }
    operations = made - {"AnyCall", "Call", "Listing", "new_key", "seats", "best_available", "stock", "change", "read"}
    assert len(operations) == len(EVERY)
    for kind in (Holdfast, AsyncHoldfast):
        assert operations <= set(vars(kind))


def test_what_is_left_out_is_not_sent() -> None:
    assert calls.hold(stock("NW-001")).body == b'{"lines":[{"sku":"NW-001","location":"default","quantity":1}]}'
    assert calls.confirm(REFERENCE).body == b"{}"
    assert calls.stock_items().at(None).target == "/v1/stock"


@pytest.mark.parametrize(
    ("call", "target"),
    [
        (calls.event("a/b?c"), "/v1/events/a%2Fb%3Fc"),
        (calls.stock_item("NW 1", location="a&b"), "/v1/stock/NW%201?location=a%26b"),
        (
            calls.reservations(external_reference="Größe 1").at(None),
            "/v1/reservations?external_reference=Gr%C3%B6%C3%9Fe+1",
        ),
    ],
)
def test_names_cannot_leave_their_place_in_the_address(call: Call[Any], target: str) -> None:
    assert call.target == target


def test_each_call_has_a_key_of_its_own_or_the_one_it_is_given() -> None:
    drawn = {calls.hold(stock("NW-001")).key for _ in range(100)}
    assert len(drawn) == 100
    assert calls.hold(stock("NW-001"), key="order-1").key == "order-1"
    assert calls.hold(stock("NW-001"), key='"order-1"').key == "order-1"


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("", "the idempotency key is empty"),
        ("order 1", "the idempotency key contains a space"),
        ("ordér", "the idempotency key"),
        ("x" * 256, "has 256 bytes, which is more than 255"),
        ('"order', "has a quote"),
        (r'"or\"der"', "has a quote"),
        ("order\n", "the idempotency key"),
    ],
)
def test_key_that_is_none_is_refused_before_anything_is_sent(key: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        calls.hold(stock("NW-001"), key=key)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "must be like https://"),
        ("tickets.example", "must be like https://"),
        ("ftp://tickets.example", "must be like https://"),
        ("http://", "must be like https://"),
        ("https://tickets.example:port", "is no URL: Invalid port"),
        ("https://[::1", "is no URL"),
    ],
)
@pytest.mark.parametrize("kind", [Holdfast, AsyncHoldfast])
def test_address_that_is_none_is_refused_at_once(kind: Callable[..., object], url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        kind(url, "hf_a_b")


@pytest.mark.parametrize("key", ["", "hf a", "hf_a\r\nX-Evil: 1", "hf_ä"])
@pytest.mark.parametrize("kind", [Holdfast, AsyncHoldfast])
def test_api_key_that_is_no_header_is_refused_and_not_quoted(kind: Callable[..., object], key: str) -> None:
    with pytest.raises(ValueError, match=r"the API key must be visible ASCII characters, as in hf_…"):
        kind("http://tickets.example", key, policy=Policy())


def test_every_problem_has_its_exception_and_none_is_invented() -> None:
    assert set(BY_SLUG) == {row.slug for row in problems.TABLE}


@pytest.mark.parametrize("row", problems.TABLE, ids=lambda row: row.slug)
def test_problem_is_raised_with_its_facts(row: problems.Row) -> None:
    made = problems.example(row, "r-1")
    document = msgspec.json.decode(made.body)
    error = problem_of(Reply(made.status, {"content-type": problems.MEDIA_TYPE}, made.body), "k-1")
    assert type(error) is BY_SLUG[row.slug]
    assert (error.key, error.status, error.title, error.instance) == ("k-1", row.status, row.title, "r-1")
    assert (error.retryable, error.retry_with) == (row.retryable, row.retry_with)
    assert str(error) == f"{document['title']}. {document['detail']}"
    facts = {name: getattr(error, name) for name in row.facts}
    assert msgspec.to_builtins(facts) == {name: document[name] for name in row.facts}
    assert set(vars(error)) - {"reply", "key"} == {*document} - {"type"}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"),
        Reply(409, {"content-type": problems.MEDIA_TYPE}, b'{"type": "/problems/of-a-later-version", "title": "New"}'),
        Reply(409, {"content-type": problems.MEDIA_TYPE}, b'{"type": "/problems/state-conflict"}'),
        Reply(409, {"content-type": problems.MEDIA_TYPE}, b'{"type": "/problems/sales-closed", "event": 7}'),
        Reply(
            409, {"content-type": problems.MEDIA_TYPE}, b'{"type": "/problems/inventory-unavailable", "unavailable": 1}'
        ),
        Reply(
            409,
            {"content-type": problems.MEDIA_TYPE},
            b'{"type": "/problems/inventory-unavailable", "unavailable": [1]}',
        ),
        Reply(400, {"content-type": problems.MEDIA_TYPE}, b'{"type"'),
        Reply(500, {}, b""),
    ],
    ids=["html", "later-version", "facts-missing", "wrong-type", "no-list", "no-object", "truncated", "empty"],
)
def test_answer_in_unknown_words_is_a_problem_that_keeps_all_of_it(reply: Reply) -> None:
    error = problem_of(reply, "k-1")
    assert type(error) is UnknownProblem
    assert isinstance(error, Problem)
    assert (error.status, error.reply, error.key) == (reply.status, reply, "k-1")
    assert str(error)
