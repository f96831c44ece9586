from __future__ import annotations

import numpy as np
import pytest

from streaming.engines.fake import fake_manifest
from streaming.sambert_manifest import F0Rows
from streaming.synthesis.excitation import (
    HarmonicNoiseExcitation,
    NsfExcitation,
    Pitch,
    harmonic_phase,
    interpolated_phase,
    make_excitation,
    nsf_excitation,
    pitch_of_frames,
    pulse_train,
)

SAMPLE_RATE = 16_000
HOP = 200


def pitch(n_frames: int) -> Pitch:
    random = np.random.default_rng(n_frames)
    return Pitch(random.uniform(80.0, 400.0, n_frames), (random.random(n_frames) > 0.3).astype(np.float64))


def cut(whole: Pitch, borders: list[int]) -> list[Pitch]:
    return [
        Pitch(whole.f0_hz[a:b], whole.voiced[a:b])
        for a, b in zip([0, *borders], [*borders, whole.f0_hz.size], strict=True)
    ]


@pytest.mark.parametrize("kind", [HarmonicNoiseExcitation, NsfExcitation])
@pytest.mark.parametrize("borders", [[1], [29], [4, 12, 28], list(range(1, 30))])
def test_any_cut_into_blocks_gives_the_same_bits(kind, borders: list[int]):
    whole = pitch(30)
    expected = kind(HOP, SAMPLE_RATE, 5).push(whole)
    pieces = kind(HOP, SAMPLE_RATE, 5)
    found = np.concatenate([pieces.push(piece) for piece in cut(whole, borders)], axis=1)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32


def test_closed_form_pulses_equal_the_sum_of_cosines():
    random = np.random.default_rng(0)
    phase = np.concatenate([random.uniform(-3.0, 3.0, 300), [0.0, 1.0, 0.5, 1e-13]])
    f0 = np.full(phase.size, 310.0)
    n_harmonics = 25  # floor(8000 / 310)
    harmonics = np.arange(1, n_harmonics + 1)
    expected = np.sqrt(2 / n_harmonics) * np.cos(2 * np.pi * phase[:, None] * harmonics).sum(axis=1)
    np.testing.assert_allclose(pulse_train(phase, f0, SAMPLE_RATE), expected, atol=2e-5)


def test_pulses_have_unit_variance_and_nothing_above_half_the_sample_rate():
    f0 = np.full(SAMPLE_RATE, 200.0)
    signal = pulse_train(np.arange(SAMPLE_RATE) * 200.0 / SAMPLE_RATE, f0, SAMPLE_RATE)
    spectrum = np.abs(np.fft.rfft(signal)) / SAMPLE_RATE
    peaks = np.flatnonzero(spectrum > 1e-3)
    np.testing.assert_array_equal(peaks[peaks < 8000] % 200, 0)
    assert peaks[0] == 200  # no DC
    assert signal[:-1].var() == pytest.approx(1.0, rel=0.05)


def test_f0_above_half_the_sample_rate_keeps_one_harmonic():
    assert np.abs(pulse_train(np.array([0.0]), np.array([9000.0]), SAMPLE_RATE))[0] == pytest.approx(
        np.sqrt(2)
    )


def test_phase_is_the_running_sum_of_the_interpolated_f0():
    f0 = np.array([100.0, 220.0, 180.0])
    phase, sample_hz, carry = interpolated_phase(f0, 140.0, 0.25, HOP, SAMPLE_RATE)
    steps = np.arange(1, HOP + 1) / HOP
    starts = [140.0, 100.0, 220.0]
    expected_hz = np.concatenate([a + (b - a) * steps for a, b in zip(starts, f0, strict=True)])
    np.testing.assert_allclose(sample_hz.ravel(), expected_hz, rtol=1e-12)
    np.testing.assert_allclose(phase.ravel(), 0.25 + np.cumsum(expected_hz) / SAMPLE_RATE, rtol=1e-10)
    assert carry == phase[-1, -1]


def test_the_first_frame_is_interpolated_from_itself():
    signal = HarmonicNoiseExcitation(HOP, SAMPLE_RATE, 0).push(Pitch(np.array([160.0]), np.ones(1)))
    cycles = np.arange(1, HOP + 1) * 160.0 / SAMPLE_RATE
    np.testing.assert_allclose(
        signal[0], pulse_train(cycles, np.full(HOP, 160.0), SAMPLE_RATE).astype(np.float32), atol=1e-5
    )


def test_voicing_does_not_gate_the_harmonic_source():
    voiced, unvoiced = (
        HarmonicNoiseExcitation(HOP, SAMPLE_RATE, 0).push(Pitch(np.full(3, 150.0), np.full(3, flag)))
        for flag in (1.0, 0.0)
    )
    np.testing.assert_array_equal(voiced, unvoiced)


def test_nsf_sines_are_silent_and_noise_is_louder_where_unvoiced():
    phase, _ = harmonic_phase(np.array([100.0, 100.0]), np.zeros(8), HOP, SAMPLE_RATE)
    noise = np.full((8, 2 * HOP), 0.003)
    voiced = np.repeat([1.0, 0.0], HOP)
    result = nsf_excitation(phase, np.zeros(8), noise, voiced)
    np.testing.assert_allclose(result[:, HOP:], 0.1 / 3, rtol=1e-6)
    assert result[:, :HOP].max() == pytest.approx(0.103, abs=1e-3)


def test_nsf_phase_sums_stay_unwrapped_between_blocks():
    _, carry = harmonic_phase(np.full(100, 320.0), np.zeros(8), HOP, SAMPLE_RATE)
    assert carry[0] == pytest.approx(400.0)
    assert carry[7] == pytest.approx(3200.0)


def test_seeds_change_the_noise_only():
    whole = pitch(10)
    first, second = (HarmonicNoiseExcitation(HOP, SAMPLE_RATE, seed).push(whole) for seed in (0, 1))
    np.testing.assert_array_equal(first[0], second[0])
    assert not np.array_equal(first[1], second[1])


@pytest.mark.parametrize(("factor", "expected"), [(1.0, [150.0, 50.0, 30.0]), (2.0, [300.0, 100.0, 30.0])])
def test_f0_rows_are_denormalised_scaled_and_floored(factor: float, expected: list[float]):
    frames = np.zeros((3, 4), np.float32)
    frames[:, 2] = [0.5, -0.5, -5.0]
    frames[:, 3] = [0.59, 0.6, 1.4]
    rows = F0Rows(norm="mean_std", offset_hz=100.0, scale_hz=100.0)
    result = pitch_of_frames(frames, rows, factor)
    np.testing.assert_allclose(result.f0_hz, expected)
    assert result.voiced.tolist() == [0.0, 1.0, 1.0]


def test_global_f0_is_rounded_to_float32_after_each_operation():
    row = np.random.default_rng(0).uniform(0.0, 1.0, 1000).astype(np.float32)
    frames = np.stack([row, np.ones_like(row)], axis=1)
    result = pitch_of_frames(frames, F0Rows(norm="global", offset_hz=30.0, scale_hz=700.0), 1.0)
    in_float32 = row * np.float32(700.0) + np.float32(30.0)
    np.testing.assert_array_equal(result.f0_hz, in_float32.astype(np.float64))
    assert np.any(in_float32 != (row.astype(np.float64) * 700.0 + 30.0).astype(np.float32))


def test_a_plain_vocoder_gets_no_channels():
    assert make_excitation(fake_manifest(), 0).push(pitch(3)).shape == (0, 3 * HOP)
