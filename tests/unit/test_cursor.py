"""A cursor continues its own list, and is refused anywhere else."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.cursor import decode_cursor, encode_cursor
from service.refusals import InvalidRequest

SCOPE = b"account, seats of final, section 101"
VALUES = ("101-A-12", 7, b"\x00\xff", None)


def refused(scope: bytes, text: str) -> bool:
    try:
        decode_cursor(scope, text)
    except InvalidRequest as refusal:
        return [path for path, _ in refusal.errors] == ["?cursor"]
    return False


def test_a_cursor_gives_back_what_it_was_made_of() -> None:
    assert decode_cursor(SCOPE, encode_cursor(SCOPE, VALUES)) == VALUES


@given(
    st.binary(max_size=100),
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary() | st.none(), max_size=4),
)
def test_any_values_read_back_from_url_safe_text(scope: bytes, values: list[object]) -> None:
    text = encode_cursor(scope, tuple(values))
    assert text.replace("-", "").replace("_", "").isalnum()
    if len(text) <= 1024:
        assert decode_cursor(scope, text) == tuple(values)


def test_a_cursor_of_another_list_is_refused() -> None:
    assert refused(SCOPE + b"!", encode_cursor(SCOPE, VALUES))


def test_every_changed_symbol_is_noticed() -> None:
    text = encode_cursor(SCOPE, VALUES)
    for place, symbol in enumerate(text):
        for other in "Aa9_-":
            if other != symbol:
                assert refused(SCOPE, text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize("end", ["A", "=", "\n", " ", "\x00", "é"])
def test_a_cursor_with_something_behind_it_is_refused(end: str) -> None:
    assert refused(SCOPE, encode_cursor(SCOPE, VALUES) + end)


def test_a_cursor_that_was_cut_is_refused() -> None:
    text = encode_cursor(SCOPE, VALUES)
    assert all(refused(SCOPE, text[:length]) for length in range(len(text)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "1",
        "\ud800",
        "../../etc/passwd",
        "' OR 1=1 --",
        "A" * 20_000,
        urlsafe_b64encode(b"\x94\x01\x02\x03\x04" * 5).decode(),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    assert refused(SCOPE, text)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    assert refused(SCOPE, text)
