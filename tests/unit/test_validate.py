"""The slow validator agrees with msgspec, and finds the words for what is wrong."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from service.http.validate import errors_of

Code = Annotated[str, Meta(pattern="^[a-z]*$", min_length=1, max_length=3, description="A code of small letters")]


class Leaf(msgspec.Struct, forbid_unknown_fields=True):
    code: Code
    count: Annotated[int, Meta(ge=1, le=9)] | None = None


class Tree(msgspec.Struct, forbid_unknown_fields=True):
    leaf: Leaf | None = None
    leaves: Annotated[list[Leaf], Meta(min_length=1, max_length=2)] | UnsetType = UNSET
    codes: dict[str, Code] | UnsetType = UNSET
    kind: Literal["oak", "fir", 3] = "oak"
    height: Annotated[float, Meta(gt=0, lt=100)] = 1.0
    tag: int | str | list[int] | None = None
    green: bool | None = None
    notes: Any = None


@pytest.mark.parametrize(
    ("value", "type_", "errors"),
    [
        ("b", Literal["a", "b"], []),
        ("c", Literal["a", "b"], [("$", 'must be "a" or "b"')]),
        (1, Literal["a", 1], []),
        (True, Literal["a", 1], [("$", 'must be 1 or "a"')]),
        ("A", Code, [("$", "must be a code of small letters")]),
        ("A", Annotated[str, Meta(pattern="^a$")], [("$", "must match ^a$")]),
        ("aaaa", Code, [("$", "must have at most 3 characters, not 4")]),
        ("", Code, [("$", "must have at least 1 character")]),
        (0, Annotated[float, Meta(gt=0)], [("$", "must be more than 0")]),
        (7.5, Annotated[float, Meta(lt=7)], [("$", "must be less than 7")]),
        (True, float, [("$", "must be a number, not a boolean")]),
        (None, int, [("$", "must be an integer, not null")]),
        (0, None, [("$", "must be null, not an integer")]),
        (
            [1, "a", None],
            list[int],
            [("$[1]", "must be an integer, not a string"), ("$[2]", "must be an integer, not null")],
        ),
        ({"a b": 1}, dict[str, str], [('$["a b"]', "must be a string, not an integer")]),
        ({"x" * 500: 1}, dict[str, str], [(f'$["{"x" * 64}"]', "must be a string, not an integer")]),
        (1.5, int | str | None, [("$", "must be an integer, a string or null, not a number with a fraction")]),
        ([], Annotated[dict[str, int], Meta(min_length=2)], [("$", "must be an object, not an array")]),
        ({}, Annotated[dict[str, int], Meta(min_length=2)], [("$", "must have at least 2 members")]),
    ],
)
def test_a_misfit_is_told_in_words(value: object, type_: object, errors: list[tuple[str, str]]) -> None:
    assert errors_of(value, type_) == errors


def test_parameters_have_their_own_paths() -> None:
    assert errors_of({"count": 0, "code": "a", "x": "1"}, Leaf, root="?") == [
        ("?x", "is unknown; known are code, count"),
        ("?count", "must be at least 1"),
    ]


def test_a_struct_that_allows_unknown_members_has_no_error_for_them() -> None:
    class Loose(msgspec.Struct):
        a: int = 0

    assert errors_of({"b": 1}, Loose) == []


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 12)
    | st.floats(-1, 101)
    | st.sampled_from(["", "a", "abc", "abcd", "A", "oak", "fir", 3])
)
LEAVES = st.fixed_dictionaries({}, optional={"code": SCALARS, "count": SCALARS, "x": SCALARS})
VALUES = st.recursive(
    SCALARS | LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)
TREES = st.fixed_dictionaries(
    {},
    optional={
        "leaf": VALUES,
        "leaves": st.lists(LEAVES, max_size=3) | VALUES,
        "codes": st.dictionaries(st.text(max_size=2), SCALARS, max_size=2) | VALUES,
        "kind": SCALARS,
        "height": SCALARS,
        "tag": VALUES,
        "green": SCALARS,
        "notes": VALUES,
    },
)


@given(TREES | VALUES)
def test_it_finds_errors_exactly_where_msgspec_does(value: object) -> None:
    errors = errors_of(value, Tree)
    try:
        msgspec.convert(value, Tree)
    except msgspec.ValidationError as error:
        assert errors
        path = str(error).partition(" - at `")[2].rstrip("`")
        if path and "[...]" not in path:  # msgspec does not tell the keys of a dict, nor the member that is missing
            assert any(found.startswith(path) for found, _ in errors)
    else:
        assert errors == []
