from __future__ import annotations

import numpy as np
import pytest

from streaming.synthesis.noise import hash_uniform, normal_noise, stream_key, uniform_noise

N = 20_000


def test_noise_at_a_position_does_not_depend_on_the_other_positions():
    key = stream_key(7, 0)
    whole = uniform_noise(key, np.arange(-200, 1000))
    parts = [uniform_noise(key, np.arange(start, start + 100)) for start in range(-200, 1000, 100)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("noise", [uniform_noise, normal_noise])
def test_noise_is_white_with_unit_variance(noise):
    values = noise(stream_key(3, 1), np.arange(N))
    assert abs(values.mean()) < 0.03
    assert values.var() == pytest.approx(1.0, abs=0.03)
    for lag in (1, 2, 7, 200):
        assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < 0.03


def test_normal_noise_has_the_tails_of_a_normal_distribution():
    values = normal_noise(stream_key(0, 0), np.arange(N))
    assert np.mean(np.abs(values) > 1.96) == pytest.approx(0.05, abs=0.01)
    assert np.isfinite(values).all()


def test_seeds_and_streams_are_independent():
    positions = np.arange(N)
    first = uniform_noise(stream_key(0, 0), positions)
    for seed, stream in ((1, 0), (0, 1), (1, 1), (-1, 0)):
        other = uniform_noise(stream_key(seed, stream), positions)
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.03


def test_uniform_values_stay_below_one():
    values = hash_uniform(stream_key(5, 5), np.arange(N))
    assert values.min() >= 0.0
    assert values.max() < 1.0
