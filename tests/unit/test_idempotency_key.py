"""Which header lines are a key, and which key they are."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.idempotency.key import KEY_PATTERN, parse_idempotency_key
from service.refusals import IdempotencyKeyInvalid


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b"abc", "abc"),
        (b'"abc"', "abc"),
        (b"ABC", "ABC"),
        (b" \tabc\t ", "abc"),
        (b' "abc" ', "abc"),
        (b"01a20b8f-6e64-7661-9b4a-89c64f159408", "01a20b8f-6e64-7661-9b4a-89c64f159408"),
        (b"a,b;c=d", "a,b;c=d"),
        (b'"a,b;c=d"', "a,b;c=d"),
        (rb'"a\"b\\c"', r'a"b\c'),
        (rb"a\b", r"a\b"),
        (rb'"a\\b"', r"a\b"),
        (rb'"\\\\"', r"\\"),
        (b"../../x", "../../x"),
        (b"x" * 255, "x" * 255),
        (b'"' + b"x" * 255 + b'"', "x" * 255),
        (b'"' + rb"\"" * 255 + b'"', '"' * 255),
    ],
)
def test_a_bare_and_a_quoted_key_are_read(line: bytes, key: str) -> None:
    assert parse_idempotency_key([line]) == key


def test_no_header_is_no_key() -> None:
    assert parse_idempotency_key([]) is None


def test_keys_that_differ_in_case_are_two() -> None:
    assert parse_idempotency_key([b"key"]) != parse_idempotency_key([b"KEY"])


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([b""], "is empty"),
        ([b"  "], "is empty"),
        ([b'""'], "is empty"),
        ([b"x" * 256], "has 256 bytes, which is more than 255"),
        ([b'"' + b"x" * 256 + b'"'], "has 256 bytes, which is more than 255"),
        ([b"a b"], "contains a space"),
        ([b'"a b"'], "contains a space"),
        ([b'" abc"'], "contains a space"),
        ([b"a\tb"], "contains a control character"),
        ([b"a\x00b"], "contains a control character"),
        ([b"a\x7f"], "contains a control character"),
        ([b"a\r\nb"], "contains a control character"),
        ([b"\xc3\xa9"], "contains a character outside ASCII"),
        ([b"caf\xe9"], "contains a character outside ASCII"),
        ([b"abc", b"abc"], "stands in more than one header line"),
        ([b"abc", b""], "stands in more than one header line"),
        ([b'"abc'], "has a quote that is not part of one whole quoted string"),
        ([b'"'], "has a quote that is not part of one whole quoted string"),
        ([b'abc"'], "has a quote that is not part of one whole quoted string"),
        ([b'a"b"c'], "has a quote that is not part of one whole quoted string"),
        ([rb'"abc\"'], "has a quote that is not part of one whole quoted string"),
        ([rb'"a\bc"'], "has a quote that is not part of one whole quoted string"),
        ([b'"abc";p=1'], "has a quote that is not part of one whole quoted string"),
        ([b'"a","b"'], "has a quote that is not part of one whole quoted string"),
    ],
)
def test_what_is_no_key_is_refused_with_its_reason(lines: list[bytes], reason: str) -> None:
    with pytest.raises(IdempotencyKeyInvalid) as caught:
        parse_idempotency_key(lines)
    assert caught.value.reason == reason


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255))
def test_every_visible_key_can_be_sent_quoted(key: str) -> None:
    quoted = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert parse_idempotency_key([quoted.encode()]) == key


@given(st.binary(max_size=300))
def test_any_bytes_are_a_key_or_refused(line: bytes) -> None:
    try:
        key = parse_idempotency_key([line])
    except IdempotencyKeyInvalid:
        return
    assert key
    assert len(key) <= 255
    assert all("\x21" <= symbol <= "\x7e" for symbol in key)


@given(text=st.text(alphabet='ab"\\ !~[]\té', max_size=8).filter(lambda text: text == text.strip()))
def test_pattern_of_the_document_says_what_a_key_is(text: str) -> None:
    try:
        key = parse_idempotency_key([text.encode()])
    except IdempotencyKeyInvalid:
        key = None
    assert bool(re.search(KEY_PATTERN, text)) == (key is not None)
