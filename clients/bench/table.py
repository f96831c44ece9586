"""The readable report: plain text, figures in rows, levels or targets side by side.

Input   a Report
Output  text
State   none
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from clients.bench.percentiles import Distribution
from clients.bench.report import LevelReport, Report

LABEL_WIDTH = 30
COLUMN_WIDTH = 15
MAX_COLUMNS = 6
SHOWN = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p999": "p99.9", "max": "max"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure: as it is shown, and as a number where ratios make sense."""

    text: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled figure of every level."""

    label: str
    cell: Callable[[LevelReport], Cell]


def render(report: Report) -> str:
    """Return the whole table."""
    parts = [_head(report)]
    if len(report.targets) == 1:
        for start in range(0, len(report.levels), MAX_COLUMNS):
            columns = report.levels[start : start + MAX_COLUMNS]
            parts.append(_block("load", columns, [_column_name(level) for level in columns]))
    else:
        for _, group in groupby(report.levels, key=lambda level: (level.level, level.purpose)):
            columns = tuple(group)
            parts.append(_block(_column_name(columns[0]), columns, [level.target for level in columns]))
    parts.append(_foot(report))
    return "\n".join(part for part in parts if part)


def _head(report: Report) -> str:
    run, machine = report.run, report.run.machine
    load = "" if machine.load is None else f", load {machine.load:g}"
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    lines = [
        run.command,
        f"{run.date}, seed {run.seed}, texts {run.texts}"
        + (f", {run.mean_audio_s:.2f} s of audio each" if run.mean_audio_s else ""),
        *(
            f"target {target.name}: {target.kind} {target.url}, server {target.server!r}"
            for target in report.targets
        ),
        f"generator: {machine.cpu}, {machine.cores} cores{load}, {machine.system}, Python {machine.python}",
        f"  {versions}",
        f"latencies in ms from when an utterance was due; nearest rank; ~: too few utterances for it; "
        f"window {run.duration_s:g} s after {run.warm_up_s:g} s",
    ]
    return "\n".join(lines) + "\n"


def _block(title: str, levels: Sequence[LevelReport], names: Sequence[str]) -> str:
    """Return the figures of some levels in columns; with two targets also second over first."""
    is_pair = len(levels) == 2 and levels[0].target != levels[1].target
    head = [
        title[:LABEL_WIDTH].ljust(LABEL_WIDTH),
        *(name[-COLUMN_WIDTH + 1 :].rjust(COLUMN_WIDTH) for name in names),
    ]
    if is_pair:
        head.append("ratio".rjust(COLUMN_WIDTH))
    lines = ["".join(head)]
    for row in _rows(levels):
        cells = [row.cell(level) for level in levels]
        if all(cell.text == "-" for cell in cells):
            continue
        texts = [cell.text.rjust(COLUMN_WIDTH) for cell in cells]
        if is_pair:
            texts.append(_ratio(cells[0].value, cells[1].value).rjust(COLUMN_WIDTH))
        lines.append(row.label.ljust(LABEL_WIDTH) + "".join(texts))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _rows(levels: Sequence[LevelReport]) -> list[Row]:
    rows = [
        Row("utterances", lambda level: _count(level.figures.counts.sent)),
        Row("ok", lambda level: _count(level.figures.counts.ok)),
        Row("interrupted (barge-in)", lambda level: _count(level.figures.counts.cancelled, hide=True)),
        Row("aborted", lambda level: _count(level.figures.counts.aborted, hide=True)),
        Row("refused", lambda level: _count(level.figures.counts.refused)),
        Row("errors", lambda level: _count(level.figures.counts.error)),
        *_spread("TTFC", lambda level: level.figures.latency.ttfc_ms),
        *_spread("audible TTFC", lambda level: level.figures.latency.audible_ttfc_ms),
        *_spread("server's TTFC", lambda level: level.figures.latency.server_ttfc_ms, ("p50", "p99")),
        *_spread("queue time", lambda level: level.figures.latency.queue_ms, ("p50", "p99")),
    ]
    if any(level.figures.cached_share for level in levels):
        rows += [
            *_spread("TTFC, cached", lambda level: level.figures.latency.cached_ttfc_ms, ("p50", "p99")),
            *_spread("TTFC, computed", lambda level: level.figures.latency.computed_ttfc_ms, ("p50", "p99")),
        ]
    return rows + _flow_rows(levels)


def _flow_rows(levels: Sequence[LevelReport]) -> list[Row]:
    sources = {level.figures.speed.source for level in levels} - {"none"}
    source = f" ({sources.pop()})" if len(sources) == 1 else " (receipt or wall)" if sources else ""
    return [
        Row(f"RTF{source}", lambda level: _number(level.figures.speed.mean, 3)),
        Row("underruns", lambda level: _count(level.figures.continuity.underruns)),
        Row("underruns, total ms", lambda level: _number(level.figures.continuity.underrun_ms, 0)),
        Row("C50", lambda level: _percent(level.figures.continuity.c50)),
        Row("C100", lambda level: _percent(level.figures.continuity.c100)),
        Row("C200", lambda level: _percent(level.figures.continuity.c200)),
        Row("refused share", lambda level: _percent(level.figures.refusals.share)),
        *_spread("refusal after", lambda level: level.figures.refusals.answered_ms, ("p50", "p99", "max")),
        *_spread("cancel acknowledged", lambda level: level.figures.cancel_ms, ("p50", "p99")),
        Row("offered, utterances/s", lambda level: _flow(level, level.figures.flow.offered_per_s)),
        Row("goodput, utterances/s", lambda level: _flow(level, level.figures.flow.ok_per_s)),
        Row("goodput, audio s/s", lambda level: _flow(level, level.figures.flow.ok_audio_s_per_s)),
        Row("streams in playback", lambda level: _flow(level, level.figures.flow.streams)),
        Row("slow readers", _slow_readers),
        Row("generator late p99 ms", lambda level: _number(level.generator.late_ms.p99, 2)),
        Row("generator loop lag p99 ms", lambda level: _number(level.generator.loop_lag_ms.p99, 2)),
        Row("generator CPU", lambda level: _percent(level.generator.cpu_share)),
        Row("verdict", _verdict),
    ]


def _spread(
    label: str,
    of: Callable[[LevelReport], Distribution],
    names: Sequence[str] = tuple(SHOWN),
) -> list[Row]:
    def row(name: str, shown: str) -> Row:
        return Row(f"{label} {shown}", lambda level: _percentile(of(level), name))

    return [row(name, shown) for name, shown in SHOWN.items() if name in names]


def _percentile(spread: Distribution, name: str) -> Cell:
    value = getattr(spread, name)
    if value is None:
        return Cell("-")
    return Cell(f"{'~' if name in spread.unsure else ''}{value:.1f}", value)


def _count(value: int, *, hide: bool = False) -> Cell:
    return Cell("-" if hide and not value else str(value), value)


def _number(value: float | None, digits: int) -> Cell:
    return Cell("-") if value is None else Cell(f"{value:.{digits}f}", value)


def _flow(level: LevelReport, value: float) -> Cell:
    # One utterance after the other, as fast as they come: how many that were says nothing.
    return Cell("-") if level.purpose == "idle" else _number(value, 2)


def _percent(value: float | None) -> Cell:
    return Cell("-") if value is None else Cell(f"{100 * value:.1f} %", value)


def _slow_readers(level: LevelReport) -> Cell:
    slow = level.figures.slow
    return Cell("-") if slow is None else Cell(f"{slow.counts.ok}/{slow.counts.sent} ok")


def _verdict(level: LevelReport) -> Cell:
    words = [] if level.passed is None else ["passed" if level.passed else "failed"]
    if not level.trustworthy:
        words.append("UNSURE")
    if level.interrupted:
        words.append("cut short")
    return Cell(" ".join(words) or "-")


def _ratio(first: float | None, second: float | None) -> str:
    return f"{second / first:.2f}" if first and second is not None else ""


def _column_name(level: LevelReport) -> str:
    if level.purpose == "idle":
        return "idle"
    unit = {"streams": "streams", "rate": "/s", "clients": "clients"}[level.load_kind]
    return f"{level.load:g} {unit}"


def _foot(report: Report) -> str:
    lines = []
    for level in report.levels:
        for kind, codes in (
            ("errors", level.figures.counts.errors),
            ("refused", level.figures.counts.refusals),
        ):
            if codes:
                listed = ", ".join(f"{code} {n}" for code, n in codes.items())
                lines.append(f"{kind} at {level.target}, {_column_name(level)}: {listed}")
    lines += [f"WARNING: {warning}" for warning in report.warnings]
    if report.interrupted:
        lines.append("interrupted: what was measured until then")
    for capacity in report.capacities:
        lines.append(capacity_line(capacity.streams, at_least=capacity.at_least, target=capacity.target))
    return "\n".join(lines) + ("\n" if lines else "")


def capacity_line(streams: float | None, *, at_least: bool, target: str) -> str:
    """Return the result of a search in words."""
    if not streams:
        return f"{target}: capacity below 0.1 concurrent real-time streams"
    bound = "at least " if at_least else ""
    return f"{target}: capacity {bound}{streams:g} concurrent real-time streams"
