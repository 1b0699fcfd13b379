"""One run of a scenario on a stack: load, until all is acknowledged; then the auditor, the verifier, the report."""

import msgspec

from loadtests.engine_counts import EngineCounts, engine_counts
from loadtests.locust_process import Measured, Order, run_locust
from loadtests.stack import Stack
from loadtests.verifier import Verdict, verify
from loadtests.verifier.rows import open_rows
from loadtests.watch import LoadProgress, Watch
from tests.polling import wait_until
from tests.races.databases import verdict as examine

LAPSING_TIMEOUT_S = 60.0

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
    engine: EngineCounts
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


def run_once(order: Order, stack: Stack, watch: Watch, *, is_control: bool = False) -> Outcome:
    """The outcome of one load. Raises AssertionError where the load itself could not be run."""
    order.directory.mkdir(parents=True, exist_ok=True)
    order.scenario.put_on_sale(stack.account, order.users)
    measured = _load(order, stack, watch)
    watch.step("lapsed holds end")
    lapsed = _lapsed_that_stay(stack)
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
        engine=engine_counts(stack),
        audit=audited,
        verdict=verdict,
        wrong=[*_wrong(measured, audited, verdict), *lapsed],
    )


def _wrong(measured: Measured, audited: str, verdict: Verdict) -> list[str]:
    wrong = []
    if not measured.requests or not verdict.acknowledged:
        wrong.append("nothing was asked: the load did not run (locust.log says why)")
    if measured.failures or measured.exceptions:
        wrong.append(
            f"{measured.failures} answers that the scenario does not expect, {measured.exceptions} exceptions "
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
                f"Locust's page: [bold]{locust.ui_url}[/]  (Ctrl-C ends the load, then comes the verdict)"
            )
        try:
            with LoadProgress(order.scenario.name, order.duration_s, watch.console) as tell:
                locust.wait(tell)
        except KeyboardInterrupt:
            if not order.has_ui:
                raise
            watch.step("the users finish what they are at")
            locust.finish()
        return locust.measured()


def _lapsed_that_stay(stack: Stack) -> list[str]:
    """Empty as soon as no hold is left whose time is over; a complaint where the worker does not come for them."""

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
    report = examine(database_url)
    return "\n".join(
        f"{check.invariant} {check.name}: {check.total} offenders, {'; '.join(check.offenders)}"
        for check in report.checks
        if check.total
    )
