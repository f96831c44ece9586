from __future__ import annotations

import numpy as np

from streaming.synthesis.volume import KNEE, soft_limited, with_volume


def test_normal_volume_changes_no_bit():
    samples = np.float32([0.1, -0.99, 1.0, 0.0])
    np.testing.assert_array_equal(with_volume(samples, 50.0), samples)


def test_a_lower_volume_is_linear_and_zero_is_silence():
    samples = np.float32([0.5, -0.25])
    np.testing.assert_array_equal(with_volume(samples, 25.0), samples * np.float32(0.5))
    assert not with_volume(samples, 0.0).any()


def test_peaks_are_bent_without_a_step_or_a_flat_top():
    samples = np.linspace(-1.4, 1.4, 2801, dtype=np.float32)
    limited = soft_limited(samples)
    np.testing.assert_array_equal(limited, -soft_limited(-samples))
    below = np.abs(samples) <= KNEE
    np.testing.assert_array_equal(limited[below], samples[below])
    slopes = np.diff(limited) / np.diff(samples)
    assert slopes.min() > 0.0  # a flat top is clipping
    assert slopes.max() < 1.01
    assert np.abs(np.diff(slopes)).max() < 0.03
    assert np.abs(limited).max() < 1.0
    assert np.abs(soft_limited(np.float32([9.0, -9.0]))).max() <= 1.0
