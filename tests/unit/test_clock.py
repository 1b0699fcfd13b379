"""Instants are milliseconds inside and RFC 3339 outside."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clock import INSTANT_MAX_MS, from_rfc3339, now_ms, to_rfc3339


@pytest.mark.parametrize(
    ("instant_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (1_811_844_600_000, "2027-06-01T10:10:00.000Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
        (INSTANT_MAX_MS, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_an_instant_is_written_with_milliseconds_and_z(instant_ms: int, text: str) -> None:
    assert to_rfc3339(instant_ms) == text
    assert from_rfc3339(text) == instant_ms


@pytest.mark.parametrize(
    "text",
    [
        "2027-06-05T19:00:00Z",
        "2027-06-05t19:00:00z",
        "2027-06-05T19:00:00.000000000Z",
        "2027-06-05T21:00:00+02:00",
        "2027-06-05T13:30:00-05:30",
        "2027-06-06T09:00:00.0009+14:00",
        "2027-06-05T19:00:00-00:00",
    ],
)
def test_any_offset_names_the_same_instant(text: str) -> None:
    assert from_rfc3339(text) == 1_812_222_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2027-06-05",
        "2027-06-05T19:00Z",
        "2027-06-05T19:00:00",  # no offset
        "2027-06-05 19:00:00Z",
        "2027-06-05T19:00:00,5Z",
        "2027-06-05T19:00:00.Z",
        "2027-06-05T19:00:00Z\n",
        " 2027-06-05T19:00:00Z",
        "2027-06-05T19:00:00+0200",
        "2027-06-05T19:00:00+24:00",
        "2027-06-05T24:00:00Z",
        "2027-06-05T23:59:60Z",  # no leap seconds
        "2027-02-29T00:00:00Z",
        "2027-13-01T00:00:00Z",
        "2027-00-01T00:00:00Z",
        "2027-W22-6T19:00:00Z",
        "20270605T190000Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-00:01",
        "12027-06-05T19:00:00Z",
        "\u0662027-06-05T19:00:00Z",
    ],
)
def test_what_is_no_instant_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_rfc3339(text)


@given(st.integers(0, INSTANT_MAX_MS))
def test_every_instant_reads_back(instant_ms: int) -> None:
    assert from_rfc3339(to_rfc3339(instant_ms)) == instant_ms


@given(st.text(max_size=30))
def test_any_text_is_an_instant_or_a_value_error(text: str) -> None:
    try:
        instant_ms = from_rfc3339(text)
    except ValueError:
        return
    assert 0 <= instant_ms <= INSTANT_MAX_MS


def test_now_is_now() -> None:
    assert abs(now_ms() - datetime.now(UTC).timestamp() * 1000) < 1000
