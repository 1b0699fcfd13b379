"""Bodies and queries: what is taken, in which form, and what is refused with which path."""

import json
import time
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from service import names
from service.http.decode import canonical_query, decode_json, decode_query
from service.http.strict_json import DEPTH_MAX
from service.http.validate import metadata_errors
from service.refusals import InvalidRequest

EXAMPLE = b"""{
  "lines": [
    {"event": "final", "seats": ["101-A-12", "101-A-13"]},
    {"sku": "NW-001", "location": "default", "quantity": 2}
  ],
  "external_reference": "order-9001", "wait": false,
  "metadata": {"channel": "app"}
}"""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    event: names.Name | None = None
    seats: Annotated[list[names.SeatLabel], Meta(min_length=1, max_length=100)] | None = None
    sku: names.Name | None = None
    location: names.Name = "default"
    quantity: Annotated[int, Meta(ge=1, le=1000)] | None = None


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lines: Annotated[list[Line], Meta(min_length=1, max_length=100)]
    external_reference: names.ExternalReference | None = None
    wait: bool = False
    metadata: dict[str, Any] | UnsetType = UNSET

    def problems(self) -> list[tuple[str, str]]:
        errors = [] if self.metadata is UNSET else metadata_errors("$.metadata", self.metadata)
        seats = [seat for line in self.lines for seat in line.seats or []]
        return errors + [
            ("$.lines", f"names seat {seat} twice") for seat in sorted(set(seats)) if seats.count(seat) > 1
        ]


class Optional(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: names.Reason = ""
    ratio: float = 1.0


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    cursor: str | None = None
    state: Literal["held", "confirmed"] | None = None
    live: bool | None = None
    external_reference: names.ExternalReference | None = None


def errors_in(body: bytes, type_: type = Wish) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        decode_json(body, type_)
    return caught.value.errors


def paths_in(body: bytes, type_: type = Wish) -> list[str]:
    return [path for path, _ in errors_in(body, type_)]


def test_a_body_comes_out_as_its_type_and_its_canonical_form() -> None:
    decoded = decode_json(EXAMPLE, Wish)
    assert decoded.value.lines[0] == Line(event="final", seats=["101-A-12", "101-A-13"])
    assert decoded.value.metadata == {"channel": "app"}
    assert decoded.canonical == (
        b'{"external_reference":"order-9001","lines":[{"event":"final","seats":["101-A-12","101-A-13"]},'
        b'{"location":"default","quantity":2,"sku":"NW-001"}],"metadata":{"channel":"app"},"wait":false}'
    )


@pytest.mark.parametrize(
    ("body", "same", "is_same"),
    [
        (b'{"reason":"a","ratio":2}', b' {\n"ratio" : 2 ,\t"reason":"a"\r}', True),
        (rb'{"reason":"\u0061\u00e9"}', '{"reason":"aé"}'.encode(), True),
        (rb'{"reason":"\/"}', b'{"reason":"/"}', True),
        (b"", b"{}", True),
        (b"{}", b'{"reason":""}', False),  # an omitted default and an explicit one
        (b'{"ratio":1}', b'{"ratio":1.0}', False),
        (b'{"reason":"a"}', b'{"reason":"A"}', False),
        (b'{"reason":"a"}', b'{"reason":"a "}', False),
    ],
)
def test_the_canonical_form_is_of_the_json_as_sent(body: bytes, same: bytes, *, is_same: bool) -> None:
    assert (decode_json(body, Optional).canonical == decode_json(same, Optional).canonical) == is_same


def test_an_empty_body_lacks_what_is_required() -> None:
    assert errors_in(b"") == [("$.lines", "is required")]


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        (b" ", "$", "is not JSON at line 1, column 2: expecting value"),
        (b"{", "$", "is not JSON at line 1"),
        (b"{'lines': []}", "$", "is not JSON at line 1, column 2"),
        (b'{"lines": [],}', "$", "is not JSON"),
        (b'{"lines": []} {}', "$", "is not JSON at line 1, column 15: extra data"),
        (b'{"lines": []}\x00', "$", "is not JSON"),
        (b'{"lines": [/* none */]}', "$", "is not JSON"),
        (b'{"wait": True}', "$", "is not JSON"),
        (b'{"lines": [{"quantity": 01}]}', "$", "is not JSON"),
        (b'{"lines": [{"quantity": +1}]}', "$", "is not JSON"),
        (b'{"lines": [{"event": "a\nb"}]}', "$", "is not JSON at line 1"),
        (rb'{"lines": [{"event": "\x41"}]}', "$", "is not JSON"),
        (b"<html>", "$", "is not JSON"),
        (b'\xef\xbb\xbf{"lines": []}', "$", "begins with a byte order mark"),
        (b'{"lines": "\xff"}', "$", "is not UTF-8 at byte 12"),
        (b'{"lines": "\xed\xa0\x80"}', "$", "is not UTF-8"),
        ('{"lines": []}'.encode("utf-16"), "$", "is not UTF-8"),
        (b'{"lines": [], "lines": []}', "$.lines", "is there more than once"),
        (b'{"lines": [{"sku": "a", "sku": "a"}]}', "$.lines[0].sku", "is there more than once"),
        (rb'{"lines": [], "\u006cines": []}', "$.lines", "is there more than once"),
        (b'{"metadata": {"a": [{"b": 1, "b": 2}]}}', "$.metadata.a[0].b", "is there more than once"),
        (b'{"metadata": {"a b": 1, "a b": 2}}', '$.metadata["a b"]', "is there more than once"),
        (b'{"metadata": {"": 1, "": 2}}', '$.metadata[""]', "is there more than once"),
        (b'{"lines": [{"quantity": NaN}]}', "$.lines[0].quantity", "is NaN, which JSON has not"),
        (b'{"metadata": {"a": -Infinity}}', "$.metadata.a", "is -Infinity, which JSON has not"),
        (b'{"lines": [{"quantity": 1e400}]}', "$.lines[0].quantity", "is a number out of range"),
        (b'{"metadata": {"a": -1e400}}', "$.metadata.a", "is a number out of range"),
        (b'{"metadata": {"a": ' + b"9" * 5000 + b"}}", "$.metadata.a", "is a number out of range"),
        (rb'{"lines": [{"event": "\ud800"}]}', "$.lines[0].event", "holds a lone surrogate"),
        (rb'{"metadata": {"a": "\udc00x"}}', "$.metadata.a", "holds a lone surrogate"),
        (rb'{"metadata": {"\ud800\u0041": 1}}', r'$.metadata["\ud800A"]', "has a lone surrogate in its name"),
        (b"[" * 100_000, "$", f"is nested deeper than {DEPTH_MAX} levels"),
        (b'{"a":' * 100_000, "$", f"is nested deeper than {DEPTH_MAX} levels"),
        (b'{"metadata": ' + b"[" * 900 + b"]" * 900 + b"}", "$", f"is nested deeper than {DEPTH_MAX} levels"),
        (b"[]", "$", "must be an object, not an array"),
        (b"null", "$", "must be an object, not null"),
        (b'"lines"', "$", "must be an object, not a string"),
        (b"{}", "$.lines", "is required"),
        (b'{"lines": []}', "$.lines", "must have at least 1 item"),
        (b'{"lines": [' + b",".join([b"5"] * 101) + b"]}", "$.lines", "must have at most 100 items, not 101"),
        (b'{"lines": {}}', "$.lines", "must be an array, not an object"),
        (
            b'{"lines": [{}], "colour": 1}',
            "$.colour",
            "is unknown; known are lines, external_reference, wait, metadata",
        ),
        (b'{"lines": [{"Event": "a"}]}', "$.lines[0].Event", "is unknown"),
        (b'{"lines": [{"seats": ["101-A-1", 5]}]}', "$.lines[0].seats[1]", "must be a string, not an integer"),
        (b'{"lines": [{"seats": ["101-A"]}]}', "$.lines[0].seats[0]", "must be a seat's label: section-row-number"),
        (b'{"lines": [{"event": "../x"}]}', "$.lines[0].event", "must be a name of 1 to 64"),
        (b'{"lines": [{"event": "final "}]}', "$.lines[0].event", "must be a name of 1 to 64"),
        (rb'{"lines": [{"event": "final\u0000"}]}', "$.lines[0].event", "must be a name of 1 to 64"),
        (rb'{"lines": [{"event": "final\n"}]}', "$.lines[0].event", "must be a name of 1 to 64"),
        (b'{"lines": [{"quantity": 0}]}', "$.lines[0].quantity", "must be at least 1"),
        (b'{"lines": [{"quantity": 1' + b"0" * 30 + b"}]}", "$.lines[0].quantity", "must be at most 1000"),
        (b'{"lines": [{"quantity": 1.0}]}', "$.lines[0].quantity", "must be an integer or null, not a number"),
        (b'{"lines": [{"quantity": 1e0}]}', "$.lines[0].quantity", "must be an integer or null"),
        (b'{"lines": [{"quantity": true}]}', "$.lines[0].quantity", "must be an integer or null, not a boolean"),
        (b'{"lines": [{"quantity": "2"}]}', "$.lines[0].quantity", "must be an integer or null, not a string"),
        (b'{"lines": [{}], "wait": 1}', "$.wait", "must be true or false, not an integer"),
        (b'{"lines": [{}], "wait": "true"}', "$.wait", "must be true or false, not a string"),
        (b'{"lines": [{}], "metadata": null}', "$.metadata", "must be an object, not null"),
        (b'{"lines": [{"seats": ["1-A-1", "1-A-1"]}]}', "$.lines", "names seat 1-A-1 twice"),
        (b'{"lines": [{}], "metadata": {"a": "' + b"x" * 4090 + b'"}}', "$.metadata", "has 4098 bytes of JSON"),
        (b'{"lines": [{}], "metadata": {"a": [[[[[1]]]]]}}', "$.metadata", "is nested deeper than 5 levels"),
    ],
)
def test_a_flaw_is_refused_at_its_path(body: bytes, path: str, message: str) -> None:
    [(found_path, found_message)] = errors_in(body)
    assert found_path == path
    assert found_message.startswith(message)


def test_all_flaws_are_named_at_once() -> None:
    body = rb'{"a": 1, "a": 2, "b": [1e999, {"c": NaN}], "d": "\ud800"}'
    assert paths_in(body) == ["$.a", "$.b[0]", "$.b[1].c", "$.d"]


def test_all_errors_of_the_type_are_named_at_once() -> None:
    body = b'{"lines": [{"quantity": 0, "seats": []}, 5, {"event": 1, "x": 1}], "wait": null}'
    assert errors_in(body) == [
        ("$.lines[0].seats", "must have at least 1 item"),
        ("$.lines[0].quantity", "must be at least 1"),
        ("$.lines[1]", "must be an object, not an integer"),
        ("$.lines[2].x", "is unknown; known are event, seats, sku, location, quantity"),
        ("$.lines[2].event", "must be a string or null, not an integer"),
        ("$.wait", "must be true or false, not null"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"lines": [' + b",".join([b'{"a": 1, "b": 2}'] * 60) + b"]}",
        b"{" + b",".join(b'"x%d": 1' % number for number in range(500)) + b"}",
        b'{"metadata": [' + b",".join([b"1e999"] * 500) + b"]}",
        b'{"metadata": [' + b",".join([b'{"a":1,"a":2}'] * 500) + b"]}",
    ],
)
def test_no_more_than_a_hundred_errors_are_named(body: bytes) -> None:
    assert len(errors_in(body)) == 100


def test_a_deep_body_is_taken_up_to_the_limit() -> None:
    def nested(levels: int) -> bytes:
        return b'{"metadata": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"

    class Open(msgspec.Struct, forbid_unknown_fields=True):
        metadata: Any

    assert decode_json(nested(DEPTH_MAX), Open).canonical == nested(DEPTH_MAX).replace(b" ", b"")
    assert paths_in(nested(DEPTH_MAX + 1), Open) == ["$"]


def test_a_wide_body_is_not_a_deep_one() -> None:
    body = b'{"lines": [' + b",".join([b'{"seats": ["101-A-%d"]}' % number for number in range(100)]) + b"]}"
    assert len(decode_json(body, Wish).value.lines) == 100


def test_metadata_is_taken_up_to_its_limits() -> None:
    body = b'{"lines": [{}], "metadata": {"a": [[[[]]]], "b": "' + b"x" * 4075 + b'"}}'
    assert decode_json(body, Wish).value.metadata
    assert paths_in(body.replace(b"x", b"xx", 1)) == ["$.metadata"]


def test_text_comes_out_in_nfc_but_metadata_as_it_is() -> None:
    decomposed = "Ke\u0301y"
    body = json.dumps({"lines": [{}], "external_reference": decomposed, "metadata": {"a": decomposed}})
    for sent in (body.encode(), json.dumps(json.loads(body), ensure_ascii=False).encode()):
        value = decode_json(sent, Wish).value
        assert value.external_reference == "K\u00e9y"
        assert value.metadata == {"a": decomposed}
        assert value.lines == [Line()]


@pytest.mark.parametrize(
    "text",
    ["e\u0301" * 255, "\u03b1\u0313\u0300\u0345" * 255, "\u1112\u1161\u11ab" * 255],
    ids=["two code points each", "four", "syllables of Hangul"],
)
def test_characters_are_counted_in_nfc(text: str) -> None:
    body = json.dumps({"lines": [{}], "external_reference": text}).encode()
    composed = names.nfc(text)
    assert len(composed) == 255
    assert decode_json(body, Wish).value.external_reference == composed
    assert decode_query([("external_reference", text)], Page).external_reference == composed
    longer = json.dumps({"lines": [{}], "external_reference": text + text[:4]}).encode()
    assert paths_in(longer) == ["$.external_reference"]


def test_name_is_what_was_sent_and_not_what_nfc_makes_of_it() -> None:
    kelvin = "\u212a"
    assert names.nfc(kelvin) == "K"
    assert paths_in(json.dumps({"lines": [{"event": kelvin}]}).encode()) == ["$.lines[0].event"]


def test_text_that_no_form_makes_short_enough_is_refused_without_making_it() -> None:
    """Marks in the wrong order take a time that grows with the square of their number; a body has room for millions."""
    marks = "e" + "\u0315\u0300" * 1_500_000
    body = json.dumps({"lines": [{}], "external_reference": marks}, ensure_ascii=False).encode()
    began = time.process_time()
    assert errors_in(body) == [("$.external_reference", "must have at most 255 characters, not 3000001")]
    assert time.process_time() - began < 10


def test_text_that_is_too_long_in_nfc_is_refused() -> None:
    body = json.dumps({"lines": [{}], "external_reference": "\U0001d160" * 200})  # each becomes three
    assert errors_in(body.encode()) == [("$.external_reference", "must have at most 255 characters, not 600")]


@pytest.mark.parametrize(
    ("type_", "body", "error"),
    [
        (tuple[str, int], b'["a", "b"]', ("$[1]", "is not valid: expected `int`, got `str`")),
        (tuple[str, int], b"5", ("$", "is not valid: expected `array`, got `int`")),
    ],
)
def test_a_kind_of_type_that_has_no_words_of_its_own_is_refused_with_those_of_msgspec(
    type_: type, body: bytes, error: tuple[str, str]
) -> None:
    assert errors_in(body, type_) == [error]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(value=ANY_JSON, escaped=st.booleans())
def test_any_json_is_read_as_the_standard_library_reads_it(value: Any, *, escaped: bool) -> None:
    decoded = decode_json(json.dumps({"a": value}, ensure_ascii=escaped).encode(), dict)
    assert decoded.value == {"a": value}
    assert json.loads(decoded.canonical) == {"a": value}


class Repeating(list[tuple[str, Any]]):
    """An object as pairs, so that it can have a member twice."""


def written(value: object) -> str:
    match value:
        case Repeating():
            return "{" + ", ".join(f"{json.dumps(name)}: {written(member)}" for name, member in value) + "}"
        case list():
            return "[" + ", ".join(written(item) for item in value) + "]"
        case _:
            return json.dumps(value)


def repeats(value: object) -> bool:
    match value:
        case Repeating():
            names_ = [name for name, _ in value]
            return len(set(names_)) < len(names_) or any(repeats(member) for _, member in value)
        case list():
            return any(repeats(item) for item in value)
        case _:
            return False


# Few different names, and of the characters that could upset the counting of quotes.
AWKWARD = st.text(st.sampled_from('a"\\\u00e9:,{}u0022/\x00'), max_size=3)
WITH_REPEATS = st.recursive(
    AWKWARD | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(AWKWARD, inner), max_size=4).map(Repeating),
    max_leaves=10,
)


@given(WITH_REPEATS)
def test_a_body_is_refused_exactly_if_a_member_is_repeated(value: object) -> None:
    body = written(value).encode()
    if repeats(value):
        assert all(message == "is there more than once" for _, message in errors_in(body, object))
    else:
        decode_json(body, object)


@given(
    st.binary(max_size=60)
    | st.text('{}[]",:0123456789.eE-+ \\u\ud800nulltrefasNI', max_size=40).map(
        lambda text: text.encode("utf-8", "replace")
    )
)
def test_any_bytes_are_decoded_or_refused_with_a_path(body: bytes) -> None:
    try:
        canonical = decode_json(body, object).canonical
    except InvalidRequest:
        assert all(path.startswith("$") and message for path, message in errors_in(body, object))
    else:
        assert json.loads(canonical) == json.loads(body or b"{}")


@pytest.mark.parametrize(
    ("pairs", "page"),
    [
        ([], Page()),
        ([("limit", "500"), ("cursor", "abc")], Page(limit=500, cursor="abc")),
        ([("state", "held"), ("live", "true")], Page(state="held", live=True)),
        ([("live", "false")], Page(live=False)),
        ([("cursor", "500")], Page(cursor="500")),
        ([("external_reference", "Ke\u0301y ")], Page(external_reference="K\u00e9y ")),
    ],
)
def test_a_query_comes_out_as_its_type(pairs: list[tuple[str, str]], page: Page) -> None:
    assert decode_query(pairs, Page) == page


def test_parameter_that_is_a_list_may_be_repeated_and_each_is_judged() -> None:
    class Asked(msgspec.Struct, forbid_unknown_fields=True):
        name: list[Annotated[str, Meta(min_length=1)]] = []

    assert decode_query([], Asked).name == []
    assert decode_query([("name", "b"), ("name", "a")], Asked).name == ["b", "a"]
    with pytest.raises(InvalidRequest) as refused:
        decode_query([("name", "a"), ("name", "")], Asked)
    assert refused.value.errors == [("?name[1]", "must have at least 1 character")]


@pytest.mark.parametrize(
    ("pairs", "error"),
    [
        ([("colour", "red")], ("?colour", "is unknown; known are limit, cursor, state, live, external_reference")),
        ([("Limit", "5")], ("?Limit", "is unknown; known are limit, cursor, state, live, external_reference")),
        ([("limit", "5"), ("limit", "5")], ("?limit", "is there more than once")),
        ([("limit", "0")], ("?limit", "must be at least 1")),
        ([("limit", "501")], ("?limit", "must be at most 500")),
        ([("limit", "-1")], ("?limit", "must be at least 1")),
        ([("limit", "")], ("?limit", "must be an integer")),
        ([("limit", "ten")], ("?limit", "must be an integer")),
        ([("limit", "1.0")], ("?limit", "must be an integer")),
        ([("limit", "1e2")], ("?limit", "must be an integer")),
        ([("limit", "007")], ("?limit", "must be an integer")),
        ([("limit", "+5")], ("?limit", "must be an integer")),
        ([("limit", " 5")], ("?limit", "must be an integer")),
        ([("limit", "5\n")], ("?limit", "must be an integer")),
        ([("limit", "1_0")], ("?limit", "must be an integer")),
        ([("limit", "\u0665")], ("?limit", "must be an integer")),
        ([("limit", "9" * 5000)], ("?limit", "must be an integer")),
        ([("live", "True")], ("?live", "must be true or false")),
        ([("live", "1")], ("?live", "must be true or false")),
        ([("live", "")], ("?live", "must be true or false")),
        ([("state", "gone")], ("?state", 'must be "confirmed" or "held"')),
        ([("cursor", "\ud800")], ("?cursor", "holds a lone surrogate")),
        ([("external_reference", "")], ("?external_reference", "must have at least 1 character")),
    ],
)
def test_a_wrong_parameter_is_refused_at_its_name(pairs: list[tuple[str, str]], error: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_query(pairs, Page)
    assert caught.value.errors == [error]


def test_the_canonical_query_does_not_depend_on_order() -> None:
    assert canonical_query([]) == b""
    assert canonical_query([("b", "2"), ("a", "1")]) == canonical_query([("a", "1"), ("b", "2")])


@given(st.lists(st.tuples(st.text(), st.text()), max_size=3), st.lists(st.tuples(st.text(), st.text()), max_size=3))
def test_different_queries_have_different_canonical_forms(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    assume(sorted(one) != sorted(other))
    assert canonical_query(one) != canonical_query(other)
