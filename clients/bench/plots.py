"""Draw a report: latency against load, and the distribution of TTFC at every load.

Input   a Report
Output  SVG or PNG
State   none
The only file that knows matplotlib. Nothing that a server said is drawn: labels are names of
targets, which are letters and digits, and numbers.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import LogLocator

from clients.bench.caveats import level_name
from clients.bench.options import UNITS
from clients.bench.record import Record
from clients.bench.report import LevelReport, Report

# Okabe and Ito's colours, which most colour-blind readers tell apart; one per target.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
PERCENTILE_STYLES = (("p50", "-", "o"), ("p95", "--", "s"), ("p99", ":", "^"))
NOTHING = "nothing was measured"
MAX_CURVES = 10  # in one plot of distributions
MAX_POINTS = 500  # of one curve: more cannot be seen
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "svg.fonttype": "path",  # looks the same everywhere
    "svg.hashsalt": "zhiyin",
}


def svgs(report: Report) -> tuple[bytes, ...]:
    """Return the plots of a page."""
    found = []
    with rc_context(STYLE):
        for height, draw in ((8.0, _draw_load), (4.5, _draw_distributions)):
            figure = Figure(figsize=(10.0, height), layout="constrained")
            draw(figure, report)
            found.append(_saved(figure, "svg"))
    return tuple(found)


def png(report: Report) -> bytes:
    """Return all plots in one picture."""
    with rc_context(STYLE):
        figure = Figure(figsize=(10.0, 12.5), layout="constrained")
        parts: Any = figure.subfigures(2, 1, height_ratios=(8.0, 4.5))
        upper, lower = parts
        _draw_load(upper, report)
        _draw_distributions(lower, report)
        return _saved(figure, "png")


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Of a run without figures, which is drawn all the same.
        warnings.filterwarnings("ignore", "constrained_layout not applied")
        figure.savefig(buffer, format=kind, dpi=140, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def _measured(report: Report) -> list[LevelReport]:
    return [level for level in report.levels if level.purpose != "idle"]


def _draw_load(figure: FigureBase, report: Report) -> None:
    """Draw TTFC, and beneath it what else tells that a load is too much."""
    levels = _measured(report)
    if not levels:
        figure.text(0.5, 0.5, NOTHING, ha="center")
        return
    latency, continuity, refused = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 1))
    for number, target in enumerate(report.targets):
        colour = COLOURS[number % len(COLOURS)]
        own = sorted((level for level in levels if level.target == target.name), key=lambda level: level.load)
        loads = [level.load for level in own]
        for name, line, marker in PERCENTILE_STYLES:
            values = [_or_nan(getattr(level.figures.latency.ttfc_ms, name)) for level in own]
            latency.plot(
                loads, values, line, marker=marker, color=colour, markersize=5, label=f"{target.name} {name}"
            )
        c100 = [_or_nan(level.figures.continuity.c100, 100.0) for level in own]
        continuity.plot(loads, c100, "-o", color=colour, markersize=5)
        refused.plot(
            loads,
            [100 * level.figures.failed_share for level in own],
            "-o",
            color=colour,
            markersize=5,
            clip_on=False,
        )
    _draw_marks(latency, report)
    latency.set_title("Time to first chunk against load", loc="left")
    latency.set_ylabel("TTFC (ms)")
    latency.set_yscale("log")
    _label_decades(latency.yaxis, (1.0, 2.0, 5.0))
    latency.legend(fontsize=8, ncols=max(1, len(report.targets)))
    continuity.set_ylabel("C100 (%)")
    continuity.set_ylim(top=102)
    refused.set_ylabel("refused and\nerrors (%)")
    refused.set_ylim(bottom=0, top=max(2.0, *(110 * level.figures.failed_share for level in levels), 0.0))
    refused.set_xlabel(UNITS[levels[0].load_kind])


def _draw_marks(axes: Axes, report: Report) -> None:
    """Draw the limit, and where capacity was found."""
    axes.axhline(report.run.ttfc_limit_ms, color="#666666", linewidth=1, linestyle="-.", label="limit")
    for number, target in enumerate(report.targets):
        for capacity in report.capacities:
            if capacity.target == target.name and capacity.streams:
                colour = COLOURS[number % len(COLOURS)]
                axes.axvline(capacity.streams, color=colour, linewidth=1, label=f"{target.name} capacity")


def _draw_distributions(figure: FigureBase, report: Report) -> None:
    """Draw what share of the utterances had spoken by when, one panel per target."""
    if not any(record.ttfc_ms for record in report.records):
        figure.text(0.5, 0.5, NOTHING, ha="center")  # an axis without data has no decades to label
        return
    panels = figure.subplots(1, len(report.targets), sharex=True, sharey=True, squeeze=False)[0]
    for axes, target in zip(panels, report.targets, strict=True):
        own = [level for level in report.levels if level.target == target.name]
        # Of a long search the idle level and the last ones, brighter with the load.
        shown = sorted(own[:1] + own[1:][-(MAX_CURVES - 1) :], key=_darkness)
        colours = colormaps["cividis"].resampled(len(shown) + 1)
        for number, level in enumerate(shown):
            values = _counted_ttfc_ms(report.records, level, report.run.warm_up_s)
            if values:
                shares = [100 * (rank + 1) / len(values) for rank in range(len(values))]
                step = max(1, len(values) // MAX_POINTS)
                label = level_name(level).partition(", ")[2]
                axes.step(
                    [*values[::step], values[-1]],
                    [*shares[::step], 100.0],
                    where="post",
                    color=colours(number),
                    label=label,
                )
        axes.set_title(f"TTFC of {target.name}", loc="left")
        axes.set_xlabel("TTFC (ms)")
        if axes.get_legend_handles_labels()[1]:
            axes.set_xscale("log")
            _label_decades(axes.xaxis, (1.0, 2.0, 5.0) if len(panels) == 1 else (1.0,))
            axes.legend(fontsize=7)
    panels[0].set_ylabel("share of utterances (%)")


def _counted_ttfc_ms(records: Sequence[Record], level: LevelReport, warm_up_s: float) -> list[float]:
    from_s = 0.0 if level.purpose == "idle" else warm_up_s
    return sorted(
        record.ttfc_ms
        for record in records
        if record.target == level.target
        and record.level == level.level
        and record.scheduled_s >= from_s
        and not record.is_slow
        and record.ttfc_ms is not None
    )


def _darkness(level: LevelReport) -> float:
    return 0.0 if level.purpose == "idle" else level.load


def _label_decades(axis: Axis, steps: tuple[float, ...]) -> None:
    """Write the numbers of a logarithmic axis out, at these multiples of powers of ten."""
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter("{x:g}")


def _or_nan(value: float | None, factor: float = 1.0) -> float:
    return float("nan") if value is None else factor * value
