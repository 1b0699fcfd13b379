"""Parameters of path and query: what a path means exactly, and which parts of it are no names."""

import pytest

from service.http.parameters import FIELDS_MAX, exact_path, parse_path, path_parser, query_pairs
from service.refusals import InvalidRequest


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/v1/events/final", "/v1/events/final"),
        (b"/v1/events/f%69nal", "/v1/events/final"),
        (b"/v1/events/a%20b", "/v1/events/a b"),
        (b"/v1/events/a%2Fseats", "/v1/events/a%2Fseats"),
        (b"/v1/events/..%2f..%2fetc", "/v1/events/..%2F..%2Fetc"),
        (b"/v1/events//seats", "/v1/events/%2F/seats"),
        (b"//v1/me", "/%2F/v1/me"),
        (b"/v1/events/", "/v1/events/"),
        (b"/v1/events/%252F", "/v1/events/%2F"),
        (b"/v1/events/%00", "/v1/events/\x00"),
        (b"/v1/events/%ff", "/v1/events/\ufffd"),
        (b"/", "/"),
    ],
)
def test_parts_of_a_path_stay_what_they_were(raw: bytes, path: str) -> None:
    assert exact_path(raw) == path


def parsed(**values: str) -> dict[str, str]:
    return parse_path(values, tuple((name, path_parser(name)) for name in values))


def test_names_are_kept_and_references_are_read_in_any_spelling() -> None:
    assert parsed(event="Final_2~b.c-d") == {"event": "Final_2~b.c-d"}
    assert parsed(reference="k7qx2-9pmd8") == parsed(reference="K7QX29PMD8") == {"reference": "K7QX29PMD8"}


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "%2F", "é", "a" * 65, "a\n", "\x00"])
def test_what_is_no_name_is_invalid_and_named(name: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parsed(event="final", sku=name)
    assert [path for path, _ in raised.value.errors] == ["/sku"]


def test_every_bad_part_is_named() -> None:
    with pytest.raises(InvalidRequest) as raised:
        parsed(event="..", reference="nonsense")
    assert [path for path, _ in raised.value.errors] == ["/event", "/reference"]


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        (b"", []),
        (b"limit=10&cursor=abc", [("limit", "10"), ("cursor", "abc")]),
        (b"a=1&a=2", [("a", "1"), ("a", "2")]),
        (b"a=&b", [("a", ""), ("b", "")]),
        (b"a=x+y%20z", [("a", "x y z")]),
        (b"a=%C3%A9", [("a", "é")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
        (b"a=%ff", [("a", "\udcff")]),
        (b"a=\xff", [("a", "\udcff")]),
    ],
)
def test_query_is_decoded_pair_by_pair(query: bytes, pairs: list[tuple[str, str]]) -> None:
    assert query_pairs(query) == pairs


def test_query_of_too_many_parameters_is_invalid() -> None:
    with pytest.raises(InvalidRequest):
        query_pairs(b"&".join(b"a=1" for _ in range(FIELDS_MAX + 1)))
