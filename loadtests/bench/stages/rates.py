"""Latency at fixed rates of arrival, batch sizes at these, and throughput by the number of clients.

At a fixed rate the latency of a request counts from when it was due, so a server that stalls is not spared.
"""

from statistics import median

from loadtests.bench import requests
from loadtests.bench.bed import Target
from loadtests.bench.bench import Bench
from loadtests.bench.figures import Curve, Figure, Sample, limit_of
from loadtests.generator import Request

KINDS = {"no-op": "echo", "holds": "distinct", "plain": "distinct by plain"}


def run(bench: Bench) -> None:
    plain = bench.plain("sqlalchemy")
    most = {kind: _most(bench, kind, plain) for kind in KINDS}
    _at_half(bench, most["holds"] / 2)
    _by_load(bench, plain, most)
    _by_clients(bench, plain, most)
    bench.watch_memory()


def _target(bench: Bench, kind: str, plain: Target) -> Target:
    return plain if kind == "plain" else bench.main


def _requests(bench: Bench, kind: str, count: int) -> list[Request]:
    venue = bench.main.venue
    return requests.echoes(venue.examples(count)) if kind == "no-op" else requests.hold_seats(venue.take(count))


def _most(bench: Bench, kind: str, plain: Target) -> float:
    """Requests/s of a closed loop: as the earlier rounds found it, or found now."""
    known = bench.found.samples.get(KINDS[kind])
    if known:
        return median(sample.per_second for sample in known)
    count = bench.options.plain_requests if kind == "plain" else bench.options.requests
    runs = [
        _target(bench, kind, plain).run(_requests(bench, kind, count), "201", bench.options.connections)
        for _ in range(2)
    ]
    return runs[-1].per_second


def _at(bench: Bench, kind: str, plain: Target | None, rate: float, seconds: float) -> Sample:
    count = max(20, int(rate * seconds))
    target = bench.main if plain is None else _target(bench, kind, plain)
    # More connections than are ever busy while the server keeps up: a late answer must not keep the next one waiting.
    return target.run(_requests(bench, kind, count), "201", 2 * bench.options.connections, rate=rate)


def _at_half(bench: Bench, rate: float) -> None:
    seconds = bench.options.at_rate_seconds
    for number in range(bench.options.rounds + 1):
        no_op = _at(bench, "no-op", None, rate, seconds)
        held = _at(bench, "holds", None, rate, seconds)
        bench.reporter.step(f"p99 at {rate:,.0f}/s: no-op {no_op.p99_ms:.1f} ms, holds {held.p99_ms:.1f} ms")
        if number:
            bench.note("echo at half", no_op)
            bench.note("distinct at half", held)
    no_ops, helds = bench.found.samples["echo at half"], bench.found.samples["distinct at half"]
    by_round = [held.p99_ms / no_op.p99_ms for held, no_op in zip(helds, no_ops, strict=True)]
    bench.add(
        Figure(
            name="latency",
            value=median(by_round),
            detail=f"{median(held.p99_ms for held in helds):.1f} ms to "
            f"{median(no_op.p99_ms for no_op in no_ops):.1f} ms at {rate:,.0f}/s",
            limit=limit_of([held.usage for held in helds], bench.cores),
            rounds=[round(ratio, 3) for ratio in by_round],
        )
    )


def _by_load(bench: Bench, plain: Target, most: dict[str, float]) -> None:
    sizes: list[tuple[float, float]] = []
    for kind in KINDS:
        samples: list[tuple[float, Sample]] = []
        for share in bench.options.shares:
            rate = share * most[kind]
            before = bench.main.metrics()
            sample = _at(bench, kind, plain, rate, bench.options.curve_seconds)
            samples.append((rate, sample))
            if kind == "holds":
                sizes.append((rate, _batch_size(before, bench.main.metrics())))
        rates = [rate for rate, _ in samples]
        bench.draw("latency", Curve(f"{kind}, p50", rates, [sample.median_ms for _, sample in samples]))
        bench.draw("latency", Curve(f"{kind}, p99", rates, [sample.p99_ms for _, sample in samples]))
        bench.reporter.step(f"{kind} at {', '.join(f'{rate:,.0f}' for rate in rates)} requests/s")
    bench.draw("batches", Curve("holds", [rate for rate, _ in sizes], [size for _, size in sizes]))


def _batch_size(before: dict[str, float], after: dict[str, float]) -> float:
    batches = after["holdfast_batch_commands_count"] - before.get("holdfast_batch_commands_count", 0)
    commands = after["holdfast_batch_commands_sum"] - before.get("holdfast_batch_commands_sum", 0)
    return commands / batches if batches else 0.0


def _by_clients(bench: Bench, plain: Target, most: dict[str, float]) -> None:
    for kind in KINDS:
        rates: list[float] = []
        for clients in bench.options.clients:
            # One client gets about a tenth of the most, eight and more get nearly all of it.
            count = int(most[kind] * bench.options.curve_seconds * min(1.0, 0.1 + clients / 10))
            asked = _requests(bench, kind, max(clients, count, 20))
            rates.append(_target(bench, kind, plain).run(asked, "201", clients).per_second)
        bench.draw("clients", Curve(kind, [float(clients) for clients in bench.options.clients], rates))
        bench.reporter.step(f"{kind} by clients: {', '.join(f'{rate:,.0f}' for rate in rates)} requests/s")
