from __future__ import annotations

import time

from clients.bench.generator import LagProbe, judge, sleep_until


async def test_it_never_sleeps_less_than_asked() -> None:
    for rest_s in (-1.0, 0.0, 0.0004, 0.003):
        due_s = time.perf_counter() + rest_s
        await sleep_until(due_s, time.perf_counter)
        assert time.perf_counter() >= due_s


async def test_the_probe_measures_until_it_is_left() -> None:
    async with LagProbe(time.perf_counter) as probe:
        await sleep_until(time.perf_counter() + 0.05, time.perf_counter)
    lags_ms = probe.lags_ms()
    assert lags_ms
    assert min(lags_ms) >= 0
    assert probe.cpu_share >= 0


def test_a_punctual_generator_is_trusted() -> None:
    assert judge([0.2] * 100, [0.5] * 100, [], 0.1, ttfc_p99_ms=40.0).warnings == ()


def test_more_than_5_ms_late_is_not() -> None:
    (warning,) = judge([0.2] * 90 + [6.0] * 10, [0.5], [], 0.1, ttfc_p99_ms=400.0).warnings
    assert "6.0 ms late" in warning


def test_more_than_a_tenth_of_what_is_measured_is_not() -> None:
    assert judge([1.0] * 100, [0.5], [], 0.1, ttfc_p99_ms=9.0).warnings
    assert not judge([1.0] * 100, [0.5], [], 0.1, ttfc_p99_ms=11.0).warnings


def test_an_event_loop_that_stands_still_is_not() -> None:
    (warning,) = judge([0.2], [20.0], [], 1.0, ttfc_p99_ms=None).warnings
    assert "event loop was 20.0 ms late" in warning
