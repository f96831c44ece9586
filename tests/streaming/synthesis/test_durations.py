from __future__ import annotations

import numpy as np
import pytest

from streaming.errors import SynthesisError
from streaming.synthesis.durations import plan_durations


def plan(*frames: float, speed: float = 1.0, buckets: tuple[int, ...] = (8, 16, 32)):
    log = np.log1p(np.array(frames, np.float32))
    return plan_durations(log, speed=speed, outputs_per_step=3, window_buckets=buckets)


def test_durations_are_rounded_half_up_as_in_the_specification():
    result = plan(1.49, 0.3, 2.501, 0.501)
    assert result.row_frames.tolist() == [1, 0, 3, 1]
    assert (result.n_frames, result.n_steps) == (5, 2)


def test_band_width_comes_from_the_unrounded_maximum():
    assert plan(13.4, 2.0).band_width == 4  # 13.4 / 3 + 0.5 = 4.97
    assert plan(13.6, 2.0).band_width == 5


def test_window_is_the_smallest_bucket_that_holds_the_band_and_the_step_itself():
    assert plan(20.0).window == 8  # band 7
    assert plan(23.0).window == 16  # band 8


@pytest.mark.parametrize(("speed", "n_frames"), [(0.5, 40), (1.0, 20), (2.0, 10)])
def test_speed_divides_every_duration(speed: float, n_frames: int):
    assert plan(12.0, 8.0, speed=speed).n_frames == n_frames


def test_a_runaway_duration_is_cut_to_what_the_largest_window_can_see():
    result = plan(10_000.0, 4.0)
    assert result.row_frames.tolist() == [93, 4]
    assert result.window == 32


def test_an_infinite_duration_is_cut_too():
    log = np.array([1000.0], np.float32)
    result = plan_durations(log, speed=1.0, outputs_per_step=3, window_buckets=(8,))
    assert result.n_frames == 21


def test_no_audible_token_gives_no_frames_and_no_steps():
    result = plan(0.0, 0.2)
    assert (result.n_frames, result.n_steps, result.band_width) == (0, 0, 0)


def test_a_duration_that_is_not_a_number_is_a_synthesis_error():
    with pytest.raises(SynthesisError, match="not a number"):
        plan(1.0, float("nan"))


def test_token_starts_end_with_the_total():
    assert plan(2.0, 0.0, 3.0).token_start_frames().tolist() == [0, 2, 2, 5]


def test_a_token_starts_after_the_pause_that_is_filled_before_it():
    frames = np.array([4, 1, 2, 3, 5, 6, 7], np.float32)
    token = np.array([0, -1, -1, -1, 1, 2, 3])
    result = plan_durations(np.log1p(frames), speed=1.0, outputs_per_step=3, window_buckets=(8,), token=token)
    assert result.row_frames.tolist() == [4, 1, 2, 3, 5, 6, 7]
    assert result.token_start_frames().tolist() == [0, 10, 15, 21, 28]
