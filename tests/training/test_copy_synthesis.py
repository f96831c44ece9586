from __future__ import annotations

import math

import numpy as np
import pytest

from streaming.types import FloatArray
from tests.training.tiny import SHIPPED, harmonic_tone
from training.copy_synthesis import CopyError, copy_error
from training.nets.spectral import LogMel
from training.settings import load_settings

N_SAMPLES = 12000


def compare(generated: FloatArray, real: FloatArray) -> CopyError:
    settings = load_settings(SHIPPED).audio
    return copy_error(generated, real, LogMel(settings.sample_rate), settings)


def test_a_perfect_copy_has_no_error() -> None:
    tone = harmonic_tone(200.0, N_SAMPLES)
    assert compare(tone, tone) == CopyError(0.0, 0.0)


@pytest.mark.parametrize("cents", [-100.0, 30.0, 200.0])
def test_a_shifted_pitch_is_found_in_cents(cents: float) -> None:
    shifted = harmonic_tone(200.0 * 2 ** (cents / 1200), N_SAMPLES)
    assert compare(shifted, harmonic_tone(200.0, N_SAMPLES)).f0_cents == pytest.approx(abs(cents), abs=3.0)


def test_log_mel_error_of_a_gain_is_its_logarithm() -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(N_SAMPLES)).astype(np.float32)
    assert compare(noise / 2, noise).log_mel_l1 == pytest.approx(math.log(2), abs=1e-3)


def test_without_voiced_frames_there_is_no_f0_error_to_state() -> None:
    silence = np.zeros(N_SAMPLES, np.float32)
    assert math.isnan(compare(silence, harmonic_tone(200.0, N_SAMPLES)).f0_cents)
