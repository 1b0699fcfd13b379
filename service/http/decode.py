"""Bodies and queries as typed values: strict, in one place, and fast where they are right.

msgspec reads a body as plain JSON, and converts that into its type. It does not see repeated members, but a parser
that does takes longer than all of this; so they are found by counting (`_quotes`). A body that is not right is read
again, slowly, to name every error (`strict_json`, `validate`).

The canonical form is what a fingerprint is made of: the JSON as sent, members sorted, without white space, no default
filled in. Bodies that are the same JSON have the same canonical form.

No error of a body but InvalidRequest leaves this module.
"""

import json
import re
from collections.abc import Hashable
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast
from unicodedata import is_normalized

import msgspec
from msgspec import inspect

from service import names
from service.http import strict_json
from service.http.validate import ERRORS_MAX, errors_of, information
from service.refusals import InvalidRequest

T = TypeVar("T")


class Decoded(NamedTuple, Generic[T]):
    """A body: as its type, and as the bytes that its fingerprint is made of."""

    value: T
    canonical: bytes


_read: Final = msgspec.json.Decoder().decode
_canonical: Final = msgspec.json.Encoder(order="sorted").encode
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")


def decode_json(body: bytes, type_: type[T]) -> Decoded[T]:
    """The body as `type_`; an empty one is read as `{}`.

    Text in it comes out in NFC and is judged so, but not inside of objects that the type leaves open (metadata). A
    struct may have a method `problems() -> list[(path, message)]`, which is asked last, for what a type cannot say.

    Raises:
        InvalidRequest: With every error that was found: of the JSON, else of its type, else of what `problems` says.
    """
    tree, canonical = _strictly(body or b"{}")
    if not (canonical.isascii() or is_normalized("NFC", canonical.decode())):
        tree = _in_nfc(tree, information(cast(Hashable, type_)))
    value = _converted(tree, type_, "$")
    _ask(value)
    return Decoded(value, canonical)


def decode_query(pairs: list[tuple[str, str]], type_: type[T]) -> T:
    """Decoded parameters as a struct of strings, integers, booleans and literals; of a list, each is an item.

    Raises:
        InvalidRequest: A parameter is unknown, there twice, or not what its type says. Paths are like `?limit`.
    """
    fields = _parameters(cast(Hashable, type_))
    values: dict[str, Any] = {}
    errors: list[tuple[str, str]] = []
    for name, text in pairs:
        path = strict_json.member_path("?", name)
        if name not in fields:
            errors.append((path, f"is unknown; known are {', '.join(fields) or 'none'}"))
        elif inspect.ListType in fields[name]:
            values.setdefault(name, []).append(_parameter(text, fields[name], path, errors))
        elif name in values:
            errors.append((path, "is there more than once"))
        else:
            values[name] = _parameter(text, fields[name], path, errors)
    if errors:
        raise InvalidRequest(errors=errors[:ERRORS_MAX])
    tree: Any = values
    if not all(is_normalized("NFC", text) for _, text in pairs):
        tree = _in_nfc(values, information(cast(Hashable, type_)))
    value = _converted(tree, type_, "?")
    _ask(value)
    return value


def canonical_query(pairs: list[tuple[str, str]]) -> bytes:
    """One form for every order of the parameters; for fingerprints."""
    return json.dumps(sorted(pairs)).encode() if pairs else b""


def _strictly(body: bytes) -> tuple[Any, bytes]:
    try:
        tree = _read(body)
        # Fewer brackets than levels allowed: most bodies need no look at their depth.
        if body.count(b"[") + body.count(b"{") > strict_json.DEPTH_MAX:
            _refuse_depth(tree)
        canonical = _canonical(tree)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidRequest(errors=_flaws(body) or [("$", f"is not JSON: {error}")]) from None
    if _quotes(body) != _quotes(canonical):
        raise InvalidRequest(errors=_flaws(body))
    return tree, canonical


def _refuse_depth(tree: object) -> None:
    if strict_json.deeper_than(strict_json.DEPTH_MAX, tree):
        raise RecursionError


def _quotes(text: bytes) -> int:
    """How many quotes begin or end a string.

    Every string has two, and in JSON that is well formed a backslash stands only in a string, before what it escapes.
    msgspec keeps the last of repeated members and drops the others, names and all. So a body has more such quotes
    than its canonical form if, and only if, a member is repeated.
    """
    if b"\\" in text:
        text = text.replace(rb"\\", b"")  # what stays of a row of backslashes escapes what follows it
        return text.count(b'"') - text.count(rb"\"")
    return text.count(b'"')


def _flaws(body: bytes) -> list[tuple[str, str]]:
    return list(islice(strict_json.flaws(body), ERRORS_MAX))


def _converted(tree: object, type_: type[T], root: str) -> T:
    try:
        return msgspec.convert(tree, type_)
    except msgspec.ValidationError as error:
        errors = errors_of(tree, type_, root=root) or [_only_error(str(error), root)]
        raise InvalidRequest(errors=errors) from None


def _only_error(message: str, root: str) -> tuple[str, str]:
    """The words of msgspec, for a kind of type that `validate` does not know."""
    sentence, _, path = message.partition(" - at `")
    return path.rstrip("`") or root, f"is not valid: {sentence[:1].lower()}{sentence[1:]}"


def _in_nfc(tree: Any, kind: inspect.Type) -> Any:  # noqa: ANN401 - JSON
    """The tree with printable text in NFC. Names are left alone: what NFC makes of a character is not what was sent."""
    match kind:
        case inspect.Metadata():
            return _in_nfc(tree, kind.type)
        case inspect.UnionType():
            for each in kind.types:  # at most one of them has the tree's shape
                tree = _in_nfc(tree, each)
        case inspect.StrType(pattern=names.PRINTABLE_PATTERN) if isinstance(tree, str):
            hopeless = kind.max_length is not None and len(tree) > names.NFC_SHORTENS_MOST * kind.max_length
            return tree if hopeless else names.nfc(tree)
        case inspect.ListType() if isinstance(tree, list):
            return [_in_nfc(item, kind.item_type) for item in tree]
        case inspect.StructType() if isinstance(tree, dict):
            kinds = {field.encode_name: field.type for field in kind.fields}
            return {name: _in_nfc(item, kinds[name]) if name in kinds else item for name, item in tree.items()}
    return tree


def _ask(value: object) -> None:
    check = getattr(value, "problems", None)
    if check is not None and (errors := check()):
        raise InvalidRequest(errors=errors[:ERRORS_MAX])


@lru_cache(maxsize=64)
def _parameters(type_: Hashable) -> dict[str, frozenset[type[inspect.Type]]]:
    """The kinds of type that each parameter may have."""
    return {
        field.name: frozenset(_kinds(field.type)) for field in cast(inspect.StructType, inspect.type_info(type_)).fields
    }


def _kinds(kind: inspect.Type) -> list[type[inspect.Type]]:
    match kind:
        case inspect.Metadata():
            return _kinds(kind.type)
        case inspect.UnionType():
            return [found for each in kind.types for found in _kinds(each)]
        case _:
            return [type(kind)]


def _parameter(
    text: str, kinds: frozenset[type[inspect.Type]], path: str, errors: list[tuple[str, str]]
) -> str | int | bool:
    if inspect.IntType in kinds:
        if _INTEGER.fullmatch(text):
            return int(text)
        errors.append((path, "must be an integer"))
    elif inspect.BoolType in kinds:
        if text in ("true", "false"):
            return text == "true"
        errors.append((path, "must be true or false"))
    elif not text.isascii() and strict_json.has_surrogate(text):
        errors.append((path, "holds a lone surrogate"))
    return text
