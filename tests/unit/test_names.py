"""Which texts a client may choose, and which not: the types of wire structs, tried on one value at a time."""

import sys
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import names


def takes(type_: object, text: str) -> bool:
    try:
        msgspec.convert(text, type_)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("text", ["a", "NW-001", "A.b_c~d-9", "...", ".a", "0", "x" * 64])
def test_a_name_is_1_to_64_safe_characters(text: str) -> None:
    assert takes(names.Name, text)
    assert names.is_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "x" * 65,
        "a b",
        "a ",
        " a",
        "a\n",
        "a/b",
        "../a",
        "a%20b",
        "a'b",
        'a"b',
        "a;--",
        "a\x00",
        "é",
        "\u0661",
        "\uff41",
    ],
)
def test_anything_else_is_no_name(text: str) -> None:
    assert not takes(names.Name, text)
    assert not names.is_name(text)


@pytest.mark.parametrize(
    ("label", "parts"),
    [
        ("101-A-12", ("101", "A", "12")),
        ("Upper Tier-AA-1b", ("Upper Tier", "AA", "1b")),
        ("Block 7-West-A-12", ("Block 7-West", "A", "12")),
        ("--A-1", ("-", "A", "1")),
        ("A.b_c -d-e-f", ("A.b_c -d", "e", "f")),
        ("s" * 32 + "-rrrrrrrr-nnnnnnnn", ("s" * 32, "rrrrrrrr", "nnnnnnnn")),
        (" -A-1", (" ", "A", "1")),
    ],
)
def test_a_label_is_parted_at_its_last_two_hyphens(label: str, parts: tuple[str, str, str]) -> None:
    assert takes(names.SeatLabel, label)
    assert names.section_of(label) == parts[0]
    assert names.section_of(label) == parts[0]
    assert names.seat_label(*parts) == label


@pytest.mark.parametrize(
    "label",
    [
        "",
        "101",
        "101-A",
        "101--12",
        "101-A-",
        "-A-12",
        "101-A-12 ",
        "101-A-12\n",
        "101-A -12",
        "101-A-1.5",
        "101-AAAAAAAAA-1",
        "101-A-123456789",
        "s" * 33 + "-A-1",
        "1'01-A-12",
        "../etc-A-12",
        "101\x00-A-12",
        "Süd-A-12",
        "101-\u0410-12",  # a Cyrillic A
        "101-A-\u0661",
    ],
)
def test_what_has_not_three_parts_of_the_grammar_is_no_label(label: str) -> None:
    assert not takes(names.SeatLabel, label)


@given(st.from_regex(r"[A-Za-z0-9 ._-]{1,32}", fullmatch=True), st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True))
def test_every_label_of_valid_parts_is_one_and_tells_its_section(section: str, place: str) -> None:
    label = names.seat_label(section, place, place)
    assert takes(names.Section, section)
    assert takes(names.Row, place)
    assert takes(names.Number, place)
    assert takes(names.SeatLabel, label)
    assert names.section_of(label) == section


@pytest.mark.parametrize(
    "text",
    [
        "order-9001",
        "o",
        "a b ",
        "'; DROP TABLE seats; --",
        "../x",
        "日本語",
        "سفارش",
        "🎟️ 👨‍👩‍👧",
        "é",
        "\u00a0",
        "x" * 255,
    ],
)
def test_an_external_reference_is_any_printable_text(text: str) -> None:
    assert takes(names.ExternalReference, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 256,
        "a\nb",
        "a\n",
        "\t",
        "a\x00b",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202eabc",
        "\u2066",
        "\ufeffa",
        "\uffff",
    ],
)
def test_an_external_reference_holds_no_control_characters(text: str) -> None:
    assert not takes(names.ExternalReference, text)


@pytest.mark.parametrize(
    ("type_", "longest", "may_be_empty"),
    [
        (names.Title, 200, False),
        (names.Description, 200, True),
        (names.Reason, 200, True),
        (names.HolderName, 60, False),
    ],
)
def test_text_for_people_is_bounded_and_printable(type_: object, longest: int, *, may_be_empty: bool) -> None:
    assert takes(type_, "é" * longest)
    assert not takes(type_, "é" * (longest + 1))
    assert takes(type_, "") == may_be_empty
    assert not takes(type_, "two\nlines")


@pytest.mark.parametrize(
    ("text", "right"), [("EUR", True), ("eur", False), ("EURO", False), ("EU", False), ("EUR\n", False)]
)
def test_a_currency_is_three_capital_letters(text: str, *, right: bool) -> None:
    assert takes(names.Currency, text) == right


@pytest.mark.parametrize(
    ("text", "right"),
    [("2027-06-05T19:00:00Z", True), ("2027-06-05T19:00:00.5+02:00", True), ("2027-06-05", False), ("now", False)],
)
def test_an_instant_has_the_form_of_rfc_3339(text: str, *, right: bool) -> None:
    assert takes(names.Instant, text) == right


def test_nfc_makes_one_text_of_two_spellings() -> None:
    assert names.nfc("Ke\u0301y") == names.nfc("K\u00e9y") == "K\u00e9y"
    assert names.nfc("plain ") == "plain "


def test_nfc_makes_one_code_point_of_no_more_than_four() -> None:
    every = (chr(code) for code in range(sys.maxunicode + 1))
    assert max(len(unicodedata.normalize("NFD", one)) for one in every) == names.NFC_SHORTENS_MOST
