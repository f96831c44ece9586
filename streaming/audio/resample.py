"""Change the sample rate of a stream with a small, constant delay.

Input   float32 samples of one stream at `in_rate`, cut anywhere
Output  float32 samples at `out_rate`; chunked == whole, bit for bit
State   the last filter length of input, and two counters; time never

Output sample m is the band-limited input at time m / out_rate, so positions are absolute: a
stream that starts at input sample s yields the outputs round(s * out / in) and on.

A polyphase windowed sinc rather than a general converter such as soxr: those filter in large
FFT blocks and hold back 20 to 110 ms of a stream at these rates, which is more than all of
synthesis needs for the first audio. This one holds back `HALF_WIDTH` input samples (2 ms at
16 kHz) and is checked against soxr in the tests.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from streaming.types import FloatArray

HALF_WIDTH = 32  # zero crossings of the sinc on each side
ROLLOFF = 0.92  # cut-off in units of the lower Nyquist frequency; the rest is transition band
KAISER_BETA = 9.0  # stop band near -90 dB (Kaiser 1974)


def resampled_position(position: int, in_rate: int, out_rate: int) -> int:
    """Return round(position * out_rate / in_rate), halves up, in exact integer arithmetic."""
    return (2 * position * out_rate + in_rate) // (2 * in_rate)


@lru_cache(maxsize=32)
def _filter_bank(in_rate: int, out_rate: int) -> FloatArray:
    """Return the sinc filters [n_phases, n_taps]; row p is for outputs p / n_phases past an input."""
    n_phases = out_rate // gcd(in_rate, out_rate)
    cutoff = min(1.0, out_rate / in_rate) * ROLLOFF
    half = ceil(HALF_WIDTH * max(1.0, in_rate / out_rate))
    offsets = np.arange(-half + 1, half + 1, dtype=np.float64)
    times = offsets[None, :] - np.arange(n_phases)[:, None] / n_phases
    window = np.i0(KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (times / half) ** 2)))
    bank = np.sinc(cutoff * times) * window
    bank /= bank.sum(axis=1, keepdims=True)  # the same gain at 0 Hz for every phase: no hum
    return np.ascontiguousarray(bank, dtype=np.float32)


class StreamResampler:
    """Resample one stream by push/flush; the identity when the rates are equal."""

    def __init__(self, in_rate: int, out_rate: int, *, start_sample: int = 0) -> None:
        """Prepare for a stream whose first sample is number `start_sample` at `in_rate`."""
        self._in_rate = in_rate
        self._out_rate = out_rate
        divisor = gcd(in_rate, out_rate)
        self._n_phases = out_rate // divisor
        self._step = in_rate // divisor
        self._bank = _filter_bank(in_rate, out_rate) if in_rate != out_rate else None
        self._half = 0 if self._bank is None else self._bank.shape[1] // 2
        self._end = start_sample
        self._next_out = resampled_position(start_sample, in_rate, out_rate)
        # Silence stands for what was before the stream; `_tail_start` numbers its first sample.
        self._tail: FloatArray = np.zeros(2 * self._half, dtype=np.float32)
        self._tail_start = start_sample - 2 * self._half

    @property
    def out_position(self) -> int:
        """Number of the next output sample, counted at `out_rate` from the utterance's start."""
        return self._next_out

    def push(self, samples: FloatArray) -> FloatArray:
        """Take input [n] and return the outputs that no later input can change (often fewer)."""
        self._end += len(samples)
        if self._bank is None:
            self._next_out += len(samples)
            return samples
        self._tail = np.concatenate([self._tail, samples.astype(np.float32, copy=False)])
        # Output m reads inputs up to floor(m * step / phases) + half.
        known = (self._end - self._half) * self._n_phases
        return self._emit(-(-known // self._step))

    def flush(self) -> FloatArray:
        """Return the rest; in all, the stream gave round(end * r) - round(start * r) samples."""
        if self._bank is None:
            return np.zeros(0, dtype=np.float32)
        # Rounding up can place the last output half a sample past the end: one more zero is enough.
        self._tail = np.concatenate([self._tail, np.zeros(self._half + 1, dtype=np.float32)])
        return self._emit(resampled_position(self._end, self._in_rate, self._out_rate))

    def _emit(self, stop_out: int) -> FloatArray:
        """Compute outputs up to `stop_out` (exclusive) and forget the input that is used up."""
        assert self._bank is not None
        n_out = stop_out - self._next_out
        if n_out <= 0:
            return np.zeros(0, dtype=np.float32)
        output = np.empty(n_out, dtype=np.float32)
        windows = sliding_window_view(self._tail, 2 * self._half)
        for first in range(min(n_out, self._n_phases)):
            # All outputs of one phase in one call: their windows are `step` inputs apart.
            numerator = (self._next_out + first) * self._step
            begin = self._window_start(numerator)
            n_rows = len(range(first, n_out, self._n_phases))
            rows = windows[begin : begin + (n_rows - 1) * self._step + 1 : self._step]
            output[first :: self._n_phases] = np.vecdot(rows, self._bank[numerator % self._n_phases])
        self._next_out = stop_out
        self._forget()
        return output

    def _window_start(self, numerator: int) -> int:
        """Return the row of `_tail` where the filter for output time numerator / n_phases begins."""
        return numerator // self._n_phases - self._half + 1 - self._tail_start

    def _forget(self) -> None:
        keep_from = max(0, min(self._window_start(self._next_out * self._step), len(self._tail)))
        self._tail = self._tail[keep_from:].copy()
        self._tail_start += keep_from


class UtteranceResampler:
    """Resample an utterance, a segment at a time: a segment's tail goes with it, not with the next one."""

    def __init__(self, in_rate: int, out_rate: int) -> None:
        self._in_rate = in_rate
        self._out_rate = out_rate
        self._segment: StreamResampler | None = None

    def position(self, sample: int) -> int:
        """Return the output position of an input sample."""
        return resampled_position(sample, self._in_rate, self._out_rate)

    def push(
        self, samples: FloatArray, start_sample: int, *, ends_segment: bool
    ) -> list[tuple[int, FloatArray]]:
        """Take samples [n] of the present segment; `start_sample` counts from the utterance's start.

        Returns:
            Outputs, each with the position of its first sample; possibly empty ones.
        """
        if self._segment is None:
            self._segment = StreamResampler(self._in_rate, self._out_rate, start_sample=start_sample)
        segment = self._segment
        outputs = [(segment.out_position, segment.push(samples))]
        if ends_segment:
            outputs.append((segment.out_position, segment.flush()))
            self._segment = None
        return outputs
