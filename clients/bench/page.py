"""The report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere.

Input   a Report, its plots as SVG
Output  HTML
State   none
Everything that came from outside (servers' versions, error codes, the command line) is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from clients.bench.report import Report
from clients.bench.table import capacity_line, render

CSS = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 2rem auto;
  max-width: 64rem; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
img { width: 100%; height: auto }
pre { font: 13px/1.4 ui-monospace, monospace; background: #f6f6f6; padding: 1rem; overflow-x: auto }
.result { font-size: 1.15rem; font-weight: 600 }
.warning { border-left: 4px solid #d55e00; background: #fdf1e7; padding: .5rem 1rem; margin: .5rem 0 }
"""
PLOT_NAMES = (
    "Time to first chunk, C100 and refusals against load",
    "Distribution of the time to first chunk at each load",
)


def render_page(report: Report, plots: Sequence[bytes]) -> str:
    """Return the page."""
    targets = ", ".join(f"{target.name} ({target.kind}, {target.server})" for target in report.targets)
    capacities = [
        capacity_line(capacity.streams, at_least=capacity.at_least, target=capacity.target)
        for capacity in report.capacities
    ]
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Load test of {escape(targets)}</title><style>{CSS}</style></head><body>",
        f"<h1>Load test of {escape(targets)}</h1>",
        f"<p>{escape(report.run.date)}, seed {report.run.seed}, texts {escape(report.run.texts)}</p>",
        *(f'<p class="result">{escape(line)}</p>' for line in capacities),
        *(f'<p class="warning">{escape(warning)}</p>' for warning in report.warnings),
        *(_picture(plot, name) for plot, name in zip(plots, PLOT_NAMES, strict=True)),
        f"<h2>Figures</h2><pre>{escape(render(report))}</pre>",
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _picture(svg: bytes, name: str) -> str:
    # As an image, not inline: what is in it can neither run nor load anything.
    data = base64.b64encode(svg).decode("ascii")
    return f'<h2>{escape(name)}</h2><img alt="{escape(name)}" src="data:image/svg+xml;base64,{data}">'
