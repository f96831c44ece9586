from __future__ import annotations

import math

import librosa
import numpy as np
import torch

from training.nets.spectral import MEL_FLOOR, LogMel

NOISE = 0.1 * torch.randn(1, 6000, generator=torch.Generator().manual_seed(0))


def test_log_mel_is_librosas() -> None:
    mel = librosa.feature.melspectrogram(
        y=NOISE[0].numpy(),
        sr=16000,
        n_fft=1024,
        hop_length=200,
        win_length=1000,
        pad_mode="constant",
        power=1.0,
        n_mels=80,
    )
    found = LogMel(16000)(NOISE)
    assert found.shape == (1, 31, 80)
    np.testing.assert_allclose(found[0].numpy(), np.log(mel.T), atol=1e-3)


def test_silence_is_the_floor() -> None:
    assert LogMel(16000)(torch.zeros(1, 2000)).max().item() <= math.log(MEL_FLOOR) + 1e-6


def test_a_gain_is_added() -> None:
    log_mel = LogMel(16000)
    rise = log_mel(10 * NOISE) - log_mel(NOISE)
    torch.testing.assert_close(rise, torch.full_like(rise, math.log(10)), rtol=0, atol=1e-3)
