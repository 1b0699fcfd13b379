"""The scenario hot-row: one stock row under each strategy and number of processes, and cold rows beside them.

The strategies are settings of the service as it is. *optimistic*: versions alone, no row is ever called hot.
*FOR UPDATE*: hot rows are locked in the database. *Redis lock*: hot rows are locked in Redis. Cold rows run with Redis
at hand, and must not send it one command.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec
from redis import Redis
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from loadtests.engine_counts import EngineCounts
from loadtests.locust_process import Order
from loadtests.report import write_report
from loadtests.run import Outcome, run_once
from loadtests.stack import Shape, Stack, database_server, run_stack
from loadtests.watch import Watch

NAME = "hot-row"
PROCESSES = (1, 2, 4)
NOT_OF_THE_SERVICE = frozenset({"info", "hello", "ping", "client|setinfo", "config|get"})


class Strategy(msgspec.Struct, frozen=True):
    """One way to treat a row, as settings."""

    name: str
    has_redis: bool
    is_cold: bool = False
    settings: Mapping[str, str] = {}


STRATEGIES = (
    Strategy("optimistic", has_redis=False, settings={"HOLDFAST_HOT_ROW_CONFLICTS": "1000"}),
    Strategy("FOR UPDATE", has_redis=False),
    Strategy("Redis lock", has_redis=True),
    Strategy("cold rows", has_redis=True, is_cold=True),
)


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement. `redis_commands` are all that the service sent; `sent_away` are answers 503."""

    strategy: str
    processes: int
    requests: int
    per_second: float
    median_ms: float
    p99_ms: float
    sent_away: int
    engine: EngineCounts
    redis_commands: int
    is_clean: bool


def compare(order: Order, processes: Sequence[int] | None, mysql_url: str | None, console: Console) -> bool:
    """Measures every cell and writes the table; whether all of them were clean and cold rows cost Redis nothing."""
    cells: list[Cell] = []
    wrong: list[str] = []
    watch = Watch(console)
    with database_server(mysql_url) as server:
        for strategy in STRATEGIES:
            for count in processes or PROCESSES:
                watch.step(f"{strategy.name}, {count} processes")
                shape = Shape(processes=count, has_redis=strategy.has_redis, settings=strategy.settings)
                with run_stack(server, shape) as stack:
                    part = _part(order, strategy, count)
                    outcome = run_once(part, stack, Watch(Console(quiet=True)))
                    write_report(outcome, part.directory, stack.logs())
                    cells.append(_measure(strategy, stack, outcome))
                wrong += [f"{strategy.name}, {count} processes: {words}" for words in outcome.wrong]
    wrong += [
        f"cold rows, {cell.processes} processes: {cell.redis_commands} commands to Redis"
        for cell in cells
        if cell.strategy == STRATEGIES[-1].name and cell.redis_commands
    ]
    console.print(_table(cells))
    for words in wrong:
        console.print(f"[red]{words}", highlight=False)
    _write(order, cells, wrong)
    console.print(f"report: {order.directory}")
    return not wrong


def _part(order: Order, strategy: Strategy, count: int) -> Order:
    name = f"{strategy.name.lower().replace(' ', '-')}-{count}"
    rows = {"LOAD_ROWS": "cold" if strategy.is_cold else "one"}
    return replace(order, directory=order.directory / name, environment=rows)


def _measure(strategy: Strategy, stack: Stack, outcome: Outcome) -> Cell:
    by_name = outcome.measured.by_name
    return Cell(
        strategy=strategy.name,
        processes=outcome.processes,
        requests=outcome.measured.requests,
        per_second=outcome.measured.per_second,
        median_ms=outcome.measured.median_ms,
        p99_ms=outcome.measured.p99_ms,
        sent_away=sum(count for name, count in by_name.items() if "come back later" in name),
        engine=outcome.engine,
        redis_commands=_redis_commands(stack),
        is_clean=outcome.is_clean,
    )


def _redis_commands(stack: Stack) -> int:
    if stack.redis is None:
        return 0
    with Redis.from_url(stack.redis.url) as client:
        found = client.info("commandstats")
    called = {name.removeprefix("cmdstat_").lower(): facts["calls"] for name, facts in found.items()}
    return sum(calls for name, calls in called.items() if name not in NOT_OF_THE_SERVICE)


COLUMNS = ("rows", "API", "holds/s", "p50", "p99", "conflicts", "batch", "locks", "Redis", "503", "clean")


LEGEND = """API: processes. p50, p99: ms. Conflicts: rows that others had changed first.
Batch: commands in one transaction. Locks: of hot rows. Redis: commands.
503: sent away, came back later."""


def _cells(cell: Cell) -> list[str]:
    return [
        cell.strategy,
        str(cell.processes),
        f"{cell.per_second:,.0f}",
        f"{cell.median_ms:,.0f}",
        f"{cell.p99_ms:,.0f}",
        f"{cell.engine.conflicts:,}",
        f"{cell.engine.commands_a_batch:.1f}",
        f"{cell.engine.row_locks:,}",
        f"{cell.redis_commands:,}",
        f"{cell.sent_away:,}",
        "yes" if cell.is_clean else "NO",
    ]


def _table(cells: Sequence[Cell]) -> Table:
    table = Table(title="One stock row, and cold rows", caption=LEGEND, box=SIMPLE_HEAD, padding=0, show_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "rows" else "right", no_wrap=True)
    for cell in cells:
        table.add_row(*_cells(cell))
    return table


def _write(order: Order, cells: Sequence[Cell], wrong: Sequence[str]) -> None:
    whole = {"scenario": NAME, "users": order.users, "duration_s": order.duration_s, "cells": cells, "wrong": wrong}
    (order.directory / "verdict.json").write_bytes(msgspec.json.format(msgspec.json.encode(whole)) + b"\n")
    size = f"{order.users} users, {order.duration_s} s each."
    lines = [f"# {NAME}: {'NOT clean' if wrong else 'clean'}", "", size, ""]
    lines += [f"| {' | '.join(COLUMNS)} |", "| --- |" + " ---: |" * (len(COLUMNS) - 1)]
    lines += [f"| {' | '.join(_cells(cell))} |" for cell in cells]
    lines += ["", LEGEND, "", *(f"- {words}" for words in wrong)]
    (order.directory / "verdict.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
