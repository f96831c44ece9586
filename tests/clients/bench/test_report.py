"""The table, the page and the plots of one report that is made by hand."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from clients.bench.figures import figures_of
from clients.bench.generator import judge
from clients.bench.level import Window
from clients.bench.machine import describe_machine
from clients.bench.page import render_page
from clients.bench.plan import Mix
from clients.bench.report import CapacityReport, LevelReport, Report, RunReport, TargetReport
from clients.bench.table import render
from tests.clients.bench.doubles import failed, record, refused, run_of

HOSTILE = "</pre><script src='http://evil.example/x.js'></script><img src=//evil.example>"
EXTERNAL = re.compile(
    r"""(?:src|href)\s*=\s*["'](?!data:)|url\(|@import|<script|<link|<iframe""", re.IGNORECASE
)


def level(
    target: str = "a", number: int = 0, load: float = 10, purpose: str = "level", **fields: Any
) -> LevelReport:
    records = [record(n, target=target, level=number, ttfc_ms=50.0 + n + load) for n in range(8)]
    run = run_of(*records, refused(8), failed(9, "internal"), window=Window(0.0, 20.0))
    values: dict[str, Any] = {
        "load_kind": "streams",
        "rate_per_s": 2.0,
        "passed": None,
        "trustworthy": True,
        "interrupted": False,
        "generator": judge([0.1] * 10, [0.2], [], 0.1, 50.0),
        "figures": figures_of(run, 300.0),
    }
    return LevelReport(target, number, purpose, load=load, **{**values, **fields})


def report(*levels: LevelReport, names: tuple[str, ...] = ("a",), **fields: Any) -> Report:
    run = RunReport(
        date="2026-01-01", command="zhiyin bench", seed=1, texts="zh", n_distinct_texts=9, mean_audio_s=5.0,
        mix=Mix(), duration_s=20.0, warm_up_s=0.0, timeout_s=20.0, ttfc_limit_ms=300.0, multiplex=1,
        machine=describe_machine(),
    )  # fmt: skip
    values: dict[str, Any] = {
        "targets": tuple(TargetReport(name, "native", "ws://h/", "1.0") for name in names),
        "levels": levels,
        "capacities": (),
        "warnings": (),
        "interrupted": False,
        "records": tuple(record(n, target=name, ttfc_ms=20.0 + n) for name in names for n in range(8)),
    }
    return Report(run=run, **{**values, **fields})


def test_levels_of_one_target_stand_side_by_side() -> None:
    table = render(report(level(purpose="idle", number=-1), level(load=10), level(load=20, number=1)))
    assert re.search(r"load +idle +10 streams +20 streams\n", table)
    assert re.search(r"TTFC p50 +53\.0|TTFC p50 +63\.0", table)
    assert re.search(r"errors +1 +1 +1\n", table)
    assert "errors at a, 10 streams: internal 1" in table
    assert "refused at a, 10 streams: overloaded 1" in table


def test_percentiles_of_too_few_are_marked() -> None:
    assert re.search(r"TTFC p99\.9 +~\d", render(report(level())))


def test_two_targets_stand_side_by_side_with_their_ratio() -> None:
    table = render(report(level("a", load=0.0), level("b", load=53.0), names=("a", "b")))
    assert re.search(r" a +b +ratio\n", table)
    assert re.search(r"TTFC p50 +53\.0 +106\.0 +2\.00\n", table)


def test_three_targets_stand_side_by_side_without() -> None:
    table = render(report(*(level(name) for name in "abc"), names=("a", "b", "c")))
    assert re.search(r" a +b +c\n", table)


def test_warnings_verdicts_and_capacity_are_in_the_table() -> None:
    bad = level(trustworthy=False, passed=False, interrupted=True)
    found = (CapacityReport("a", 61.0, False), CapacityReport("b", 0.0, False))
    table = render(report(bad, warnings=("beware",), capacities=found, interrupted=True))
    assert "failed UNSURE cut short" in table
    assert "WARNING: beware" in table
    assert "a: capacity 61 concurrent real-time streams\n" in table
    assert "b: capacity below 0.1" in table
    assert "interrupted" in table


def test_the_document_is_json_and_tells_whether_to_trust_it() -> None:
    assert json.loads(json.dumps(report(level()).document()))["trustworthy"] is True
    assert report(level(), level(trustworthy=False)).document()["trustworthy"] is False


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_came_from_there() -> None:
    hostile = TargetReport("a", "native", "ws://h/", HOSTILE)
    page = render_page(report(level(), targets=(hostile,), warnings=(HOSTILE,)), [b"<svg/>", b"<svg/>"])
    assert "<script" not in page
    assert "evil.example" in page  # as text
    without_text = re.sub(r"&lt;.*?&gt;", "", page)
    assert not EXTERNAL.search(without_text)
    assert page.count("data:image/svg+xml;base64,") == 2


def test_the_plots_are_svg_and_png() -> None:
    plots = pytest.importorskip("clients.bench.plots")
    levels = [level(name, number, load) for number, load in enumerate((10, 20, 40)) for name in ("a", "b")]
    made = report(*levels, names=("a", "b"), capacities=(CapacityReport("a", 20.0, False),))
    first, second = plots.svgs(made)
    assert b"<svg" in first
    assert b"<svg" in second
    assert plots.png(made).startswith(b"\x89PNG")


def test_a_server_that_never_spoke_can_be_drawn() -> None:
    plots = pytest.importorskip("clients.bench.plots")
    silent = figures_of(run_of(failed(0, "internal"), failed(1, "internal")), 300.0)
    made = report(level(figures=silent), level(load=20, number=1, figures=silent), records=())
    assert plots.png(made).startswith(b"\x89PNG")


def test_a_run_without_any_level_can_be_drawn_too() -> None:
    plots = pytest.importorskip("clients.bench.plots")
    assert plots.png(report(records=())).startswith(b"\x89PNG")
    assert "capacity" not in render(report(records=()))
