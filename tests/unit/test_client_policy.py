"""What the client sends again, and when: the tables of its policy, with a clock and a chance of the test's own."""

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import pytest

from service import problems
from service.client import Attempt, Holdfast, Policy, Unreached, calls, stock
from service.client.calls import AnyCall
from service.client.policy import LEAST_ATTEMPT_S, Rest, Send, converse, is_tried_again, retry_after
from service.client.replies import Reply

PROBLEM_JSON = {"content-type": "application/problem+json"}
NOON = "Tue, 24 Nov 2026 12:00:00 GMT"
DONE = Reply(201, {}, b"{}")
LOST = httpx.ReadError("reset")


def problem(status: int, **members: Any) -> Reply:
    return Reply(status, PROBLEM_JSON, msgspec.json.encode(members))


def busy(headers: Mapping[str, str]) -> Reply:
    return Reply(503, headers, b"")


@pytest.mark.parametrize("row", problems.TABLE, ids=lambda row: row.slug)
def test_problem_of_the_service_is_tried_again_where_it_says_so(row: problems.Row) -> None:
    made = problems.example(row, "r-1")
    assert is_tried_again(Reply(made.status, PROBLEM_JSON, made.body)) is row.retryable


@pytest.mark.parametrize(
    ("reply", "again"),
    [
        (Reply(200, {}, b""), False),
        (Reply(302, {}, b""), False),
        (Reply(400, {}, b""), False),
        (Reply(403, {}, b""), False),
        (Reply(404, {}, b""), False),
        (Reply(408, {}, b""), True),
        (Reply(409, {}, b""), False),
        (Reply(425, {}, b""), True),
        (Reply(429, {}, b""), True),
        (Reply(500, {}, b""), True),
        (Reply(502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"), True),
        (Reply(503, {}, b""), True),
        (Reply(504, {}, b""), True),
        # The service's word wins over the status, and `retry_with` over `retryable`.
        (problem(503, retry_with="none"), False),
        (problem(409, retry_with="same_key"), True),
        (problem(409, retry_with="new_key", retryable=True), False),
        (problem(409, retryable=True), True),
        (problem(503, retryable=False), False),
        (problem(503, retryable="perhaps"), True),
        # What is no document says nothing.
        (Reply(503, PROBLEM_JSON, b'{"retry_with": "no'), True),
        (Reply(503, PROBLEM_JSON, b'["retry_with"]'), True),
        (Reply(404, PROBLEM_JSON, b"\xff"), False),
        (Reply(503, {"content-type": "application/json"}, b'{"retry_with": "none"}'), True),
    ],
)
def test_what_is_tried_again(reply: Reply, again: bool) -> None:
    assert is_tried_again(reply) is again


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "-7"}, 0),
        ({"retry-after": "1.5"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "٣"}, 0),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT", "date": NOON}, 30),
        ({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT", "date": NOON}, 0),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT"}, 0),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT", "date": "noon"}, 0),
    ],
)
def test_retry_after_in_seconds_and_as_a_date_by_the_answers_own_clock(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(busy(headers)) == seconds


class Talk:
    """A conversation in which each outcome takes `lasts_s`; all that it did, and what it ended with."""

    def __init__(self, policy: Policy, outcomes: list[Reply | Exception], lasts_s: float = 0, luck: float = 1) -> None:
        self.now = 100.0
        self.asked: list[tuple[float, float]] = []
        self.timeouts: list[float] = []
        self.rests: list[float] = []
        self.told: list[Attempt] = []
        self.end: Reply | Unreached | None = None
        self.call: AnyCall = calls.hold(stock("NW-001"), key="k-1")
        talk = converse(self.call, policy, self.told.append, lambda: self.now, self._draw(luck))
        self._run(talk, iter(outcomes), lasts_s)

    def _draw(self, luck: float) -> Any:
        def draw(least: float, most: float) -> float:
            self.asked.append((least, most))
            return least + luck * (most - least)

        return draw

    def _run(self, talk: Any, outcomes: Any, lasts_s: float) -> None:
        step = next(talk)
        try:
            while True:
                if isinstance(step, Rest):
                    self.rests.append(step.seconds)
                    self.now += step.seconds
                    step = talk.send(None)
                else:
                    assert isinstance(step, Send)
                    self.timeouts.append(step.timeout_s)
                    self.now += min(lasts_s, step.timeout_s)
                    step = talk.send(next(outcomes))
        except StopIteration as end:
            self.end = end.value
        except Unreached as error:
            self.end = error


def test_pauses_double_up_to_their_longest_and_are_drawn_from_zero_on() -> None:
    policy = Policy(pause_s=0.2, pause_max_s=1, deadline_s=1000)
    talk = Talk(policy, [*[LOST] * 6, DONE])
    assert talk.asked == [(0.0, 0.2), (0.0, 0.4), (0.0, 0.8), (0.0, 1), (0.0, 1), (0.0, 1)]
    assert talk.rests == [0.2, 0.4, 0.8, 1, 1, 1]
    assert talk.end is DONE
    assert Talk(policy, [*[LOST] * 6, DONE], luck=0).rests == [0] * 6


def test_pause_stays_a_number_after_thousands_of_attempts() -> None:
    talk = Talk(Policy(pause_s=0.001, pause_max_s=0.002, deadline_s=1e9), [*[LOST] * 3000, DONE])
    assert talk.end is DONE


def test_pause_comes_on_top_of_what_retry_after_asks_for() -> None:
    talk = Talk(Policy(pause_s=0.2), [busy({"retry-after": "3"}), DONE])
    assert talk.rests == [3.2]


def test_retry_that_would_come_after_the_deadline_is_not_waited_for() -> None:
    refused = busy({"retry-after": "61"})
    talk = Talk(Policy(deadline_s=60), [refused])
    assert (talk.end, talk.rests) == (refused, [])


def test_no_attempt_may_outlast_the_deadline() -> None:
    talk = Talk(Policy(deadline_s=10, attempt_s=4, pause_s=1, pause_max_s=1), [LOST] * 9, lasts_s=4)
    assert talk.timeouts == [4, 4]
    assert isinstance(talk.end, Unreached)
    assert talk.now - 100 <= 10 + LEAST_ATTEMPT_S
    assert (talk.end.key, talk.end.attempts, talk.end.__cause__) == ("k-1", len(talk.timeouts), LOST)
    assert str(talk.end) == f"no answer, tried {len(talk.timeouts)} times: reset"


def test_attempts_may_be_bounded_too() -> None:
    talk = Talk(Policy(attempts_max=2), [LOST] * 9)
    assert len(talk.timeouts) == 2
    refused = busy({})
    assert Talk(Policy(attempts_max=1), [refused]).end is refused
    once = Talk(Policy(attempts_max=1), [TimeoutError()]).end
    assert str(once) == "no answer, tried once: it did not come in time"


def test_hook_is_told_of_each_attempt() -> None:
    talk = Talk(Policy(pause_s=0.2), [LOST, busy({}), DONE], lasts_s=2)
    assert [(at.number, at.status, at.error, at.seconds) for at in talk.told] == [
        (1, None, LOST, 2),
        (2, 503, None, 2),
        (3, 201, None, 2),
    ]
    assert [at.pause_s for at in talk.told] == [0.2, 0.4, None]
    assert all(at.call is talk.call for at in talk.told)


@pytest.mark.parametrize("name", ["deadline_s", "attempt_s", "pause_s", "pause_max_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_policy_that_cannot_be_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be above 0, not"):
        Policy(**{name: value})


def test_policy_without_an_attempt_is_refused() -> None:
    with pytest.raises(ValueError, match="attempts_max must be at least 1, not 0"):
        Policy(attempts_max=0)


def test_every_attempt_sends_the_same_bytes_under_the_same_key() -> None:
    sent: list[tuple[str, str, bytes, str | None, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        headers = request.headers
        key, if_match = headers.get("Idempotency-Key"), headers.get("If-Match")
        sent.append((request.method, str(request.url), request.content, key, if_match))
        return httpx.Response(503) if len(sent) < 4 else httpx.Response(200, json={"reference": "K7QX2-9PMD8"})

    call = calls.confirm("K7QX2-9PMD8", if_match=3, reason="paid")
    policy = Policy(pause_s=0.001)
    with Holdfast("http://tickets.example", "hf_a_b", policy=policy, transport=httpx.MockTransport(answer)) as client:
        assert client.exchange(call).status == 200
    assert len(sent) == 4
    url = "http://tickets.example/v1/reservations/K7QX2-9PMD8/confirm"
    assert set(sent) == {("POST", url, call.body, call.key, '"3"')}
