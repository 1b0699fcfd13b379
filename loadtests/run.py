"""One run of a scenario on a stack: load, until all is acknowledged; then the auditor, the verifier, the report."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from loadtests.locust_process import Measured, Order, run_locust
from loadtests.stack import Stack
from loadtests.verifier import Verdict, verify
from loadtests.verifier.rows import open_rows
from tests.polling import wait_until
from tests.running import audit

LAPSING_TIMEOUT_S = 60.0
PLAIN_EVERY_S = 10.0

LAPSED = "SELECT COUNT(*) FROM reservations WHERE lapses_at <= UNIX_TIMESTAMP(NOW(3)) * 1000"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one run. `wrong` says in words what must not be; empty where all is well."""

    scenario: str
    users: int
    duration_s: int
    processes: int
    is_control: bool
    measured: Measured
    connections_cut: int
    audit: str
    verdict: Verdict
    wrong: list[str]

    @property
    def is_clean(self) -> bool:
        return not self.wrong

    @property
    def was_caught(self) -> bool:
        """Whether the verifier, and not only something else, saw that there was more than there is."""
        return bool(self.verdict.oversold or self.verdict.doubled)


@dataclass(frozen=True)
class Watch:
    """How a run tells people what it is doing."""

    console: Console

    def step(self, words: str) -> None:
        self.console.print(f"[dim]{words} …")


def run_once(order: Order, stack: Stack, watch: Watch, *, is_control: bool = False) -> Outcome:
    """The outcome of one load. Raises AssertionError where the load itself could not be run."""
    order.directory.mkdir(parents=True, exist_ok=True)
    order.scenario.put_on_sale(stack.account, order.users)
    measured = _load(order, stack, watch)
    watch.step("lapsed holds end")
    with_lapsed = _count_until_none_lapsed(stack)
    watch.step("audit")
    audited = _audited(stack.database_url)
    watch.step("every answer against the database")
    verdict = verify([order.ledger], stack.database_url, stack.account.id)
    return Outcome(
        scenario=order.scenario.name,
        users=order.users,
        duration_s=order.duration_s,
        processes=len(stack.services),
        is_control=is_control,
        measured=measured,
        connections_cut=sum(proxy.cut_by_chance for proxy in stack.proxies),
        audit=audited,
        verdict=verdict,
        wrong=[*_wrong(measured, audited, verdict), *with_lapsed],
    )


def _wrong(measured: Measured, audited: str, verdict: Verdict) -> list[str]:
    wrong = []
    if not measured.requests or not verdict.acknowledged:
        wrong.append("nothing was asked: the load did not run (locust.log says why)")
    if measured.failures or measured.exceptions:
        wrong.append(
            f"{measured.failures} answers that the scenario does not expect, {measured.exceptions} kinds of exceptions "
            "in its users (locust_failures.csv, locust_exceptions.csv)"
        )
    elif measured.exit_code:
        wrong.append(f"Locust ended with {measured.exit_code} (locust.log says why)")
    if verdict.unacknowledged:
        wrong.append(f"{verdict.unacknowledged} operations never had a final answer")
    if not verdict.is_clean:
        wrong.append(
            f"the verifier: {verdict.lost} lost, {verdict.doubled} doubled, {verdict.oversold} oversold, "
            f"{verdict.untrue} untrue"
        )
    if audited:
        wrong.append("the auditor found offences (audit.txt)")
    return wrong


def _load(order: Order, stack: Stack, watch: Watch) -> Measured:
    with run_locust(order, stack) as locust:
        if locust.ui_url:
            watch.console.print(
                f"Locust's page: [bold]{locust.ui_url}[/]  (Ctrl-C ends the load and gives the verdict)"
            )
        try:
            with _progress(order, watch.console) as tell:
                locust.wait(tell)
        except KeyboardInterrupt:
            if not order.has_ui:
                raise
            watch.step("the users finish what they are at")
            locust.finish()
        return locust.measured()


class _progress:  # noqa: N801 - a context manager that reads like a function
    """A bar for people, a line now and then in a pipe."""

    def __init__(self, order: Order, console: Console) -> None:
        self._order = order
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[so_far]}"), TimeElapsedColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task(order.scenario.name, total=order.duration_s, so_far="")
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar.start()
        return self.tell

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, requests: int, failures: int) -> None:
        now = time.monotonic()
        words = f"{requests:,} requests" + (f", [red]{failures:,} failures[/]" if failures else "")
        self._bar.update(self._task, completed=min(now - self._began, self._order.duration_s), so_far=words)
        if not self._console.is_terminal and now - self._told >= PLAIN_EVERY_S:
            self._told = now
            self._console.print(f"{now - self._began:.0f} s: {words}")


def _count_until_none_lapsed(stack: Stack) -> list[str]:
    """Empty when no hold is left whose time is over; else the complaint that the worker did not come."""

    def left() -> int:
        with open_rows(stack.database_url) as rows:
            return int(rows.select(LAPSED)[0][0])

    try:
        wait_until(lambda: not left(), LAPSING_TIMEOUT_S, "lapsed holds ended")
    except AssertionError:
        return [f"{left()} holds past their time are still there after {LAPSING_TIMEOUT_S:g} s"]
    return []


def _audited(database_url: str) -> str:
    """What the auditor complains of; empty where it is content."""
    try:
        audit(database_url)
    except AssertionError as complaint:
        return str(complaint)
    return ""


def write_report(outcome: Outcome, directory: Path, logs: dict[str, str]) -> None:
    """`verdict.json` and `verdict.md`; where something is wrong, what the auditor and the processes said, too."""
    (directory / "verdict.json").write_bytes(msgspec.json.format(msgspec.json.encode(outcome)) + b"\n")
    (directory / "verdict.md").write_text(markdown_of(outcome), encoding="utf-8")
    if outcome.wrong:
        (directory / "audit.txt").write_text(outcome.audit, encoding="utf-8")
        for name, log in logs.items():
            (directory / f"{name}.log").write_text(log, encoding="utf-8")


def facts_of(outcome: Outcome) -> list[tuple[str, str]]:
    """The verdict as rows of a table for people."""
    measured, verdict = outcome.measured, outcome.verdict
    return [
        ("users, API processes", f"{outcome.users:,}, {outcome.processes}"),
        ("requests", f"{measured.requests:,} ({measured.per_second:,.0f}/s)"),
        ("median, p99", f"{measured.median_ms:,.0f} ms, {measured.p99_ms:,.0f} ms"),
        ("unexpected answers", f"{measured.failures:,}"),
        ("connections cut", f"{outcome.connections_cut:,}"),
        ("operations", f"{verdict.operations:,}"),
        ("acknowledged", f"{verdict.acknowledged:,} ({verdict.successes:,} successes, {verdict.refusals:,} refusals)"),
        ("failures ordered", f"{verdict.failures_expected:,}"),
        ("tries, answers, replays", f"{verdict.tries:,}, {verdict.told:,}, {verdict.replays:,}"),
        ("unacknowledged", f"{verdict.unacknowledged:,}"),
        ("lost", f"{verdict.lost:,}"),
        ("doubled", f"{verdict.doubled:,}"),
        ("oversold", f"{verdict.oversold:,}"),
        ("untrue", f"{verdict.untrue:,}"),
        ("auditor", "offences" if outcome.audit else "clean"),
    ]


def markdown_of(outcome: Outcome) -> str:
    """The same for a file, with the first offences."""
    lines = [f"# {outcome.scenario}: {'clean' if outcome.is_clean else 'NOT clean'}", ""]
    if outcome.is_control:
        lines += ["A negative control: what protects the service was switched off, so this must not be clean.", ""]
    lines += ["| | |", "| --- | ---: |", *(f"| {name} | {value} |" for name, value in facts_of(outcome)), ""]
    lines += [f"- {words}" for words in (*outcome.wrong, *outcome.verdict.offences)]
    return "\n".join(lines) + "\n"
