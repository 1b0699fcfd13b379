"""Stored answers and refusals as HTTP: which headers stand on which of them (fine print 8)."""

import msgspec
import pytest

from service.http.endpoint import stored
from service.http.message import Answer, send_answer
from service.http.refuse import refused
from service.idempotency.records import StoredAnswer
from service.problems import render
from service.refusals import Overloaded, SalesClosed, StateConflict

EXPIRES_AT = 1_811_844_000_000
EXPIRES = "2027-06-01T10:00:00.000Z"
OF_KEYS = {"Idempotent-Replayed", "Idempotency-Expires"}


def test_success_under_a_key_tells_its_place_version_and_record() -> None:
    answer = stored(
        StoredAnswer(status=201, body=b"{}", location="/v1/x", etag='"1"', replayed=False, expires_at=EXPIRES_AT)
    )
    assert (answer.status, answer.body) == (201, b"{}")
    assert dict(answer.headers) == {
        "Location": "/v1/x",
        "ETag": '"1"',
        "Idempotent-Replayed": "false",
        "Idempotency-Expires": EXPIRES,
    }


def test_replay_says_so() -> None:
    answer = stored(StoredAnswer(status=200, body=b"{}", replayed=True, expires_at=EXPIRES_AT))
    assert dict(answer.headers)["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("status", [200, 409])
def test_answer_without_a_record_says_nothing_of_keys(status: int) -> None:
    body = render(StateConflict(state="released", action="confirm", version=2), "r-1").body
    assert not OF_KEYS & dict(stored(StoredAnswer(status=status, body=body)).headers).keys()


def test_stored_refusal_is_a_problem_with_its_record() -> None:
    problem = render(SalesClosed(event="final"), "r-1")
    answer = stored(StoredAnswer(status=problem.status, body=problem.body, replayed=True, expires_at=EXPIRES_AT))
    assert answer.body == problem.body
    assert dict(answer.headers) == {
        "Content-Type": "application/problem+json",
        "Idempotent-Replayed": "true",
        "Idempotency-Expires": EXPIRES,
    }


def test_refusal_that_no_record_keeps_has_the_headers_of_its_kind_alone() -> None:
    answer = refused(Overloaded(retry_after_s=2), "r-1")
    assert dict(answer.headers) == {"Content-Type": "application/problem+json", "Retry-After": "2"}


def test_bug_is_a_problem_that_quotes_nothing_of_it() -> None:
    answer = refused(KeyError("the secret"), "r-1")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert msgspec.json.decode(answer.body)["instance"] == "r-1"


async def test_answer_is_json_of_a_known_length_unless_it_says_otherwise() -> None:
    sent = await messages(Answer(200, b"{}", [("ETag", '"1"')]), (b"x-more", b"1"))
    assert sent == {b"etag": b'"1"', b"content-type": b"application/json", b"content-length": b"2", b"x-more": b"1"}
    sent = await messages(Answer(404, b"{}", [("Content-Type", "application/problem+json")]))
    assert sent[b"content-type"] == b"application/problem+json"


async def messages(answer: Answer, *more: tuple[bytes, bytes]) -> dict[bytes, bytes]:
    """Header lines of the answer as they are sent."""
    lines: list[tuple[bytes, bytes]] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        lines.extend(message.get("headers", ()))

    await send_answer(answer, more, send)  # type: ignore[arg-type]
    assert len({name for name, _ in lines}) == len(lines)
    return dict(lines)
