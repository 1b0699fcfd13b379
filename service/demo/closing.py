"""The last page: the numbers, the verdicts, and what the user may try next."""

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from service.audit import Report
from service.demo.calls import HOST, Tally
from service.demo.customers import Told, encode
from service.demo.place import DATABASE_URL
from service.demo.screen import Screen
from service.demo.stage import EVENT
from service.demo.verdict import Verdict, told_at_last

SHOWN_MAX: Final = 10
SKU: Final = "NW-075"
"""The item of the samples of which there is most, and which no customer of the story wants."""


def tell(screen: Screen, told: Sequence[Told], tally: Tally, verdict: Verdict, report: Report) -> None:
    """The numbers, and both verdicts."""
    screen.heading("Verdict")
    answers = sum(len(one.answers) for one in told)
    refused = Counter(one.slug for one in told if not one.answer.is_success)
    seats, units = _confirmed(told)
    screen.numbers(
        [
            ("requests", f"{tally.requests:,}", f"{tally.cut:,} of them on connections that broke"),
            ("answers", f"{answers:,}", f"to {len(told):,} operations, each compared with the database"),
            ("replays", f"{tally.replays:,}", "the stored answer, sent again"),
            (
                "lost replies",
                f"{_lost(told):,}",
                "carried out, but known only by asking again",
            ),
            ("refusals", f"{refused.total():,}", ", ".join(f"{count} {slug}" for slug, count in refused.items())),
            ("seats confirmed", f"{seats:,}", "the customers' own now"),
            ("units confirmed", f"{units:,}", "of stock"),
            ("doubles", f"{len(verdict.doubles):,}", "units or operations given twice"),
            ("untrue answers", f"{len(verdict.untruths):,}", ""),
        ]
    )
    offenders = [f"{check.invariant}: {offender}" for check in report.checks for offender in check.offenders]
    for finding in [*verdict.doubles, *verdict.untruths, *offenders][:SHOWN_MAX]:
        screen.verdict(finding, good=False)
    _judgement(screen, "clients", verdict.is_clean, "each was told the truth, and nothing twice")
    rows = sum(check.rows_checked for check in report.checks)
    said = f"{len(report.checks)} checks of {rows:,} rows in {report.seconds:.1f} s"
    _judgement(screen, "auditor", report.clean, said)


def _judgement(screen: Screen, who: str, good: bool, text: str) -> None:
    screen.verdict(f"{who}: clean, {text}" if good else f"{who}: NOT CLEAN", good=good)


def _lost(told: Sequence[Told]) -> int:
    """Operations whose first answer reached nobody, and that were not done again for it."""
    return sum(all(answer.replayed for answer in one.answers) for one in told)


def _confirmed(told: Sequence[Told]) -> tuple[int, int]:
    """Seats and units that customers were told are theirs."""
    lines = [line for seen in told_at_last(told).values() if seen.state == "confirmed" for line in seen.lines]
    return sum(line.seat is not None for line in lines), sum(line.quantity for line in lines if line.seat is None)


def invite(screen: Screen, port: int, key: str) -> None:
    """The key, three lines to copy, and how it ends."""
    screen.heading("Your turn")
    screen.say("api key", key)
    screen.say("reference", f"http://{HOST}:{port}/docs")
    screen.verbatim("")
    for comment, line in curl_lines(port, key):
        screen.verbatim(f"# {comment}")
        screen.verbatim(line)
    screen.verbatim("")
    screen.say("commands", f"export HOLDFAST_DATABASE_URL={DATABASE_URL}; .venv/bin/holdfast audit")
    screen.say("end", "Ctrl-C ends it")


def curl_lines(port: int, key: str) -> list[tuple[str, str]]:
    """What a line does, and the line."""
    body = {
        "lines": [
            {"event": EVENT, "best_available": {"quantity": 2}},
            {"sku": SKU, "quantity": 1},
        ]
    }
    return [
        (
            "hold two seats next to each other and a beer; send it again, and the same answer comes again",
            _curl(port, "/v1/reservations", key, body=body),
        ),
        ("your reservation", _curl(port, "/v1/reservations?limit=1", key)),
        ("what is left of the beer", _curl(port, f"/v1/stock/{SKU}", key)),
    ]


def _curl(port: int, path: str, key: str, body: dict[str, Any] | None = None) -> str:
    words = ["curl", "-s", f"http://{HOST}:{port}{path}", "-H", f"Authorization: Bearer {key}"]
    if body is not None:
        words += ["-H", "Idempotency-Key: my-first-hold", "-H", "Content-Type: application/json"]
        words += ["-d", encode(body).decode()]
    return shlex.join(words)
