from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.bench.capacity import CapacitySearch, passes
from clients.bench.figures import LevelFigures, figures_of
from tests.clients.bench.doubles import failed, record, refused, run_of


def searched(
    search: CapacitySearch, probe: Callable[[float, str], bool]
) -> tuple[float | None, list[tuple[float, str]]]:
    probed = []
    while (load := search.next_load) is not None:
        probed.append((load, search.phase))
        search.note(probe(load, search.phase))
    return search.capacity, probed


@settings(deadline=None)
@given(st.floats(0.15, 3000), st.floats(0.1, 500), st.floats(0.01, 0.3))
def test_it_finds_a_sharp_limit_to_the_resolution(limit: float, start: float, resolution: float) -> None:
    search = CapacitySearch(start, resolution, 10_000)
    capacity, probed = searched(search, lambda load, _: load <= limit)
    assert capacity is not None
    assert limit - max(0.1, resolution * limit) - 0.11 <= capacity <= limit
    assert probed[-1] == (capacity, "confirming")
    assert len(probed) < 40


def test_it_doubles_then_bisects_then_confirms() -> None:
    _, probed = searched(CapacitySearch(10, 0.05, 10_000), lambda load, _: load <= 61)
    assert [load for load, phase in probed if phase == "doubling"] == [10, 20, 40, 80]
    assert probed[4:7] == [(60, "bisecting"), (70, "bisecting"), (65, "bisecting")]
    assert probed[-1][1] == "confirming"


def test_what_is_not_confirmed_goes_down_a_step_at_a_time() -> None:
    capacity, probed = searched(
        CapacitySearch(10, 0.1, 10_000), lambda load, phase: load <= (30 if phase == "confirming" else 40)
    )
    confirming = [load for load, phase in probed if phase == "confirming"]
    assert confirming == [40, 36, 32.4, 29.2]
    assert capacity == 29.2


def test_a_start_that_is_too_high_is_halved() -> None:
    capacity, probed = searched(CapacitySearch(64, 0.05, 10_000), lambda load, _: load <= 3)
    assert [load for load, _ in probed[:6]] == [64, 32, 16, 8, 4, 2]
    assert capacity == pytest.approx(3, abs=0.2)


def test_nothing_passes_is_zero() -> None:
    capacity, probed = searched(CapacitySearch(4, 0.05, 10_000), lambda load, phase: False)
    assert capacity == 0
    assert probed[-1][0] == 0.1


def test_the_most_is_not_exceeded_and_said_to_be_a_lower_bound() -> None:
    search = CapacitySearch(4, 0.05, 30)
    capacity, probed = searched(search, lambda load, _: True)
    assert capacity == 30
    assert search.is_at_least
    assert max(load for load, _ in probed) == 30


def many(n_good: int, *others: Any) -> LevelFigures:
    return figures_of(run_of(*(replace(record(0), number=n) for n in range(n_good)), *others), 300.0)


def test_a_probe_passes_by_the_definition_of_capacity() -> None:
    assert passes(many(99, record(0, gaps_ms=(150.0,))), 300.0)
    assert not passes(many(98, *[record(0, gaps_ms=(150.0,))] * 2), 300.0)  # C100
    assert not passes(many(98, *[record(0, ttfc_ms=301.0)] * 2), 300.0)  # p99 TTFC
    assert passes(many(99, refused(0)), 300.0)
    assert not passes(many(98, refused(0), refused(1)), 300.0)  # refusals
    assert not passes(many(98, refused(0), failed(1, "internal")), 300.0)
    assert not passes(many(0), 300.0)
