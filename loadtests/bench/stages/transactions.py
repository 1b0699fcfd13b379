"""How many transactions a thousand holds become that arrive together: by the server's count and by the service's."""

from statistics import median

from loadtests.bench import requests
from loadtests.bench.bench import Bench
from loadtests.bench.figures import Figure, limit_of

BATCHES = "holdfast_batch_commands_count"


def run(bench: Bench) -> None:
    main, count = bench.main, bench.options.concurrent
    commits: list[float] = []
    batches: list[float] = []
    usages = []
    for number in range(bench.options.rounds + 1):
        holds = requests.hold_seats(main.venue.take(count))
        before = (bench.administrator.commits(), main.metrics()[BATCHES])
        sample = main.run(holds, "201", connections=count)
        after = (bench.administrator.commits(), main.metrics()[BATCHES])
        if number:
            commits.append(after[0] - before[0])
            batches.append(after[1] - before[1])
            usages.append(sample.usage)
    bench.add(
        Figure(
            name="transactions",
            value=median(commits),
            detail=f"{median(commits):.0f} COMMITs by the server, {median(batches):.0f} batches by the service, "
            f"{count:,} connections",
            limit=limit_of(usages, bench.cores),
            rounds=commits,
        )
    )
    bench.watch_memory()
