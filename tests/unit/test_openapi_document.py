"""The OpenAPI document against the code that it is made from: its examples are requests and answers of this service."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from service.accounts.keys import SCOPES
from service.app import ENDPOINTS
from service.http.decode import decode_json
from service.http.endpoint import Endpoint
from service.http.openapi import document
from service.problems import TABLE

EVERY = pytest.mark.parametrize("declared", ENDPOINTS, ids=lambda declared: f"{declared.method} {declared.path}")
DOCUMENT: dict[str, Any] = msgspec.json.decode(document(ENDPOINTS))


@EVERY
def test_example_of_a_request_is_one_that_the_service_takes(declared: Endpoint) -> None:
    assert (declared.request_example is None) == (declared.body is None)
    if declared.body is not None:
        decode_json(msgspec.json.encode(declared.request_example), declared.body)


@EVERY
def test_example_of_an_answer_has_the_members_of_its_type(declared: Endpoint) -> None:
    for kind in declared.answers.values():
        assert list(misfits(inspect.type_info(kind), declared.answer_example, "$")) == []


def misfits(kind: inspect.Type, value: Any, path: str) -> Iterator[str]:
    """Members that the type has and the example lacks, or the other way round."""
    match kind, value:
        case inspect.Metadata(), _:
            yield from misfits(kind.type, value, path)
        case inspect.UnionType(), _:
            for each in kind.types:
                yield from misfits(each, value, path)
        case inspect.ListType(), list():
            assert value, f"{path}: an empty list shows nothing"
            for item in value:
                yield from misfits(kind.item_type, item, path)
        case inspect.StructType(), dict():
            fields = {field.encode_name: field for field in kind.fields}
            required = {name for name, field in fields.items() if field.required}
            yield from (f"{path}.{name}" for name in (required - value.keys()) | (value.keys() - fields.keys()))
            for name in fields.keys() & value.keys():
                yield from misfits(fields[name].type, value[name], f"{path}.{name}")
        case inspect.StructType(), _:
            assert value is None, f"{path}: {value}"


@EVERY
def test_endpoint_says_what_it_does_in_one_line_and_who_may_call_it(declared: Endpoint) -> None:
    assert 5 <= len(declared.summary) <= 100, declared.summary
    assert declared.scope is None or declared.scope in SCOPES


def test_method_of_a_path_is_declared_once() -> None:
    declared = [(each.method, each.path) for each in ENDPOINTS]
    assert len(declared) == len(set(declared))


def test_every_problem_has_a_schema() -> None:
    described = {
        schema["allOf"][1]["properties"]["type"]["const"]
        for schema in DOCUMENT["components"]["schemas"].values()
        if "allOf" in schema
    }
    assert described == {f"/problems/{row.slug}" for row in TABLE}


def test_nothing_leads_out_of_the_document() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()
    assert "http://" not in text
    assert "https://" not in text
    assert "$defs" not in text
