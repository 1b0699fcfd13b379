"""The run: rounds of a few faults each, an account and a ledger a round, everything judged after each of them.

At the end all rounds are judged once more: what was true must have stayed so.
"""

import random
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import asyncmy

from loadtests.ledger import Ledger
from loadtests.verifier import verify
from tests.accounts import new_account
from tests.faults.soak import evidence
from tests.faults.soak.catalogue import Kind, kinds_of
from tests.faults.soak.crowd import Crowd
from tests.faults.soak.logs import Logs
from tests.faults.soak.report import Report
from tests.faults.soak.scene import Scene
from tests.faults.soak.stack import Stack, start_stack
from tests.faults.soak.view import View
from tests.process import make_directory, remove_directory
from tests.races.databases import StoreName, audit_now


class Options(NamedTuple):
    """`seconds` 0: each kind once, and no fault longer than it must be. `control`: broken on purpose.

    `interrupted`: whether Ctrl-C was pressed.
    """

    store: StoreName
    seconds: float
    seed: int
    threads: int
    faults_a_round: int
    only: list[str]
    control: str | None
    reports: Path
    interrupted: threading.Event


class Round(NamedTuple):
    """What a round leaves to be judged."""

    ledger: Path
    account_id: bytes


def run_soak(options: Options, view: View) -> Report:
    """The report; whatever a soak can find wrong is in it. KeyboardInterrupt ends everything first."""
    kinds = kinds_of(options.store, options.only)
    report = Report.begin(options.store, options.seed, kinds)
    directory = make_directory("soak")
    try:
        with view.live():
            view.show("starts the servers")
            with start_stack(options.store, options.control, view.say) as stack:
                view.begin()
                if stack.disk is None and stack.store == "mysql":
                    kinds = [kind for kind in kinds if kind.name != "disk full"]
                    view.say("no small disk: the database's server is a container", "yellow")
                _Soak(options, view, report, stack, directory).run(kinds)
    finally:
        remove_directory(directory)
    report.seconds = round(view.elapsed_s, 1)
    return report


class _Soak:
    def __init__(self, options: Options, view: View, report: Report, stack: Stack, directory: Path) -> None:
        self._options = options
        self._view = view
        self._report = report
        self._stack = stack
        self._directory = directory
        self._random = random.Random(options.seed)
        self._rounds: list[Round] = []
        self._logs = Logs(stack)

    def run(self, kinds: list[Kind]) -> None:
        """Rounds until the time is over, or something is wrong; then its evidence is kept."""
        drawn = self._drawn(kinds)
        try:
            while self._report.is_clean and (first := next(drawn, None)) is not None:
                self._round(chain([first], islice(drawn, self._options.faults_a_round - 1)))
            if self._report.is_clean:
                self._judge(self._rounds)
        except KeyboardInterrupt:
            # A fault may have ended one of them just now, which is no failure of its own.
            for member in self._stack.members:
                member.process.kill()
            raise
        except Exception as error:  # noqa: BLE001 - whatever a customer or a fault met is told, with its evidence
            self._report.failure = f"{type(error).__name__}: {error}"
            self._judge_what_is_left()
        if not self._report.is_clean:
            ledgers = [round_.ledger for round_ in self._rounds]
            evidence.keep(self._report, self._stack, ledgers, self._options.reports)

    def _drawn(self, kinds: list[Kind]) -> Iterator[Kind]:
        """Kinds by chance, all of them before any of them again; until the time is over, or all of them once."""
        seconds = self._options.seconds
        while True:
            for kind in self._random.sample(kinds, len(kinds)):
                if seconds and self._view.elapsed_s >= seconds:
                    return
                yield kind
            if not seconds:
                return

    def _round(self, kinds: Iterable[Kind]) -> None:
        number = len(self._rounds) + 1
        path = self._directory / f"round-{number:03}.jsonl"
        with (
            closing(new_account(self._stack.apis[0].process.url, self._stack.database_url)) as account,
            Ledger(path) as ledger,
        ):
            self._rounds.append(Round(path, account.id))
            seed = f"{self._options.seed}-{number}"
            crowd = Crowd(account, [api.url for api in self._stack.apis], ledger, seed, self._options.threads)
            scene = Scene(self._stack, crowd, self._random, brief=not self._options.seconds)
            try:
                with crowd:
                    for kind in kinds:
                        self._inject(kind, scene)
            finally:
                self._report.note_counts(crowd.counts)
        self._report.rounds = number
        self._judge([self._rounds[-1]])
        words = f"round {number}: {crowd.counts['acknowledged']:,} operations acknowledged"
        if self._report.is_clean:
            self._view.say(f"{words}, judged clean", "green")
        else:
            self._view.say(f"{words}, and they are not all true", "bold red")

    def _inject(self, kind: Kind, scene: Scene) -> None:
        if self._options.interrupted.is_set():  # asyncio, or whatever ran just then, may have kept it to itself
            raise KeyboardInterrupt
        self._view.show(f"row {kind.row}: {kind.name}", lambda: scene.crowd.counts)
        try:
            words = kind.inject(scene)
            recovered_s = scene.settle()
        except AssertionError as error:
            raise AssertionError(f"row {kind.row}, {kind.name}: {error}") from error
        self._report.note_fault(kind, recovered_s)
        self._view.say(f"row {kind.row:2}  {kind.name}: {words}; all answered after {recovered_s:.1f} s")

    def _judge_what_is_left(self) -> None:
        """The verdict on a round that was broken off, where the database can still be asked."""
        last = self._rounds[-1]
        try:
            verdict = verify([last.ledger], self._stack.database_url, last.account_id)
        except (OSError, asyncmy.errors.Error, sqlite3.Error) as error:
            self._view.say(f"the database does not tell what is in it: {error}", "yellow")
        else:
            self._report.note_verdict(verdict)

    def _judge(self, rounds: list[Round]) -> None:
        """The auditor on the database, the verifier on these rounds."""
        self._view.show("the auditor and the verifier look at everything")
        for round_ in rounds:
            verdict = verify([round_.ledger], self._stack.database_url, round_.account_id)
            if not verdict.is_clean or verdict.unacknowledged:
                self._report.note_verdict(verdict)
        if self._report.is_clean:
            audit_now(self._stack.database_url)
        errors = self._logs.new_errors()
        assert not errors, f"{len(errors)} errors were logged, and a fault is none: {errors[0]}"
