"""The description of the API and the page that shows it: complete, sound, with examples, without the internet."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.accounts import http_client
from tests.api.contract import ENDPOINTS, PROBLEMS, Endpoint
from tests.running import RunningService

Json = dict[str, Any]
METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
EVERY = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
QUERIES = {
    "/v1/events": {"cursor", "limit"},
    "/v1/events/{}/seats": {"section", "state", "category", "cursor", "limit"},
    "/v1/stock": {"cursor", "limit"},
    "/v1/reservations": {
        "state",
        "customer",
        "event",
        "sku",
        "expires_before",
        "created_before",
        "stale",
        "external_reference",
        "order",
        "cursor",
        "limit",
    },
    "/v1/reservation-counts": {
        "state",
        "customer",
        "event",
        "sku",
        "expires_before",
        "created_before",
        "stale",
        "external_reference",
        "at_most",
    },
    "/v1/messages": {"after", "limit"},
    "/v1/reservations/{}/timeline": {"cursor", "limit"},
    "/v1/idempotency-keys": {"key", "method", "route"},
    "/v1/idempotency-records": {"key", "principal"},
}


@pytest.fixture
def document(service: RunningService) -> Json:
    with http_client(service.url) as nobody:
        response = nobody.get("/openapi.json")
    assert response.status_code == 200, response.text
    assert "json" in response.headers["Content-Type"]
    described: Json = response.json()
    return described


def unnamed(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def resolved(document: Json, node: Json) -> Json:
    """The node itself, or what its $ref leads to."""
    while "$ref" in node:
        reference = node["$ref"]
        assert reference.startswith("#/"), f"{reference} leads out of the document"
        target: Any = document
        for part in reference[2:].split("/"):
            part_name = part.replace("~1", "/").replace("~0", "~")
            assert part_name in target, f"{reference} leads nowhere"
            target = target[part_name]
        node = target
    return node


def operation_of(document: Json, endpoint: Endpoint) -> Json:
    for path, methods in document["paths"].items():
        if unnamed(path) == unnamed(endpoint.path) and endpoint.method.lower() in methods:
            return {"path": path, "shared": methods.get("parameters", []), **methods[endpoint.method.lower()]}
    raise AssertionError(f"{endpoint} is not described")


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield f"{method.upper()} {path}", {"path": path, "shared": methods.get("parameters", []), **operation}


def parameters_of(document: Json, operation: Json) -> list[Json]:
    return [resolved(document, one) for one in [*operation["shared"], *operation.get("parameters", [])]]


def nodes(node: object) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def has_example(document: Json, content: Json) -> bool:
    """Whether a media type's content carries an example, at itself or at its schema."""
    for media in content.values():
        schema = resolved(document, media.get("schema", {}))
        if any(place.get(word) for place in (media, schema) for word in ("example", "examples")):
            return True
    return False


def test_document_is_openapi_3_1(document: Json) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"]
    assert document["info"]["version"]
    assert document["paths"]


@EVERY
def test_endpoint_is_described(document: Json, endpoint: Endpoint) -> None:
    operation = operation_of(document, endpoint)
    assert operation.get("summary") or operation.get("description"), "it does not say what it does"
    assert any(status.startswith("2") for status in operation["responses"])


@EVERY
def test_endpoint_has_an_example(document: Json, endpoint: Endpoint) -> None:
    operation = operation_of(document, endpoint)
    if endpoint.body is not None:
        body = resolved(document, operation["requestBody"])
        assert has_example(document, body["content"]), "no example of a request"
    answers = [resolved(document, one) for status, one in operation["responses"].items() if status.startswith("2")]
    assert any(has_example(document, answer.get("content", {})) for answer in answers), "no example of an answer"


@EVERY
def test_endpoint_describes_its_problems(document: Json, endpoint: Endpoint) -> None:
    answers = operation_of(document, endpoint)["responses"]
    problems = {
        status
        for status, answer in answers.items()
        if "application/problem+json" in resolved(document, answer).get("content", {})
    }
    assert "401" in problems, problems
    assert not any(status.startswith("2") for status in problems)


@EVERY
def test_endpoint_describes_its_query(document: Json, endpoint: Endpoint) -> None:
    expected = QUERIES.get(unnamed(endpoint.path), set()) if endpoint.method == "GET" else set()
    parameters = parameters_of(document, operation_of(document, endpoint))
    described = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    assert expected <= described, f"not described: {expected - described}"


@pytest.mark.parametrize("path", ["/v1/reservations", "/v1/stock/{sku}/adjustments"])
def test_required_idempotency_key_is_described_as_required(document: Json, path: str) -> None:
    parameters = parameters_of(document, operation_of(document, Endpoint("POST", path, None)))
    headers = {one["name"].lower(): one.get("required", False) for one in parameters if one["in"] == "header"}
    assert headers["idempotency-key"] is True


def test_every_reference_resolves(document: Json) -> None:
    found = [node for node in nodes(document) if isinstance(node.get("$ref"), str)]
    for node in found:
        resolved(document, node)


def test_every_operation_has_its_own_id(document: Json) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids)), "two operations share an id"


def test_path_parameters_are_those_of_the_path(document: Json) -> None:
    for name, operation in operations(document):
        declared = [one for one in parameters_of(document, operation) if one["in"] == "path"]
        assert {one["name"] for one in declared} == set(re.findall(r"\{([^}]*)\}", operation["path"])), name
        assert all(one["required"] is True for one in declared), name


def test_structure_is_that_of_openapi(document: Json) -> None:
    for name, operation in operations(document):
        for parameter in parameters_of(document, operation):
            assert parameter["in"] in {"path", "query", "header", "cookie"}, name
            assert ("schema" in parameter) != ("content" in parameter), name
        if "requestBody" in operation:
            assert resolved(document, operation["requestBody"])["content"], name
        for status, answer in operation["responses"].items():
            assert re.fullmatch(r"[1-5](\d\d|XX)|default", status), name
            assert resolved(document, answer)["description"], f"{name} {status} does not say what it means"


def test_bearer_key_is_described(document: Json) -> None:
    schemes = document["components"]["securitySchemes"]
    bearers = {name for name, one in schemes.items() if one["type"] == "http" and one["scheme"].lower() == "bearer"}
    assert bearers, schemes
    for endpoint in ENDPOINTS:
        required = operation_of(document, endpoint).get("security", document.get("security", []))
        assert any(bearers & set(one) for one in required), f"{endpoint} seems to need no key"


def test_every_problem_is_named_in_the_document(document: Json) -> None:
    words = json.dumps(document)
    assert [slug for slug in PROBLEMS if slug not in words] == []


class Links(HTMLParser):
    """What a page loads, and the scripts that stand in it."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline = ""
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}.get(tag)
        self.loaded.extend(value for name, value in attrs if name == wanted and value)
        self._in_script = tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.inline += data


def test_docs_load_nothing_from_elsewhere(service: RunningService) -> None:
    with http_client(service.url) as client:
        client.follow_redirects = True
        response = client.get("/docs")
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"].startswith("text/html")
        page = Links()
        page.feed(response.text)
        assert page.loaded or page.inline, "a page that shows nothing"
        for link in page.loaded:
            if link.startswith("data:"):
                continue
            assert not re.match(r"(?:[a-z]+:)?//", link, re.IGNORECASE), f"{link} needs the internet"
            assert client.get(str(response.url.join(link))).status_code == 200, f"{link} is not there"
        outside = re.findall(r"""(?:src|href|import|url\(|fetch\()\W{0,4}https?://[^"'\s)]+""", page.inline)
        assert outside == []
        assert "openapi" in response.text.lower()
