from __future__ import annotations

import librosa
import numpy as np
import pytest

from streaming.types import FloatArray
from tests.training.tiny import SHIPPED, harmonic_tone
from training.mel import extract, f0_contour, magnitude_spectrogram, mel_from_magnitude, smooth
from training.settings import AudioSettings, load_settings

N_SAMPLES = 8050  # no whole number of frames


@pytest.fixture(scope="module")
def settings() -> AudioSettings:
    return load_settings(SHIPPED).audio


def noise(n_samples: int = N_SAMPLES) -> FloatArray:
    return (0.1 * np.random.default_rng(0).standard_normal(n_samples)).astype(np.float32)


def pulse_train(f0_hz: FloatArray, sample_rate: int) -> FloatArray:
    """One pulse a period; `f0_hz` is per sample."""
    cycles = np.floor(np.cumsum(f0_hz / sample_rate))
    return (np.diff(cycles, prepend=0.0) > 0).astype(np.float32)


@pytest.mark.parametrize("audio", [harmonic_tone(220.0, N_SAMPLES), noise()], ids=["tone", "noise"])
def test_mel_is_librosas_in_scaled_decibels(audio: FloatArray, settings: AudioSettings) -> None:
    expected = librosa.feature.melspectrogram(
        y=audio,
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        win_length=settings.win_length,
        center=True,
        pad_mode="constant",
        power=1.0,
        n_mels=settings.n_mels,
        fmin=settings.fmin,
        fmax=settings.fmax,
    )
    decibels = 20.0 * np.log10(np.maximum(expected.T, 1e-5)) - 20.0
    found = mel_from_magnitude(magnitude_spectrogram(audio, settings), settings)
    np.testing.assert_allclose(found, np.clip((decibels + 100.0) / 100.0, 0.0, 1.0), atol=1e-4)
    assert 0.1 < found.mean() < 0.9


def test_features_have_one_row_a_hop_and_one_more(settings: AudioSettings) -> None:
    features = extract(noise(), settings)
    n_frames = 1 + N_SAMPLES // settings.hop_length
    assert features.mel.shape == (n_frames, settings.n_mels)
    for values in (features.f0_hz, features.voiced, features.energy):
        assert values.shape == (n_frames,)
        assert values.dtype == np.float32


def test_energy_is_the_root_of_the_summed_squares(settings: AudioSettings) -> None:
    loud, quiet = extract(noise(), settings).energy, extract(noise() / 4, settings).energy
    np.testing.assert_allclose(loud, 4 * quiet, rtol=1e-4)
    magnitude = magnitude_spectrogram(noise(), settings)
    np.testing.assert_allclose(loud, np.linalg.norm(magnitude, axis=1), rtol=1e-5)


@pytest.mark.parametrize("f0_hz", [100.0, 187.5, 320.0])
def test_f0_of_a_pulse_train_is_within_a_percent(f0_hz: float, settings: AudioSettings) -> None:
    audio = pulse_train(np.full(12000, f0_hz, np.float32), settings.sample_rate)
    n_frames = 1 + len(audio) // settings.hop_length
    found, voiced = f0_contour(audio, n_frames, settings)
    assert voiced[5:-5].min() == 1.0
    np.testing.assert_allclose(found[5:-5], f0_hz, rtol=0.01)


def test_f0_follows_a_glide(settings: AudioSettings) -> None:
    glide = np.geomspace(150.0, 250.0, 16000).astype(np.float32)
    found, _ = f0_contour(pulse_train(glide, settings.sample_rate), 81, settings)
    np.testing.assert_allclose(found[8:-8], glide[:: settings.hop_length][8 : 81 - 8], rtol=0.01)


def test_f0_is_interpolated_through_unvoiced_frames(settings: AudioSettings) -> None:
    gap = np.zeros(4000, np.float32)
    audio = np.concatenate([harmonic_tone(150.0, 8000), gap, harmonic_tone(220.0, 8000)])
    found, voiced = f0_contour(audio, 101, settings)
    assert voiced[46:54].max() == 0.0
    assert (np.diff(found[44:56]) >= 0).all()
    assert 150.0 < found[50] < 220.0


def test_silence_is_the_floor_of_everything(settings: AudioSettings) -> None:
    features = extract(np.zeros(4000, np.float32), settings)
    assert (features.mel == 0).all()
    assert (features.f0_hz == settings.f0_floor_hz).all()
    assert (features.voiced == 0).all()
    assert (features.energy == 0).all()


def test_voicing_is_binary(settings: AudioSettings) -> None:
    audio = np.concatenate([harmonic_tone(200.0, 6000), np.zeros(6000, np.float32)])
    assert set(extract(audio, settings).voiced.tolist()) == {0.0, 1.0}


def test_smoothing_keeps_constants_and_spreads_a_step() -> None:
    assert smooth(np.full(5, 3.0)).tolist() == [3.0] * 5
    assert smooth(np.array([0.0, 0.0, 1.0, 1.0])).tolist() == [0.0, 0.25, 0.75, 1.0]
