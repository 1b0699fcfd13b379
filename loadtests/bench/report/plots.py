"""The plots, as small PNG files: no display, colours that the colour-blind tell apart, a marker of its own for each.

Okabe and Ito's palette (https://jfly.uni-koeln.de/color/).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from loadtests.bench.bench import MemoryPoint
from loadtests.bench.figures import Curve

COLOURS: Final = {
    "no-op": "#0072B2", "holds": "#D55E00", "plain": "#009E73", "empty": "#0072B2", "other": "#D55E00",
}  # fmt: skip
MARKERS: Final = {"no-op": "o", "holds": "s", "plain": "^", "empty": "o", "other": "s"}
DOTS_PER_INCH: Final = 110
BYTES_MAX: Final = 80_000


class Plot(msgspec.Struct, frozen=True):
    """A file with its title and a text that says the same as the picture."""

    file: str
    title: str
    alt: str


def draw_all(curves: dict[str, list[Curve]], memory: Sequence[MemoryPoint], folder: Path) -> list[Plot]:
    """Draws what there are curves for into `folder`."""
    mpl.use("Agg")
    made: list[Plot] = []
    for name, title, label in (
        ("clients", "Throughput by number of clients", _clients),
        ("latency", "Latency at a fixed rate of arrival", _latency),
        ("batches", "Commands in one transaction by rate of arrival", _batches),
        ("growth", "Holds on an empty database and with millions of rows", _growth),
    ):
        if curves.get(name):
            made.append(_save(folder, name, title, curves[name], label))
    if len(memory) > 1:
        resident = Curve("API process", [point.requests for point in memory], [point.rss_mb for point in memory])
        made.append(_save(folder, "memory", "Resident memory by requests answered", [resident], _memory))
    return made


def _save(
    folder: Path, name: str, title: str, curves: Sequence[Curve], label: Callable[[Axes, Sequence[Curve]], None]
) -> Plot:
    canvas = Canvas(figsize=(7, 4.2), layout="constrained")
    axes = canvas.add_subplot()
    for curve in curves:
        _line(axes, curve)
    label(axes, curves)
    axes.set_title(title)
    axes.grid(visible=True, alpha=0.3)
    if len(curves) > 1:
        axes.legend(fontsize="small")
    path = folder / f"{name}.png"
    canvas.savefig(path, dpi=DOTS_PER_INCH)
    if path.stat().st_size > BYTES_MAX:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes, more than {BYTES_MAX:,}")
    return Plot(path.name, title, f"{title}. {told(curves)}")


def told(curves: Sequence[Curve]) -> str:
    """Each curve from its first point to its last, in words."""
    parts = [
        f"{curve.label}: from {curve.ys[0]:,.4g} at {curve.xs[0]:,.4g} to {curve.ys[-1]:,.4g} at {curve.xs[-1]:,.4g}"
        for curve in curves
        if curve.xs
    ]
    return "; ".join(parts) + "."


def _kind(curve: Curve) -> str:
    kind = curve.label.partition(",")[0]
    return kind if kind in COLOURS else "other"


def _line(axes: Axes, curve: Curve) -> None:
    kind = _kind(curve)
    style = "--" if curve.label.endswith("p50") else "-"
    axes.plot(curve.xs, curve.ys, style, color=COLOURS[kind], marker=MARKERS[kind], label=curve.label)


def _thousands(value: float, _position: int) -> str:
    return f"{value:,.0f}"


def _clients(axes: Axes, _curves: Sequence[Curve]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.yaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.set_xlabel("clients that send at once (each waits for its answer)")
    axes.set_ylabel("requests per second")


def _latency(axes: Axes, _curves: Sequence[Curve]) -> None:
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("requests per second, offered at a fixed rate")
    axes.set_ylabel("latency from when a request was due, ms")


def _batches(axes: Axes, _curves: Sequence[Curve]) -> None:
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.set_xlabel("holds per second, offered at a fixed rate")
    axes.set_ylabel("commands in one transaction, mean")


def _growth(axes: Axes, curves: Sequence[Curve]) -> None:
    axes.set_ylim(0, 1.2 * max(rate for curve in curves for rate in curve.ys))
    axes.set_xticks(curves[0].xs)
    axes.yaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.set_xlabel("round")
    axes.set_ylabel("holds per second")


def _memory(axes: Axes, _curves: Sequence[Curve]) -> None:
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.set_xlabel("requests that the process has answered")
    axes.set_ylabel("resident memory, MB")
