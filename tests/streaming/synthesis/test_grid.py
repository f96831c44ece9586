from __future__ import annotations

from itertools import pairwise

import pytest

from streaming.synthesis.grid import Grid

GRIDS = [
    Grid(ramp, r, delay, flush)
    for ramp in ((4, 8, 16), (5,), (1, 2, 3))
    for r in (1, 3)
    for delay in (0, 12)
    for flush in (0, 3)
]


def test_the_ramps_last_block_repeats():
    grid = Grid((4, 8, 16), 3, 12, 0)
    assert [grid.border(index) for index in range(6)] == [0, 4, 12, 28, 44, 60]


def test_the_first_block_needs_its_frames_and_the_postnets_delay():
    plan = Grid((4, 8, 16), 3, 12, 0).block(0)
    assert (plan.start_frame, plan.end_frame) == (0, 4)
    assert (plan.start_step, plan.end_step) == (0, 6)  # ceil((4 + 12) / 3)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_blocks_follow_each_other_without_gap(grid: Grid):
    plans = [grid.block(index) for index in range(12)]
    for before, after in pairwise(plans):
        assert after.start_frame == before.end_frame
        assert after.start_step == before.end_step
    assert plans[0].start_frame == plans[0].start_step == 0


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_decoder_steps_suffice_for_every_block(grid: Grid):
    for index in range(12):
        plan = grid.block(index)
        ready = plan.end_step * grid.outputs_per_step - grid.postnet_delay_frames
        assert ready >= plan.end_frame
        assert ready - plan.end_frame < grid.outputs_per_step  # and are not more than needed


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("n_frames", [1, 4, 5, 11, 60])
def test_the_last_block_is_the_first_that_covers_what_must_be_fed(grid: Grid, n_frames: int):
    count = grid.n_blocks(n_frames)
    assert grid.border(count - 1) < n_frames + grid.flush_frames <= grid.border(count)


def test_no_frames_need_no_block():
    assert Grid((4,), 3, 12, 3).n_blocks(0) == 0
