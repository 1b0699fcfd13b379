"""Keys of rows ascend and never repeat; references survive being read out and typed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import ids
from service.clock import now_ms

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def test_an_id_is_a_uuid_of_version_7_made_now() -> None:
    before = now_ms()
    identifier = ids.new_id()
    uuid = UUID(bytes=identifier)
    assert uuid.version == 7
    assert uuid.variant == RFC_4122
    assert before <= int.from_bytes(identifier[:6]) <= now_ms() + 1


def test_ids_ascend_strictly_within_and_across_milliseconds() -> None:
    made = [ids.new_id() for _ in range(20_000)]
    assert all(earlier < later for earlier, later in pairwise(made))


def test_ids_of_several_threads_are_all_different() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = [
            identifier
            for batch in threads.map(lambda _: [ids.new_id() for _ in range(2000)], range(4))
            for identifier in batch
        ]
    assert len(set(made)) == 8000


def test_ids_still_ascend_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = ids.new_id()
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: 1_000_000_000_000_000_000))
    again = ids.new_id()
    assert earlier < again < ids.new_id()


def test_a_full_tail_is_carried_into_the_timestamp(monkeypatch: pytest.MonkeyPatch) -> None:
    source = ids._Source()
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: 5_000_000))
    source._last = (6 << 74) - 1  # the last key of millisecond 5
    assert source.next_ordinal() >> 74 == 6


def test_a_forked_child_does_not_make_its_parents_keys() -> None:
    script = (
        "import os, sys\n"
        "from service.ids import new_id, new_reference\n"
        "new_id()\n"
        "child = os.fork()\n"
        "os.write(1, f'{new_reference()} {new_id().hex()[12:]}\\n'.encode())\n"
        "child and os.waitpid(child, 0)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    parent, child = answer.stdout.splitlines()
    assert parent.split()[0] != child.split()[0]
    assert parent.split()[1] != child.split()[1]


def test_the_text_of_an_id_is_the_usual_one() -> None:
    identifier = ids.new_id()
    assert ids.id_text(identifier) == str(UUID(bytes=identifier))


def test_a_reference_has_ten_symbols_and_a_check_that_fits() -> None:
    for _ in range(2000):
        reference = ids.new_reference()
        value = 0
        for symbol in reference[:9]:
            value = value * 32 + SYMBOLS.index(symbol)
        assert len(reference) == 10
        assert SYMBOLS.index(reference[9]) == value % 37


def test_references_differ() -> None:
    assert len({ids.new_reference() for _ in range(5000)}) == 5000


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("K7QX2-9PMD8", "K7QX29PMD8"),
        ("k7qx2-9pmd8", "K7QX29PMD8"),
        ("K7QX29PMD8", "K7QX29PMD8"),
        ("--k7-qx2-9pm-d8-", "K7QX29PMD8"),
        ("00000-00000", "0000000000"),
        ("ooooo-OOOOO", "0000000000"),
        ("0000000011", "0000000011"),
        ("00000-000il", "0000000011"),
        ("00000-000LI", "0000000011"),
    ],
)
def test_a_reference_is_read_in_any_case_with_hyphens_and_lookalikes(typed: str, stored: str) -> None:
    assert ids.parse_reference(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "-----",
        "K7QX2-9PMD",
        "K7QX2-9PMD88",
        "K7QX2-9PMDA",  # wrong check symbol
        "K7QX2-9PMDU",  # no symbol
        "K7QX2-9UMD8",
        "K7QX2 9PMD8",
        "K7QX29PMD8\n",
        "K7QX2\x009PMD",
        "K7QX2-9PMD\u0668",  # a digit of another script
        "\u212a7QX2-9PMD8",  # the sign of Kelvin, whose lower case is k
        "' OR 1=1--",
        "../../etc",
    ],
)
def test_what_is_no_reference_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ids.parse_reference(typed)


def test_one_wrong_or_two_swapped_symbols_are_noticed() -> None:
    reference = ids.new_reference()
    for place in range(9):
        for symbol in SYMBOLS.replace(reference[place], ""):
            with pytest.raises(ValueError, match="checks the others"):
                ids.parse_reference(reference[:place] + symbol + reference[place + 1 :])
    for place in range(8):
        swapped = reference[:place] + reference[place + 1] + reference[place] + reference[place + 2 :]
        if swapped != reference:
            with pytest.raises(ValueError, match="checks the others"):
                ids.parse_reference(swapped)


def test_a_shown_reference_reads_back() -> None:
    reference = ids.new_reference()
    assert ids.show_reference("K7QX29PMD8") == "K7QX2-9PMD8"
    assert ids.parse_reference(ids.show_reference(reference)) == reference


@given(st.text(max_size=14))
def test_any_text_is_a_reference_or_a_value_error(text: str) -> None:
    try:
        stored = ids.parse_reference(text)
    except ValueError:
        return
    assert ids.parse_reference(stored) == stored
