"""The same request has the same fingerprint, and nothing else has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.idempotency.fingerprint import FINGERPRINT_VERSION, fingerprint, mismatch
from service.idempotency.scope import scope_hash

FIRST = fingerprint({"reference": "K7QX29PMD8"}, b"q", b"{}")


def test_a_fingerprint_is_three_hashes() -> None:
    assert len(FIRST) == 96
    assert FINGERPRINT_VERSION == 1


def test_this_version_gives_what_it_gave_when_records_were_made_with_it() -> None:
    """Another result needs another FINGERPRINT_VERSION: records outlive a deploy."""
    assert FIRST.hex()[:64] == "271b2ca7885715273b54008f2f4195fbbac696d4bb069b7d16ea69e94ad55672"
    assert fingerprint({}, b"", b"{}").hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )


@pytest.mark.parametrize(
    ("again", "differs"),
    [
        (fingerprint({"reference": "K7QX29PMD8"}, b"q", b"{}"), []),
        (fingerprint({"reference": "0000000000"}, b"q", b"{}"), ["path"]),
        (fingerprint({"event": "K7QX29PMD8"}, b"q", b"{}"), ["path"]),
        (fingerprint({"reference": "K7QX29PMD8"}, b"", b"{}"), ["query"]),
        (fingerprint({"reference": "K7QX29PMD8"}, b"q", b'{"a":1}'), ["body"]),
        (fingerprint({}, b"", b""), ["path", "query", "body"]),
        (fingerprint({"reference": "K7QX29PMD8"}, b"{}", b"q"), ["query", "body"]),
    ],
)
def test_the_parts_that_differ_are_named(again: bytes, differs: list[str]) -> None:
    assert mismatch(FIRST, again) == differs


def test_the_order_of_path_parameters_does_not_count() -> None:
    assert fingerprint({"a": "1", "b": "2"}, b"", b"") == fingerprint({"b": "2", "a": "1"}, b"", b"")


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": "bc"}, {"ab": "c"}), ({"a": "b", "c": "d"}, {"a": "bcd"}), ({"a": ""}, {}), ({"a": "b"}, {"a": "B"})],
)
def test_path_parameters_do_not_run_into_each_other(one: dict[str, str], other: dict[str, str]) -> None:
    assert mismatch(fingerprint(one, b"", b""), fingerprint(other, b"", b"")) == ["path"]


ACCOUNT = b"a" * 16
USUAL = (ACCOUNT, "box office", "POST", "/v1/reservations", "key-1")


@pytest.mark.parametrize(
    "other",
    [
        (b"b" * 16, "box office", "POST", "/v1/reservations", "key-1"),
        (ACCOUNT, "app", "POST", "/v1/reservations", "key-1"),
        (ACCOUNT, "box office", "PUT", "/v1/reservations", "key-1"),
        (ACCOUNT, "box office", "POST", "/v1/reservations/{reference}/confirm", "key-1"),
        (ACCOUNT, "box office", "POST", "/v1/reservations", "KEY-1"),
        (ACCOUNT, "box officeP", "OST", "/v1/reservations", "key-1"),
        (ACCOUNT, "box office", "POST", "/v1/reservationsk", "ey-1"),
    ],
)
def test_a_key_is_its_own_within_account_principal_method_and_route(other: tuple[bytes, str, str, str, str]) -> None:
    assert scope_hash(*other) != scope_hash(*USUAL)


def test_the_same_scope_gives_the_same_32_bytes() -> None:
    assert scope_hash(*USUAL) == scope_hash(*USUAL)
    assert len(scope_hash(*USUAL)) == 32
    assert scope_hash(*USUAL).hex() == "733c331c8238d7a15e80ae4be488f94594aa4800fdd9998c4993da4825f2c196"


@given(st.lists(st.text(), min_size=4, max_size=4), st.lists(st.text(), min_size=4, max_size=4))
def test_two_scopes_are_one_only_if_all_their_parts_are(one: list[str], other: list[str]) -> None:
    assert (scope_hash(ACCOUNT, *one) == scope_hash(ACCOUNT, *other)) == (one == other)
