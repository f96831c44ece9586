from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from streaming.text.symbols import SymbolTables
from training.acoustic_data import AcousticData, AcousticItem, acoustic_item, collate, to_device
from training.features import Statistics, Utterance

N_MELS = 2
STATISTICS = Statistics([0.5, 0.25], [0.1, 0.5], 100.0, 50.0, 10.0, 2.0)


def utterance() -> Utterance:
    """Two tokens of two frames and one without any; F0 is continuous, the second and last frame unvoiced."""
    tokens = (
        "m_c$tone1$s_begin$word_begin",
        "a_c$tone1$s_end$word_end",
        "#4$tone_none$s_none$word_none",
    )
    return Utterance(
        name="00000",
        text="妈。",
        emotion="sad",
        tokens=tokens,
        ids=SymbolTables().encode(tokens),
        durations=np.array([2, 2, 0]),
        mel=np.array([[0.5, 0.25], [0.6, 0.25], [0.5, 0.75], [0.4, 0.75]], np.float32),
        f0_hz=np.array([150.0, 160.0, 200.0, 210.0], np.float32),
        voiced=np.array([1.0, 0.0, 1.0, 0.0], np.float32),
        energy=np.array([12.0, 14.0, 8.0, 8.0], np.float32),
        audio=np.zeros(800, np.int16),
    )


def item(n_frames: int) -> AcousticItem:
    n_tokens = n_frames // 2
    return AcousticItem(
        ling=np.full((n_tokens, 4), 3),
        emotion=1,
        durations=np.full(n_tokens, 2),
        pitch=np.ones(n_tokens, np.float32),
        energy=np.ones(n_tokens, np.float32),
        mel=np.full((n_frames, N_MELS + 2), n_frames, np.float32),
    )


def test_the_last_two_rows_are_f0_and_voicing() -> None:
    found = acoustic_item(utterance(), STATISTICS, SymbolTables())
    expected = [[0, 0, 1.0, 1], [1, 0, 1.2, 0], [0, 1, 2.0, 1], [-1, 1, 2.2, 0]]
    np.testing.assert_allclose(found.mel, expected, atol=1e-5)


def test_pitch_is_of_the_voiced_frames_only() -> None:
    found = acoustic_item(utterance(), STATISTICS, SymbolTables())
    np.testing.assert_allclose(found.pitch, [1.0, 2.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.energy, [1.5, -1.0, 0.0], atol=1e-6)
    assert found.emotion == SymbolTables().emotion_id("sad")


def test_padding_is_zero_and_lengths_are_kept() -> None:
    batch = collate([item(4), item(10)])
    assert batch.mel.shape == (2, 10, N_MELS + 2)
    assert batch.n_frames.tolist() == [4, 10]
    assert batch.n_tokens.tolist() == [2, 5]
    for values in (batch.ling, batch.durations, batch.pitch, batch.energy):
        assert not values[0, 2:].any()
        assert values[1].all()
    assert not batch.mel[0, 4:].any()


def test_all_of_a_batch_moves() -> None:
    moved = to_device(collate([item(4)]), torch.device("meta"))
    assert moved.mel.device.type == moved.n_tokens.device.type == "meta"


@pytest.mark.parametrize("seed", [0, 1])
def test_an_epoch_holds_every_item_once_within_the_budget(seed: int) -> None:
    lengths = [2 * n for n in range(3, 40)]
    batches = iter(AcousticData([item(n) for n in lengths], 200, np.random.default_rng(seed)))
    seen: list[int] = []
    while len(seen) < len(lengths):
        batch = next(batches)
        assert batch.mel.shape[0] * batch.mel.shape[1] <= 200
        seen += batch.n_frames.tolist()
    assert sorted(seen) == lengths


def test_an_item_over_the_budget_is_a_batch_of_its_own() -> None:
    batches = iter(AcousticData([item(500), item(4)], 200, np.random.default_rng(0)))
    assert sorted(batch.n_frames.tolist() for batch in islice(batches, 2)) == [[4], [500]]
