"""Holds, actions and replays in interleaved rounds: the no-op, the service and the plain implementation in each."""

from loadtests.bench import requests
from loadtests.bench.bed import Target
from loadtests.bench.bench import Bench
from loadtests.bench.figures import Sample, compared

PLAIN_WAYS = {"plain": "sqlalchemy", "driver": "driver"}


def run(bench: Bench) -> None:
    plains = {
        way: bench.plain(setting)
        for way, setting in PLAIN_WAYS.items()
        if bench.wants(f"distinct-{way}", f"stock-{way}")
    }
    rounds = [_round(bench, plains) for _ in range(bench.options.rounds + 1)]
    _figures(bench, rounds[1:])  # the first one warmed up
    bench.watch_memory()


Round = dict[str, Sample]


def _round(bench: Bench, plains: dict[str, Target]) -> Round:
    main, count, connections = bench.main, bench.options.requests, bench.options.connections
    few = bench.options.plain_requests
    seats = main.venue.take(count)
    holds = requests.hold_seats(seats)
    done: Round = {"echo": main.run(requests.echoes(main.venue.examples(count)), "201", connections)}
    done["distinct"], references = main.run_for_references(holds, connections)
    done["stock"] = main.run(requests.hold_stock(count), "201", connections)
    if bench.wants("replays"):
        done["replays"] = main.run(holds, "201", connections)
    if bench.wants("confirm"):
        done["confirm"] = main.run(requests.act(references, "confirm"), "200", connections)
    if bench.wants("release"):
        given_back = main.venue.take(count)
        _, references = main.run_for_references(requests.hold_seats(given_back), connections)
        done["release"] = main.run(requests.act(references, "release"), "200", connections)
        main.venue.give_back(given_back)
    for way, plain in plains.items():
        done[f"distinct by {way}"] = plain.run(requests.hold_seats(main.venue.take(few)), "201", connections)
        done[f"stock by {way}"] = plain.run(requests.hold_stock(few), "201", connections)
    bench.reporter.step(", ".join(f"{kind} {sample.per_second:,.0f}/s" for kind, sample in done.items()))
    return done


def _figures(bench: Bench, rounds: list[Round]) -> None:
    samples = {kind: [bench.note(kind, done[kind]) for done in rounds] for kind in rounds[0]}
    for name, of, to in (
        ("distinct", "distinct", "echo"),
        ("distinct-plain", "distinct", "distinct by plain"),
        ("distinct-driver", "distinct", "distinct by driver"),
        ("stock", "stock", "distinct"),
        ("stock-plain", "stock", "stock by plain"),
        ("stock-driver", "stock", "stock by driver"),
        ("confirm", "confirm", "echo"),
        ("release", "release", "echo"),
        ("replays", "replays", "echo"),
    ):
        if of in samples and to in samples:
            bench.add(compared(name, samples[of], samples[to], bench.cores))
