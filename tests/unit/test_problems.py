"""Every refusal has one row, and every row says what api.md says of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import problems, refusals
from service.refusals import Refusal

NO, SAME, NEW = "none", "same_key", "new_key"
KEPT, NOT_KEPT = True, False

CONTRACT = [
    # slug, status, retry_with, kept under its key, members of its own, headers
    ("invalid-request", 400, NO, NOT_KEPT, {"errors"}, set()),
    ("idempotency-key-missing", 400, NO, NOT_KEPT, set(), set()),
    ("idempotency-key-invalid", 400, NO, NOT_KEPT, set(), set()),
    ("unauthenticated", 401, NO, NOT_KEPT, set(), {"WWW-Authenticate"}),
    ("forbidden", 403, NO, NOT_KEPT, {"scope"}, {"WWW-Authenticate"}),
    ("not-found", 404, NO, NOT_KEPT, {"kind", "name"}, set()),
    ("method-not-allowed", 405, NO, NOT_KEPT, set(), {"Allow"}),
    ("inventory-unavailable", 409, NEW, KEPT, {"unavailable"}, set()),
    ("external-reference-exists", 409, NO, KEPT, {"reference"}, {"Location"}),
    ("state-conflict", 409, NO, KEPT, {"state", "action", "version"}, set()),
    ("sales-closed", 409, NEW, KEPT, {"event"}, set()),
    ("idempotency-key-reused", 409, NO, NOT_KEPT, {"mismatch"}, set()),
    ("idempotency-in-progress", 409, SAME, NOT_KEPT, {"first_seen_at"}, {"Retry-After"}),
    ("hold-expired", 410, NO, KEPT, {"expired_at"}, set()),
    ("version-conflict", 412, NEW, KEPT, {"version"}, {"ETag"}),
    ("payload-too-large", 413, NO, NOT_KEPT, {"limit_bytes"}, set()),
    ("unsupported-media-type", 415, NO, NOT_KEPT, set(), set()),
    ("rate-limited", 429, SAME, NOT_KEPT, {"retry_after_s"}, {"Retry-After", "RateLimit", "RateLimit-Policy"}),
    ("overloaded", 503, SAME, NOT_KEPT, {"retry_after_s"}, {"Retry-After"}),
    ("store-unavailable", 503, SAME, NOT_KEPT, {"retry_after_s"}, {"Retry-After"}),
    ("internal", 500, SAME, NOT_KEPT, set(), set()),
]
ALWAYS = {"type", "title", "status", "detail", "instance", "retryable", "retry_with"}


def row_named(slug: str) -> problems.Row:
    return next(row for row in problems.TABLE if row.slug == slug)


@pytest.mark.parametrize(
    ("slug", "status", "retry_with", "kept", "members", "headers"), CONTRACT, ids=[slug for slug, *_ in CONTRACT]
)
def test_each_problem_is_what_the_contract_says(
    slug: str, status: int, retry_with: str, *, kept: bool, members: set[str], headers: set[str]
) -> None:
    row = row_named(slug)
    problem = problems.example(row, "request-1")
    document = json.loads(problem.body)
    assert problem.status == document["status"] == status
    assert document["type"] == f"/problems/{slug}"
    assert document["instance"] == "request-1"
    assert document["retry_with"] == retry_with
    assert document["retryable"] is (retry_with == SAME)
    assert document.keys() == ALWAYS | members
    assert {name for name, _ in problem.headers} == headers
    assert row.stored == kept
    assert document["title"]
    assert "{" not in document["detail"]


def test_the_table_has_each_problem_and_each_refusal_once() -> None:
    assert [row.slug for row in problems.TABLE] == [slug for slug, *_ in CONTRACT]
    assert {type(row.example) for row in problems.TABLE if row.example is not None} == set(Refusal.__subclasses__())


def test_a_row_is_found_by_its_refusal() -> None:
    assert problems.row_of(refusals.SalesClosed(event="final")).slug == "sales-closed"


@pytest.mark.parametrize(
    ("refusal", "header"),
    [
        (refusals.MethodNotAllowed(allow=["PUT", "GET"]), ("Allow", "GET, PUT")),
        (refusals.VersionConflict(version=7), ("ETag", '"7"')),
        (refusals.Overloaded(retry_after_s=2), ("Retry-After", "2")),
        (refusals.StoreUnavailable(retry_after_s=5), ("Retry-After", "5")),
        (refusals.IdempotencyInProgress(first_seen_at_ms=0), ("Retry-After", "1")),
        (refusals.RateLimited(retry_after_s=9, quota=600, window_s=60), ("Retry-After", "9")),
        (refusals.RateLimited(retry_after_s=9, quota=600, window_s=60), ("RateLimit", '"key";r=0;t=9')),
        (refusals.RateLimited(retry_after_s=9, quota=600, window_s=60), ("RateLimit-Policy", '"key";q=600;w=60')),
        (refusals.ExternalReferenceExists(reference="a", location="/v1/stock/a"), ("Location", "/v1/stock/a")),
        (refusals.Unauthenticated(), ("WWW-Authenticate", 'Bearer realm="holdfast"')),
    ],
)
def test_headers_carry_the_facts(refusal: Refusal, header: tuple[str, str]) -> None:
    assert header in problems.render(refusal, "r").headers


def test_instants_are_rfc_3339() -> None:
    document = json.loads(problems.render(refusals.HoldExpired(expired_at_ms=1_811_844_600_000), "r").body)
    assert document["expired_at"] == "2027-06-01T10:10:00.000Z"
    assert document["detail"] == "The hold ended at 2027-06-01T10:10:00.000Z."


def test_each_failing_line_is_told_in_the_form_of_its_kind() -> None:
    refusal = refusals.InventoryUnavailable(
        unavailable=[
            refusals.UnavailableSeats(line=1, event="final", seats=["101-A-12"]),
            refusals.UnavailableStock(line=2, sku="NW-001", location="default", requested=2, available=0),
            refusals.UnavailableBest(line=4, event="final", requested=4, available=9),
        ]
    )
    document = json.loads(problems.render(refusal, "r").body)
    assert document["unavailable"] == [
        {"line": 1, "event": "final", "seats": ["101-A-12"]},
        {"line": 2, "sku": "NW-001", "location": "default", "requested": 2, "available": 0},
        {"line": 4, "event": "final", "requested": 4, "available": 9},
    ]
    assert document["detail"].endswith("line 1, line 2, line 4.")


def test_detail_shows_the_first_errors_and_the_member_all_of_them() -> None:
    errors = [(f"$.lines[{index}]", "must be an object, not null") for index in range(8)]
    document = json.loads(problems.render(refusals.InvalidRequest(errors=errors), "r").body)
    assert document["errors"][7] == {"path": "$.lines[7]", "message": "must be an object, not null"}
    assert document["detail"].endswith("$.lines[4] must be an object, not null and 3 more.")


def test_an_internal_error_tells_nothing_but_its_request_id() -> None:
    problem = problems.internal("request-1")
    assert problem.status == 500
    assert json.loads(problem.body)["instance"] == "request-1"
    assert problem.headers == []


@given(st.text(st.characters()), st.text(st.characters()))
def test_rendering_never_fails_whatever_a_client_named(kind: str, name: str) -> None:
    lone = name + "\ud800{0}{name}"
    document = json.loads(problems.render(refusals.NotFound(kind=kind, name=lone), "r").body)
    assert document["name"].endswith("?{0}{name}")
    errors = [("$." + lone, "is unknown")]
    assert json.loads(problems.render(refusals.InvalidRequest(errors=errors), "r").body)["errors"]
