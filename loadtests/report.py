"""The report of a run: for programs, for people, and what the processes said where something is wrong."""

from pathlib import Path

import msgspec

from loadtests.run import Outcome


def write_report(outcome: Outcome, directory: Path, logs: dict[str, str]) -> None:
    """`verdict.json` and `verdict.txt`; where something is wrong, what the auditor and the processes said, too."""
    (directory / "verdict.json").write_bytes(msgspec.json.format(msgspec.json.encode(outcome)) + b"\n")
    (directory / "verdict.txt").write_text(markdown_of(outcome), encoding="utf-8")
    if outcome.wrong:
        (directory / "audit.txt").write_text(outcome.audit, encoding="utf-8")
        for name, log in logs.items():
            (directory / f"{name}.log").write_text(log, encoding="utf-8")


def facts_of(outcome: Outcome) -> list[tuple[str, str]]:
    """The verdict as rows of a table for people."""
    measured, verdict, engine = outcome.measured, outcome.verdict, outcome.engine
    return [
        ("users, API processes", f"{outcome.users:,}, {outcome.processes}"),
        ("requests", f"{measured.requests:,} ({measured.per_second:,.0f}/s)"),
        ("median, p99", f"{measured.median_ms:,.0f} ms, {measured.p99_ms:,.0f} ms"),
        ("unexpected answers", f"{measured.failures:,}"),
        ("connections cut", f"{outcome.connections_cut:,}"),
        ("batches, commands in one", f"{engine.batches:,}, {engine.commands_a_batch:.1f}"),
        ("conflicts, splits", f"{engine.conflicts:,}, {engine.splits:,}"),
        ("operations, times asked", f"{verdict.operations:,}, {verdict.asked:,}"),
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
