from __future__ import annotations

import numpy as np
import pytest

from training.features import Statistics, Utterance
from training.vocoder_data import WARMUP_FRAMES, VocoderBatch, VocoderData

HOP, LOOKAHEAD, N_MELS = 4, 3, 2
STATISTICS = Statistics([1.0] * N_MELS, [2.0] * N_MELS, 0.0, 1.0, 0.0, 1.0)


def utterance(n_frames: int) -> Utterance:
    """Every frame and every sample says where it is: mel and F0 the frame, audio the sample (from 1)."""
    index = np.arange(n_frames, dtype=np.float32)
    n_samples = (n_frames - 1) * HOP + 1
    return Utterance(
        name="00000",
        text="",
        emotion="neutral",
        tokens=(),
        ids=np.zeros((0, 4), np.int64),
        durations=np.zeros(0, np.int64),
        mel=np.repeat(index[:, None], N_MELS, axis=1),
        f0_hz=100.0 + index,
        voiced=index % 2,
        energy=index,
        audio=np.arange(1, n_samples + 1, dtype=np.int16),
    )


def data(*lengths: int) -> VocoderData:
    return VocoderData([utterance(length) for length in lengths], STATISTICS, HOP, LOOKAHEAD)


def frames_of(batch: VocoderBatch) -> np.ndarray:
    """Frame numbers of a batch, from F0."""
    return np.asarray(batch.f0_hz.numpy() - 100.0)


def test_audio_is_late_by_the_look_ahead() -> None:
    """What the network says when frame 0 has arrived is silence; sample 0 comes with frame `LOOKAHEAD`."""
    audio = data(10).whole(0).audio[0].numpy() * 32768.0
    assert (audio[: LOOKAHEAD * HOP] == 0).all()
    np.testing.assert_allclose(audio[LOOKAHEAD * HOP :][:37], np.arange(1, 38))


def test_the_last_frame_is_repeated_for_the_look_ahead_and_the_end_is_silent() -> None:
    batch = data(10).whole(0)
    assert batch.mel.shape == (1, 10 + LOOKAHEAD, N_MELS)
    assert batch.audio.shape == (1, (10 + LOOKAHEAD) * HOP)
    assert frames_of(batch)[0].tolist() == [*range(10), 9, 9, 9]
    assert batch.voiced[0, -LOOKAHEAD:].tolist() == [1.0] * LOOKAHEAD
    assert (batch.audio[0, -3:] == 0).all()  # 37 samples do not fill 10 frames
    assert batch.audio[0, -4] > 0


def test_mel_is_normalised() -> None:
    batch = data(10).whole(0)
    np.testing.assert_allclose(batch.mel[0, :10, 0].numpy(), (np.arange(10) - 1.0) / 2.0)


def test_stretches_keep_frames_and_samples_together() -> None:
    batch = data(80).batch(np.random.default_rng(0), 16, 8)
    assert batch.mel.shape == (16, 8 + WARMUP_FRAMES, N_MELS)
    assert batch.audio.shape == (16, (8 + WARMUP_FRAMES) * HOP)
    assert len(set(frames_of(batch)[:, 0])) > 5
    for frames, audio in zip(frames_of(batch), batch.audio.numpy() * 32768.0, strict=True):
        first = frames[0]
        np.testing.assert_allclose(frames, np.minimum(first + np.arange(len(frames)), 79))
        expected = (first - LOOKAHEAD) * HOP + 1 + np.arange(len(audio))
        inside = (expected >= 1) & (expected <= 317)
        np.testing.assert_allclose(audio, np.where(inside, expected, 0.0))


def test_a_short_utterance_is_padded_to_the_stretch() -> None:
    batch = data(4).batch(np.random.default_rng(0), 2, 8)
    assert frames_of(batch)[0].tolist() == [0, 1, 2, 3] + [3] * (4 + WARMUP_FRAMES)
    assert (batch.audio[0, (4 + LOOKAHEAD) * HOP :] == 0).all()
    assert batch.audio.shape == (2, (8 + WARMUP_FRAMES) * HOP)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_draws_the_same_stretches(seed: int) -> None:
    drawn = [data(50, 60, 70).batch(np.random.default_rng(seed), 4, 8) for _ in range(2)]
    assert (frames_of(drawn[0]) == frames_of(drawn[1])).all()


def test_its_length_is_the_number_of_utterances() -> None:
    assert len(data(5, 6, 7)) == 3
