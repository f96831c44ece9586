from __future__ import annotations

import torch

from tests.training.nets.small import small_config
from training.nets.variance import (
    DurationPosition,
    VarianceAdaptor,
    band_width,
    round_durations,
    token_of_frame,
)


def test_rounding_of_the_specs_small_check() -> None:
    durations = torch.tensor([[1.49, 0.3, 2.5, 0.5]])
    frames = round_durations(durations)
    assert frames.tolist() == [[1, 0, 3, 1]]
    tokens, positions = token_of_frame(frames, 6)
    assert tokens.tolist() == [[0, 2, 2, 2, 3, -1]]
    assert positions.tolist() == [[1, 1, 2, 3, 1, 0]]


def test_expansion_equals_a_plain_loop() -> None:
    frames = torch.tensor([[2, 0, 1, 4], [0, 3, 0, 0]])
    tokens, positions = token_of_frame(frames, 8)
    for row, counts in enumerate(frames.tolist()):
        pairs = [(token, step + 1) for token, count in enumerate(counts) for step in range(count)]
        pairs += [(-1, 0)] * (8 - len(pairs))
        assert list(zip(tokens[row].tolist(), positions[row].tolist(), strict=True)) == pairs


def test_band_width_truncates_after_adding_a_half() -> None:
    durations = torch.tensor([[1.0, 4.4], [4.5, 0.0], [0.2, 1.4], [7.6, 7.4]])
    assert band_width(durations, 3).tolist() == [1, 2, 0, 3]


def test_position_zero_is_zero_one_zero_one() -> None:
    assert DurationPosition(6)(torch.zeros(1, 1, dtype=torch.long)).flatten().tolist() == [0, 1, 0, 1, 0, 1]


def test_positions_are_divided_by_the_timescales() -> None:
    code = DurationPosition(4)(torch.tensor([[3]])).flatten()
    angles = torch.tensor([3.0, 3.0, 0.03, 0.03])
    torch.testing.assert_close(
        code, torch.stack([angles[0].sin(), angles[1].cos(), angles[2].sin(), angles[3].cos()])
    )


def test_memory_rows_hold_three_frames_and_the_first_ones_speaker_and_emotion() -> None:
    adaptor = VarianceAdaptor(small_config())
    aug, speaker, emotion = torch.randn(1, 2, 8), torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    memory = adaptor.expand(aug, speaker, emotion, torch.tensor([[2, 2]]), 6)
    code = adaptor.dur_position_encoder(torch.tensor([[1, 2, 1, 2, 0, 0]]))[0]
    text = torch.stack([aug[0, 0], aug[0, 0], aug[0, 1], aug[0, 1], torch.zeros(8), torch.zeros(8)]) + code
    torch.testing.assert_close(memory[0, :, :24], text.reshape(2, 24))
    torch.testing.assert_close(memory[0, 0, 24:], torch.cat([speaker[0, 0], emotion[0, 0]]))
    torch.testing.assert_close(memory[0, 1, 24:], torch.cat([speaker[0, 1], emotion[0, 1]]))
