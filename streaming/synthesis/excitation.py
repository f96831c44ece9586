"""From the F0 rows of the feature frames to the vocoder's excitation.

Input   feature frames with F0 and U/V in their last two rows; a seed
Output  F0 in Hz, U/V, and excitation samples for exactly those frames
State   the phase reached, in float64, and the last frame's F0; nothing else
Every value depends on frame and sample index only, never on how the frames were cut into blocks:
sums run frame after frame (or sample after sample) in one fixed order with the carry in front.

The functions are pure and shared with training, where a PyTorch twin is tested against them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.sambert_manifest import F0Rows, SambertManifest
from streaming.synthesis.noise import normal_noise, stream_key, uniform_noise
from streaming.types import FloatArray

DoubleArray = NDArray[np.float64]

NSF_HARMONICS = 8  # fundamental and 7 harmonics (spec section 2.3)
NSF_SINE_GAIN = 0.1
NSF_NOISE_STD = 0.003
HOP_LENGTHS = 16  # of all voices
NOISE_STREAM = 0  # independent streams of one seed
PHASE_STREAM = 1 << 32


@dataclass(frozen=True, slots=True)
class Pitch:
    """F0 and voicing of consecutive frames: `f0_hz` [n] float64 above the floor, `voiced` [n] 0 or 1."""

    f0_hz: DoubleArray
    voiced: DoubleArray


def pitch_of_frames(frames: FloatArray, rows: F0Rows, pitch_factor: float) -> Pitch:
    """De-normalise the last two rows of feature frames (spec section 1.6).

    F0 is floored and not multiplied by U/V; U/V is 1 where it reaches the threshold.

    Args:
        frames: [n_frames, n_features] float32.
        rows: The voice's normalisation.
        pitch_factor: Multiplies F0 (before the floor).
    """
    f0_hz = _denormalised(frames[:, -2], rows)
    voiced = (frames[:, -1] >= np.float32(rows.uv_threshold)).astype(np.float64)
    return Pitch(np.maximum(f0_hz * pitch_factor, rows.floor_hz), voiced)


def _denormalised(row: FloatArray, rows: F0Rows) -> DoubleArray:
    """F0 in Hz, with the reference's rounding: a phase that runs for seconds magnifies the last bit."""
    if rows.norm == "global":  # float32 throughout; the statistics of `mean_std` are float64
        return (row * np.float32(rows.scale_hz) + np.float32(rows.offset_hz)).astype(np.float64)
    return row.astype(np.float64) * rows.scale_hz + rows.offset_hz


def interpolated_phase(
    f0_hz: DoubleArray, previous_f0_hz: float, carry_cycles: float, hop_length: int, sample_rate: int
) -> tuple[DoubleArray, DoubleArray, float]:
    """Integrate F0, interpolated linearly between frame centres, to a phase per sample.

    Frame i yields the hop_length samples that end at its centre: F0 runs from f0[i-1] to f0[i], and
    each sample adds its own F0 to the phase, sum_{k=1..m} (a + (b-a) k/hop) in closed form.

    Args:
        f0_hz: [n_frames] of these frames.
        previous_f0_hz: F0 of the frame before them (of the first frame itself at the start).
        carry_cycles: Phase in cycles where the frame before them ended; not wrapped.
        hop_length: Samples per frame.
        sample_rate: Hz.

    Returns:
        phase in cycles [n_frames, hop_length], F0 in Hz per sample (same shape), the next carry.
    """
    start_hz = np.concatenate([[previous_f0_hz], f0_hz[:-1]])
    change_hz = f0_hz - start_hz
    offset, share, triangle = _ramps(hop_length)
    sample_hz = np.multiply.outer(change_hz, share)
    sample_hz += start_hz[:, None]
    inside = np.multiply.outer(change_hz, triangle)
    inside += np.multiply.outer(start_hz, offset)
    inside /= sample_rate
    cycles = np.cumsum(np.concatenate([[carry_cycles], inside[:, -1]]))
    inside += cycles[:-1, None]
    return inside, sample_hz, float(cycles[-1])


@lru_cache(maxsize=HOP_LENGTHS)
def _ramps(hop_length: int) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Return m, m / hop and sum_{k=1..m} k / hop for m = 1..hop."""
    offset = np.arange(1, hop_length + 1, dtype=np.float64)
    return offset, offset / hop_length, 0.5 * offset * (offset + 1.0) / hop_length


def pulse_train(phase_cycles: DoubleArray, f0_hz: DoubleArray, sample_rate: int) -> FloatArray:
    """Band-limited pulse train of unit variance.

    sqrt(2/K) * sum_{k=1..K} cos(k*theta) with K = floor(sample_rate / (2*f0)) harmonics, by the
    Dirichlet kernel: the sum equals sin((K + 1/2) theta) / (2 sin(theta/2)) - 1/2.

    The phase is wrapped in float64; what follows is float32, which errs by 1e-5 where it errs most (the last
    harmonic of a low voice) in a signal of variance 1.

    Args:
        phase_cycles: Phase in cycles, any shape.
        f0_hz: F0 per sample, same shape.
        sample_rate: Hz.
    """
    n_harmonics = np.divide(0.5 * sample_rate, f0_hz, dtype=np.float64)
    n_harmonics = np.maximum(np.floor(n_harmonics, out=n_harmonics), 1.0, out=n_harmonics).astype(np.float32)
    wrapped = phase_cycles - np.rint(phase_cycles)  # [-1/2, 1/2]: exact next to a pulse
    half_theta = np.multiply(wrapped, np.pi, out=wrapped).astype(np.float32)
    highest = 2.0 * n_harmonics + 1.0
    total = np.sin(highest * half_theta)
    denominator = np.sin(half_theta, out=half_theta)
    at_pulse = denominator == 0.0  # the limit is 2 K + 1
    np.copyto(denominator, 1.0, where=at_pulse)
    np.copyto(total, highest, where=at_pulse)
    total /= denominator
    total -= 1.0
    total *= np.sqrt(0.5 / n_harmonics)
    return total


def harmonic_phase(
    f0_hz: DoubleArray, carry_cycles: DoubleArray, hop_length: int, sample_rate: int
) -> tuple[DoubleArray, DoubleArray]:
    """Phase of the NSF harmonics with F0 held for a whole frame (spec section 2.3).

    float32 increments are summed in float64, the sums are rounded to float32 and then wrapped, as
    the reference does; the carry stays unwrapped because wrapping it would change the rounding.

    Args:
        f0_hz: [n_frames].
        carry_cycles: [8] sums reached before these frames.
        hop_length: Samples per frame.
        sample_rate: Hz.

    Returns:
        phase in cycles [8, n_frames * hop_length] in [0, 1), the next carry [8].
    """
    harmonics = np.arange(1, NSF_HARMONICS + 1, dtype=np.float32)
    increments = f0_hz.astype(np.float32) * harmonics[:, None] / np.float32(sample_rate)
    steps = np.repeat(increments.astype(np.float64), hop_length, axis=1)
    sums = np.cumsum(np.concatenate([carry_cycles[:, None], steps], axis=1), axis=1)
    return np.mod(sums[:, 1:].astype(np.float32), np.float32(1.0)).astype(np.float64), sums[:, -1].copy()


def nsf_excitation(
    phase_cycles: DoubleArray, initial_phase: DoubleArray, noise: DoubleArray, voiced: DoubleArray
) -> FloatArray:
    """Sines where voiced, noise everywhere, louder where unvoiced (spec section 2.3).

    Args:
        phase_cycles: [8, n_samples].
        initial_phase: [8] radians, 0 for the fundamental.
        noise: [8, n_samples] of standard deviation 0.003.
        voiced: [n_samples], 0 or 1.

    Returns:
        [8, n_samples] float32, before the network's own mix to one channel.
    """
    sines = NSF_SINE_GAIN * np.sin(2.0 * np.pi * phase_cycles + initial_phase[:, None]) + noise
    hiss = (NSF_SINE_GAIN / 3.0 / NSF_NOISE_STD) * noise
    return (sines * voiced + hiss * (1.0 - voiced)).astype(np.float32)


class Excitation(Protocol):
    """Yields the excitation of consecutive frames of one segment."""

    def push(self, pitch: Pitch) -> FloatArray:
        """Excitation of the next frames: [channels, n_frames * hop_length] float32."""
        ...


class NoExcitation:
    """The excitation of a plain vocoder: no channels."""

    def __init__(self, hop_length: int) -> None:
        self._hop_length = hop_length

    def push(self, pitch: Pitch) -> FloatArray:
        """Return [0, n_frames * hop_length]."""
        return np.zeros((0, pitch.f0_hz.size * self._hop_length), np.float32)


class HarmonicNoiseExcitation:
    """Pulse train at F0 (channel 0) and white noise (channel 1), both of unit variance.

    Frame i yields sample positions [(i-1)*hop, i*hop): the excitation is one frame late, because
    F0 is interpolated towards frame i. U/V does not gate it; the vocoder's filters do.
    """

    def __init__(self, hop_length: int, sample_rate: int, seed: int) -> None:
        self._hop_length = hop_length
        self._sample_rate = sample_rate
        self._key = stream_key(seed, NOISE_STREAM)
        self._next_sample = -hop_length
        self._carry_cycles = 0.0
        self._previous_f0_hz: float | None = None

    def push(self, pitch: Pitch) -> FloatArray:
        """Return [2, n_frames * hop_length] float32."""
        previous = float(pitch.f0_hz[0]) if self._previous_f0_hz is None else self._previous_f0_hz
        phase, f0_hz, self._carry_cycles = interpolated_phase(
            pitch.f0_hz, previous, self._carry_cycles, self._hop_length, self._sample_rate
        )
        self._previous_f0_hz = float(pitch.f0_hz[-1])
        positions = np.arange(self._next_sample, self._next_sample + phase.size)
        self._next_sample += phase.size
        excitation = np.empty((2, phase.size), np.float32)
        excitation[0] = pulse_train(phase, f0_hz, self._sample_rate).ravel()
        excitation[1] = uniform_noise(self._key, positions)
        return excitation


class NsfExcitation:
    """Eight harmonics and noise, as the NSF generator of KAN-TTS wants them."""

    def __init__(self, hop_length: int, sample_rate: int, seed: int) -> None:
        self._hop_length = hop_length
        self._sample_rate = sample_rate
        self._keys = [stream_key(seed, NOISE_STREAM + harmonic) for harmonic in range(NSF_HARMONICS)]
        phase = uniform_noise(stream_key(seed, PHASE_STREAM), np.arange(NSF_HARMONICS)) * (
            np.pi / np.sqrt(3.0)
        )
        phase[0] = 0.0
        self._initial_phase = phase  # U(-pi, pi), the fundamental at 0
        self._carry_cycles = np.zeros(NSF_HARMONICS)
        self._next_sample = 0

    def push(self, pitch: Pitch) -> FloatArray:
        """Return [8, n_frames * hop_length] float32."""
        phase, self._carry_cycles = harmonic_phase(
            pitch.f0_hz, self._carry_cycles, self._hop_length, self._sample_rate
        )
        positions = np.arange(self._next_sample, self._next_sample + phase.shape[1])
        self._next_sample += phase.shape[1]
        noise = NSF_NOISE_STD * np.stack([normal_noise(key, positions) for key in self._keys])
        return nsf_excitation(phase, self._initial_phase, noise, np.repeat(pitch.voiced, self._hop_length))


def make_excitation(voice: SambertManifest, seed: int) -> Excitation:
    """Return a fresh excitation for one segment, of the kind that the voice's vocoder takes."""
    match voice.vocoder.kind:
        case "plain":
            return NoExcitation(voice.hop_length)
        case "harmonic_noise":
            return HarmonicNoiseExcitation(voice.hop_length, voice.sample_rate, seed)
        case "nsf":
            return NsfExcitation(voice.hop_length, voice.sample_rate, seed)
