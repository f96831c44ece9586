from __future__ import annotations

import pytest

from clients.bench.adapters.adapter import Receipt
from clients.bench.figures import figures_of
from clients.bench.level import Window
from tests.clients.bench.doubles import failed, record, refused, run_of

LIMIT_MS = 300.0


def test_gaps_are_judged_by_their_longest() -> None:
    run = run_of(
        record(0), record(1, gaps_ms=(60.0, 40.0)), record(2, gaps_ms=(150.0,)), record(3, gaps_ms=(250.0,))
    )
    continuity = figures_of(run, LIMIT_MS).continuity
    assert (continuity.c50, continuity.c100, continuity.c200) == (0.25, 0.5, 0.75)
    assert (continuity.underruns, continuity.underrun_ms) == (4, 500)


def test_a_gap_of_exactly_the_limit_is_within_it() -> None:
    assert figures_of(run_of(record(gaps_ms=(100.0,))), LIMIT_MS).continuity.c100 == 1.0


def test_refusals_do_not_count_for_continuity_but_errors_and_timeouts_count_against_it() -> None:
    run = run_of(record(0), refused(1), failed(2, "timeout"), failed(3, "internal"))
    figures = figures_of(run, LIMIT_MS)
    assert figures.continuity.c100 == pytest.approx(1 / 3, abs=1e-4)
    assert figures.counts.errors == {"timeout": 1, "internal": 1}
    assert figures.counts.refusals == {"overloaded": 1}
    assert figures.failed_share == 0.75


def test_interrupted_ones_count_for_continuity_up_to_there() -> None:
    run = run_of(record(0, "cancelled"), record(1, "cancelled", gaps_ms=(500.0,)))
    assert figures_of(run, LIMIT_MS).continuity.c100 == 0.5


def test_a_refusal_has_the_time_until_it_came_and_what_was_advised() -> None:
    refusals = figures_of(run_of(record(0), refused(1), refused(2, end_s=2.08)), LIMIT_MS).refusals
    assert refusals.share == pytest.approx(2 / 3, abs=1e-4)
    assert refusals.answered_ms.p50 == pytest.approx(20)
    assert refusals.answered_ms.max == pytest.approx(80)
    assert refusals.retry_after_ms.p50 == 500


def test_goodput_is_what_was_complete_in_time_and_without_a_gap() -> None:
    run = run_of(
        record(0),
        record(1, ttfc_ms=301.0),
        record(2, gaps_ms=(101.0,)),
        record(3, "cancelled"),
        failed(4, "timeout"),
        record(5, gaps_ms=(90.0,)),
    )
    flow = figures_of(run, LIMIT_MS).flow
    assert flow.offered_per_s == pytest.approx(0.6)
    assert flow.ok_per_s == pytest.approx(0.2)
    assert flow.ok_audio_s_per_s == pytest.approx(0.4)


def test_streams_are_the_mean_number_in_playback_within_the_window() -> None:
    run = run_of(record(0), record(1), record(9), window=Window(1.0, 10.0))
    # 1.0 to 2.1, 1.1 to 3.1, and 9.1 to the end of the window
    assert figures_of(run, LIMIT_MS).flow.streams == pytest.approx((1.1 + 2.0 + 0.9) / 9)


def test_only_the_window_counts() -> None:
    run = run_of(*(record(number) for number in range(20)), window=Window(5.0, 15.0))
    assert figures_of(run, LIMIT_MS).counts.sent == 10


def test_who_waited_in_vain_waited_at_least_until_the_timeout() -> None:
    run = run_of(record(0), failed(1, "timeout", end_s=21.0), failed(2, "internal"))
    ttfc_ms = figures_of(run, LIMIT_MS).latency.ttfc_ms
    assert (ttfc_ms.n, ttfc_ms.max) == (2, pytest.approx(20_000))


def test_slow_readers_are_a_class_of_their_own() -> None:
    slow = record(1, is_slow=True, gaps_ms=(900.0,), ttfc_ms=700.0)
    figures = figures_of(run_of(record(0), slow, failed(2, "internal", is_slow=True)), LIMIT_MS)
    assert figures.counts.sent == 1
    assert figures.continuity.c100 == 1.0
    assert figures.latency.ttfc_ms.max == 100
    assert figures.failed_share == 0.0
    assert figures.slow is not None
    assert (figures.slow.counts.ok, figures.slow.counts.error) == (1, 1)
    assert figures.slow.ttfc_ms.p50 == 700
    assert figures.flow.offered_per_s == pytest.approx(0.3)
    assert figures_of(run_of(record(0)), LIMIT_MS).slow is None


def test_rtf_is_the_receipts_weighted_by_audio_or_else_wall_time() -> None:
    cheap = Receipt(None, None, None, 0.1, False)
    with_receipts = figures_of(run_of(record(0), record(1, audio_ms=6000.0, receipt=cheap)), LIMIT_MS).speed
    assert with_receipts.source == "receipt"
    assert with_receipts.mean == pytest.approx((0.25 * 2 + 0.1 * 6) / 8)
    without = figures_of(run_of(record(0, receipt=None)), LIMIT_MS).speed
    assert (without.source, without.mean) == ("wall", 0.25)
    assert figures_of(run_of(refused(0)), LIMIT_MS).speed.source == "none"


def test_cached_and_computed_are_told_apart() -> None:
    cached = record(1, ttfc_ms=2.0, receipt=Receipt(1.0, 1.0, 0.0, 0.0, True))
    figures = figures_of(run_of(record(0), cached), LIMIT_MS)
    assert figures.cached_share == 0.5
    assert (figures.latency.cached_ttfc_ms.p50, figures.latency.computed_ttfc_ms.p50) == (2.0, 100.0)


def test_where_text_is_written_slowly_the_limit_is_for_the_servers_own_part() -> None:
    late = record(0, ttfc_ms=900.0, is_trickled=True)
    figures = figures_of(run_of(late), LIMIT_MS)
    assert (figures.latency.ttfc_ms.p99, figures.latency.judged_ttfc_ms.p99) == (900.0, 99.0)
    assert figures.flow.ok_per_s > 0


def test_nothing_at_all_has_no_figures_but_no_fault_either() -> None:
    figures = figures_of(run_of(window=Window(3.0, 3.0)), LIMIT_MS)
    assert figures.counts.sent == 0
    assert figures.continuity.c100 is None
    assert figures.latency.ttfc_ms.p50 is None
