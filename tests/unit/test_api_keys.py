"""The text of API keys: enough secret, read back exactly, nothing else taken for one."""

import pytest

from service.accounts.keys import hash_of, new_key_text, parse_key


def test_key_is_read_back_to_its_prefix_and_the_hash_of_its_secret() -> None:
    drawn = new_key_text()
    parsed = parse_key(drawn.text.encode())
    assert parsed is not None
    prefix, secret = parsed
    assert prefix == drawn.prefix
    assert hash_of(secret) == drawn.secret_hash
    assert len(drawn.secret_hash) == 32


def test_secret_has_at_least_160_bits() -> None:
    _, prefix, secret = new_key_text().text.split("_")
    assert len(prefix) >= 8
    assert len(secret) * 5 >= 160


def test_two_keys_share_nothing() -> None:
    drawn = [new_key_text() for _ in range(200)]
    assert len({key.prefix for key in drawn}) == 200
    assert len({key.secret_hash for key in drawn}) == 200


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hf_",
        b"hf__abcdefghijklmnopqrstuvwxyz234567",
        b"hf_abcdefgh_",
        b"hf_abcdefgh_short",
        b"hf_ABCDEFGH_abcdefghijklmnopqrstuvwxyz234567",
        b"hf_abcdefgh_ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        b"hf_abcdefgh_abcdefghijklmnopqrstuvwxyz234567\n",
        b" hf_abcdefgh_abcdefghijklmnopqrstuvwxyz234567",
        b"xx_abcdefgh_abcdefghijklmnopqrstuvwxyz234567",
        b"hf_%_%",
        b"hf_abcdefgh_\xff\xfe",
        b"hf_abcdefgh_" + b"a" * 10_000,
    ],
)
def test_what_is_no_key_is_none(text: bytes) -> None:
    assert parse_key(text) is None
