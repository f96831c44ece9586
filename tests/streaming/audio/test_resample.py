from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.audio.resample import HALF_WIDTH, StreamResampler, resampled_position
from streaming.types import FloatArray

RATES = [(16000, 24000), (16000, 8000), (16000, 22050), (16000, 44100), (16000, 48000), (22050, 16000)]


def noise(n_samples: int) -> FloatArray:
    return np.random.default_rng(7).uniform(-0.5, 0.5, n_samples).astype(np.float32)


def tone(hz: float, rate: int, seconds: float = 0.5) -> FloatArray:
    times = np.arange(int(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def feed(resampler: StreamResampler, pieces: list[FloatArray]) -> FloatArray:
    outputs = [resampler.push(piece) for piece in pieces]
    return np.concatenate([*outputs, resampler.flush()])


@pytest.mark.parametrize(("in_rate", "out_rate"), RATES)
@given(cuts=st.lists(st.integers(0, 700), max_size=6))
@settings(max_examples=20, deadline=None)
def test_chunked_equals_whole_bit_for_bit(in_rate: int, out_rate: int, cuts: list[int]) -> None:
    whole = noise(700)
    pieces = np.split(whole, sorted(cuts))
    expected = feed(StreamResampler(in_rate, out_rate), [whole])
    assert np.array_equal(feed(StreamResampler(in_rate, out_rate), pieces), expected)


@pytest.mark.parametrize(("in_rate", "out_rate"), RATES)
@pytest.mark.parametrize("n_samples", [0, 1, 2, 63, 64, 65, 1601])
def test_no_sample_is_lost_or_added(in_rate: int, out_rate: int, n_samples: int) -> None:
    output = feed(StreamResampler(in_rate, out_rate), [noise(n_samples)])
    assert len(output) == resampled_position(n_samples, in_rate, out_rate)


@pytest.mark.parametrize(("in_rate", "out_rate"), RATES)
def test_segments_resampled_one_by_one_add_up_to_the_utterance(in_rate: int, out_rate: int) -> None:
    lengths = [333, 1, 200, 1599]
    starts = np.cumsum([0, *lengths])
    total = 0
    for start, length in zip(starts[:-1], lengths, strict=True):
        resampler = StreamResampler(in_rate, out_rate, start_sample=int(start))
        assert resampler.out_position == total
        total += len(feed(resampler, [noise(length)]))
        assert resampler.out_position == total
    assert total == resampled_position(sum(lengths), in_rate, out_rate)


def test_equal_rates_pass_through_untouched() -> None:
    samples = noise(100)
    resampler = StreamResampler(16000, 16000, start_sample=5)
    assert resampler.push(samples) is samples
    assert len(resampler.flush()) == 0
    assert resampler.out_position == 105


@pytest.mark.parametrize(("in_rate", "out_rate"), RATES)
def test_agrees_with_soxr_in_the_pass_band(in_rate: int, out_rate: int) -> None:
    nyquist = min(in_rate, out_rate) / 2
    samples = tone(0.2 * nyquist, in_rate) + tone(0.5 * nyquist, in_rate) + tone(0.78 * nyquist, in_rate)
    ours = feed(StreamResampler(in_rate, out_rate), [samples])
    reference = soxr.resample(samples, in_rate, out_rate, quality="VHQ")
    middle = slice(len(ours) // 4, 3 * len(ours) // 4)
    assert np.abs(ours[middle] - reference[middle]).max() < 1e-3


@pytest.mark.parametrize(("in_rate", "out_rate"), [(16000, 8000), (22050, 16000)])
def test_what_the_lower_rate_cannot_hold_is_removed(in_rate: int, out_rate: int) -> None:
    alias = tone(1.15 * out_rate / 2, in_rate)
    output = feed(StreamResampler(in_rate, out_rate), [alias])
    middle = output[len(output) // 4 : 3 * len(output) // 4]
    assert np.abs(middle).max() < 1e-3


@pytest.mark.parametrize(("in_rate", "out_rate"), RATES)
def test_delay_is_the_filters_half_width(in_rate: int, out_rate: int) -> None:
    resampler = StreamResampler(in_rate, out_rate)
    n_out = len(resampler.push(noise(800)))
    held_back_s = 800 / in_rate - n_out / out_rate
    assert held_back_s <= (HALF_WIDTH + 2) / min(in_rate, out_rate)


def test_a_constant_stays_constant() -> None:
    output = feed(StreamResampler(16000, 44100), [np.full(2000, 0.25, dtype=np.float32)])
    assert np.abs(output[500:-500] - 0.25).max() < 1e-6


def test_position_rounds_halves_up_without_float_error() -> None:
    assert resampled_position(1, 16000, 24000) == 2
    assert resampled_position(10**15, 44100, 48000) == round(10**15 * 480 / 441)
