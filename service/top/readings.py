"""Figures from the Prometheus text of two moments: rates are differences, quantiles those of a histogram's differences.

Pure. Differences are taken for each source and each series by itself and added up afterwards: a process that was
started anew counts from 0 again, and must not make another's figures negative.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

import msgspec
from prometheus_client.parser import text_string_to_metric_families

Series: TypeAlias = tuple[str, frozenset[tuple[str, str]]]
"""A sample's name and its labels."""

Samples: TypeAlias = dict[Series, float]

OWN_ROUTES: Final = frozenset({"/metrics", "/healthz", "/readyz"})
"""What watches a server is not its work."""

CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")


class Look(msgspec.Struct, frozen=True):
    """What the sources said at one moment, in seconds of a clock that only passes. One that said nothing is absent."""

    at: float
    samples: Mapping[str, Samples]


class Quantile(msgspec.Struct, frozen=True):
    """Milliseconds; with `is_above` it is more than that, past the last bucket."""

    ms: float
    is_above: bool = False


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Rates a second, over `seconds`; None where nothing was counted that it could be made of."""

    seconds: float
    requests: dict[str, float]
    p50: Quantile | None
    p99: Quantile | None
    replays: dict[str, float]
    refusals: dict[str, float]
    batches: float
    commands_per_batch: float | None
    retries: dict[str, float]
    conflicts: float
    transitions: dict[str, float]
    swept: dict[str, float]
    queue_depth: int
    hot_rows: int


def samples_of(text: str) -> Samples:
    """Raises ValueError where it is no Prometheus text."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("holdfast_")
    }


def figures(before: Look, now: Look) -> Figures:
    """What went on between two looks, of the sources that are in both."""
    grown = Growth(before, now)
    seconds = max(now.at - before.at, 1e-9)
    batches = grown.total("holdfast_batch_commands_count")
    commands = grown.total("holdfast_batch_commands_sum")
    buckets = grown.by("holdfast_request_seconds_bucket", "le")
    classes = grown.by("holdfast_requests_total", "status", lambda status: f"{status[:1]}xx")
    return Figures(
        seconds=seconds,
        requests={name: classes.get(name, 0.0) / seconds for name in CLASSES},
        p50=quantile(buckets, 0.50),
        p99=quantile(buckets, 0.99),
        replays=_rates(grown.by("holdfast_replays_total", "source"), seconds),
        refusals=_rates(grown.by("holdfast_refusals_total", "problem"), seconds),
        batches=batches / seconds,
        commands_per_batch=commands / batches if batches else None,
        retries=_rates(grown.by("holdfast_batch_retries_total", "reason"), seconds),
        conflicts=grown.total("holdfast_conflicts_total") / seconds,
        transitions=_rates(grown.by("holdfast_transitions_total", "action"), seconds),
        swept=_rates(grown.by("holdfast_swept_total", "action"), seconds),
        queue_depth=int(level(now, "holdfast_queue_depth")),
        hot_rows=int(level(now, "holdfast_hot_rows")),
    )


def level(look: Look, name: str) -> float:
    """A gauge as it is now, of all sources together."""
    return sum(value for samples in look.samples.values() for (found, _), value in samples.items() if found == name)


class Growth:
    """By how much each series has grown between two looks."""

    def __init__(self, before: Look, now: Look) -> None:
        self._grown: list[tuple[str, dict[str, str], float]] = []
        for source, samples in now.samples.items():
            earlier = before.samples.get(source)
            if earlier is None:
                continue  # it may have counted for days
            for (name, labels), value in samples.items():
                first = earlier.get((name, labels), 0.0)
                # Less than before: its process was started anew, and all of it is new.
                self._grown.append((name, dict(labels), value if value < first else value - first))

    def total(self, name: str) -> float:
        return sum(grown for found, _, grown in self._grown if found == name)

    def by(self, name: str, label: str, called: Callable[[str], str] = str) -> dict[str, float]:
        """Added up by the value of one label, or by what that is `called`."""
        sums: dict[str, float] = {}
        for found, labels, grown in self._grown:
            if found == name and labels.get("route") not in OWN_ROUTES:
                value = called(labels.get(label, ""))
                sums[value] = sums.get(value, 0.0) + grown
        return sums


def _rates(sums: Mapping[str, float], seconds: float) -> dict[str, float]:
    """The largest first, without those that stood still."""
    return {name: sums[name] / seconds for name in sorted(sums, key=lambda name: -sums[name]) if sums[name]}


def quantile(buckets: Mapping[str, float], share: float) -> Quantile | None:
    """The time that `share` of what was counted did not exceed, by a straight line inside its bucket."""
    bounds: Sequence[tuple[float, float]] = sorted((float(bound), count) for bound, count in buckets.items())
    if not bounds or not bounds[-1][1]:
        return None
    wanted = share * bounds[-1][1]
    for (low, below), (high, upto) in pairwise([(0.0, 0.0), *bounds]):
        if upto >= wanted and upto > below:
            if high == float("inf"):
                return Quantile(low * 1000, is_above=True)
            return Quantile((low + (high - low) * (wanted - below) / (upto - below)) * 1000)
    return None
