"""The run as one HTML page: plots inside it, no script, nothing from the internet, readable on a phone."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from loadtests.bench.figures import Figure
from loadtests.bench.report.plots import Plot
from loadtests.bench.report.table import verdict_of

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8886; padding: .4rem .6rem .4rem 0; text-align: left; vertical-align: top; }
.value { font-weight: bold; } .value, .wanted { white-space: nowrap; }
.reached { color: #00704a; } .missed { color: #b04a00; }
@media (prefers-color-scheme: dark) { .reached { color: #4cd6a0; } .missed { color: #ffa45c; } }
figure { margin: 2rem 0; } img { background: #fff; height: auto; max-width: 100%; }
figcaption { font-size: .85rem; }
@media (max-width: 40rem) {
  thead { display: none; }
  tr { border-bottom: 2px solid #8886; display: block; padding: .6rem 0; }
  td { border: 0; display: block; padding: .1rem 0; }
  td[data-name]::before { content: attr(data-name) ": "; opacity: .7; }
}
"""
COLUMNS = ("figure", "value", "to reach", "verdict", "what was compared", "what limits it here")


def page(
    *,
    title: str,
    figures: Sequence[Figure],
    plots: Sequence[Plot],
    facts: Mapping[str, object],
    remarks: Sequence[str],
    folder: Path,
) -> str:
    """The page; the plots are read from `folder`."""
    rows = "\n".join(_row(figure) for figure in figures)
    heads = "".join(f"<th scope='col'>{name}</th>" for name in COLUMNS)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p>Each figure is the median of interleaved rounds, all on one machine and in one run. The no-op is
<code>POST /bench/echo</code> of the same app; plain is one transaction for each request
(<code>loadtests/plain.py</code>). Repeat it with <code>make bench</code>.</p>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
{"".join(_plot(plot, folder) for plot in plots)}
<h2>Circumstances</h2>
<table><tbody>
{"".join(f"<tr><th scope='row'>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in facts.items())}
</tbody></table>
{"".join(f"<p>{escape(remark)}</p>" for remark in remarks)}
</body>
</html>
"""


def _row(figure: Figure) -> str:
    verdict = verdict_of(figure)
    kind = "reached" if figure.is_reached else "missed"
    cells = (
        f"<td>{escape(figure.aim.title)}</td>",
        f"<td class='value'>{escape(figure.text)}</td>",
        f"<td class='wanted' data-name='to reach'>{escape(figure.aim.wanted)}</td>",
        f"<td class='{kind}'>{verdict}</td>",
        f"<td data-name='compared'>{escape(figure.detail)}</td>",
        f"<td data-name='limit'>{escape(figure.limit)}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _plot(plot: Plot, folder: Path) -> str:
    data = b64encode((folder / plot.file).read_bytes()).decode()
    return (
        f"<figure><img src='data:image/png;base64,{data}' alt='{escape(plot.alt, quote=True)}'>"
        f"<figcaption>{escape(plot.title)}</figcaption></figure>\n"
    )
