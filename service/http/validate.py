"""Every error of a body or a query that does not fit its type, each with its path and a sentence a person understands.

msgspec says whether a value fits, fast, and names its first error only. When it says no, this walks the type beside the
value and names them all. It must never judge otherwise than msgspec: a value that fits has no errors here.

A sentence completes its path: "$.hold_seconds must be at least 1". Where a pattern is not met, it quotes the
description of the type, which therefore begins with an article: "A seat's label: ...".
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import inspect

from service.http.strict_json import deeper_than, member_path

ERRORS_MAX: Final = 100
METADATA_BYTES_MAX: Final = 4096
METADATA_DEPTH_MAX: Final = 5

Error = tuple[str, str]
"""Path and message."""

_SHAPES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction",
    str: "a string",
    list: "an array",
    dict: "an object",
}

_WANTED: Final[dict[type[inspect.Type], tuple[str, tuple[type, ...]]]] = {
    inspect.NoneType: ("null", (type(None),)),
    inspect.BoolType: ("true or false", (bool,)),
    inspect.IntType: ("an integer", (int,)),
    inspect.FloatType: ("a number", (int, float)),
    inspect.StrType: ("a string", (str,)),
    inspect.ListType: ("an array", (list,)),
    inspect.DictType: ("an object", (dict,)),
    inspect.StructType: ("an object", (dict,)),
}
"""What a kind of type is called, and the types of values that it takes; exactly these, so no boolean is an integer."""


def errors_of(value: object, type_: object, *, root: str = "$") -> list[Error]:
    """At most ERRORS_MAX of them. `root` is `$` for a body, `?` for a query."""
    return list(islice(_errors(value, information(type_), root), ERRORS_MAX))


def metadata_errors(path: str, metadata: dict[str, Any]) -> list[Error]:
    """Of an object that a caller keeps with us (api.md, fine print 13)."""
    errors = []
    size = len(msgspec.json.encode(metadata))
    if size > METADATA_BYTES_MAX:
        errors.append((path, f"has {size} bytes of JSON, but at most {METADATA_BYTES_MAX} are kept"))
    if deeper_than(METADATA_DEPTH_MAX, metadata):
        errors.append((path, f"is nested deeper than {METADATA_DEPTH_MAX} levels"))
    return errors


@lru_cache(maxsize=512)
def information(type_: object) -> inspect.Type:
    """What msgspec knows of a type."""
    return inspect.type_info(type_)


def _errors(value: object, kind: inspect.Type, path: str, description: str | None = None) -> Iterator[Error]:
    match kind:
        case inspect.Metadata():
            told = (kind.extra_json_schema or {}).get("description", description)
            yield from _errors(value, kind.type, path, told)
        case inspect.UnionType():
            yield from _union_errors(value, kind, path)
        case inspect.LiteralType():
            if not any(value == each and type(value) is type(each) for each in kind.values):
                yield path, f"must be {_wanted(kind)}"
        case _ if type(kind) in _WANTED:
            if type(value) in _WANTED[type(kind)][1]:
                yield from _CHECKS.get(type(kind), _no_errors)(value, kind, path, description)
            else:
                yield path, f"must be {_wanted(kind)}, not {_shape(value)}"


def _union_errors(value: object, union: inspect.UnionType, path: str) -> Iterator[Error]:
    members = [_plain(each) for each in union.types]
    fitting = [
        each
        for each, plain in zip(union.types, members, strict=True)
        if type(plain) not in _WANTED or type(value) in _WANTED[type(plain)][1]
    ]
    if not fitting:
        yield path, f"must be {_any_of([_wanted(plain) for plain in members])}, not {_shape(value)}"
        return
    found = [list(_errors(value, each, path)) for each in fitting]
    if all(found):
        yield from found[0]


def _struct_errors(value: dict[str, Any], kind: inspect.StructType, path: str, _: str | None) -> Iterator[Error]:
    fields = {field.encode_name: field for field in kind.fields}
    if kind.forbid_unknown_fields:
        for name in value:
            if name not in fields:
                yield member_path(path, name), f"is unknown; known are {', '.join(fields)}"
    for name, field in fields.items():
        if name in value:
            yield from _errors(value[name], field.type, member_path(path, name))
        elif field.required:
            yield member_path(path, name), "is required"


def _list_errors(value: list[Any], kind: inspect.ListType, path: str, _: str | None) -> Iterator[Error]:
    yield from _length_errors(len(value), kind, path, "item")
    if kind.max_length is not None and len(value) > kind.max_length:
        return  # who sends ten megabytes too much learns that, and costs no walk through them
    for index, item in enumerate(value):
        yield from _errors(item, kind.item_type, f"{path}[{index}]")


def _dict_errors(value: dict[str, Any], kind: inspect.DictType, path: str, _: str | None) -> Iterator[Error]:
    yield from _length_errors(len(value), kind, path, "member")
    for name, member in value.items():
        yield from _errors(member, kind.value_type, member_path(path, name))


def _text_errors(value: str, kind: inspect.StrType, path: str, description: str | None) -> Iterator[Error]:
    yield from _length_errors(len(value), kind, path, "character")
    if kind.pattern is not None and not re.search(kind.pattern, value):
        if description:
            yield path, f"must be {description[:1].lower()}{description[1:]}"
        else:
            yield path, f"must match {kind.pattern}"


def _number_errors(
    value: float, kind: inspect.IntType | inspect.FloatType, path: str, _: str | None
) -> Iterator[Error]:
    if kind.ge is not None and value < kind.ge:
        yield path, f"must be at least {kind.ge}"
    if kind.gt is not None and value <= kind.gt:
        yield path, f"must be more than {kind.gt}"
    if kind.le is not None and value > kind.le:
        yield path, f"must be at most {kind.le}"
    if kind.lt is not None and value >= kind.lt:
        yield path, f"must be less than {kind.lt}"


def _length_errors(
    length: int, kind: inspect.StrType | inspect.ListType | inspect.DictType, path: str, unit: str
) -> Iterator[Error]:
    if kind.min_length is not None and length < kind.min_length:
        yield path, f"must have at least {_count(kind.min_length, unit)}"
    if kind.max_length is not None and length > kind.max_length:
        yield path, f"must have at most {_count(kind.max_length, unit)}, not {length}"


def _no_errors(_value: object, _kind: inspect.Type, _path: str, _description: str | None) -> Iterable[Error]:
    return ()


_CHECKS: Final[dict[type[inspect.Type], Callable[[Any, Any, str, str | None], Iterable[Error]]]] = {
    inspect.IntType: _number_errors,
    inspect.FloatType: _number_errors,
    inspect.StrType: _text_errors,
    inspect.ListType: _list_errors,
    inspect.DictType: _dict_errors,
    inspect.StructType: _struct_errors,
}


def _plain(kind: inspect.Type) -> inspect.Type:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return kind


def _wanted(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.LiteralType):
        return _any_of([json.dumps(each) for each in kind.values])
    return _WANTED.get(type(kind), ("another value", ()))[0]


def _shape(value: object) -> str:
    return _SHAPES.get(type(value), "this")


def _any_of(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
