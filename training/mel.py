"""Mel spectrogram, F0 and energy of KAN-TTS (sambert-hifigan spec section 4.2).

Input   audio [n_samples] float32 in [-1, 1]
Output  per frame (centred at t * hop_length): mel in [0, 1] before normalisation, F0, voicing, energy
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass

import librosa
import numpy as np
from scipy.signal import get_window

from streaming.types import FloatArray
from training.settings import AudioSettings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pyworld imports the deprecated pkg_resources
    import pyworld

_SMOOTHING = np.array([0.25, 0.5, 0.25])


@dataclass(frozen=True, slots=True)
class FrameFeatures:
    """Features of one utterance, T = 1 + n_samples // hop_length frames.

    Attributes:
        mel: [T, n_mels] float32, (dB + 100) / 100 clipped to [0, 1]; not yet mean/std normalised.
        f0_hz: [T] float32, continuous (interpolated through unvoiced frames).
        voiced: [T] float32, 0 to 1, smoothed.
        energy: [T] float32, root of the summed squared magnitudes.
    """

    mel: FloatArray
    f0_hz: FloatArray
    voiced: FloatArray
    energy: FloatArray


@functools.cache
def mel_filters(settings: AudioSettings) -> FloatArray:
    """Slaney mel filters, [n_mels, n_fft // 2 + 1] float32."""
    filters = librosa.filters.mel(
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        n_mels=settings.n_mels,
        fmin=settings.fmin,
        fmax=settings.fmax,
    )
    return np.asarray(filters, np.float32)


def magnitude_spectrogram(audio: FloatArray, settings: AudioSettings) -> FloatArray:
    """STFT magnitudes [T, n_fft // 2 + 1]: periodic Hann, centred, zero padded."""
    window = np.zeros(settings.n_fft, np.float32)
    left = (settings.n_fft - settings.win_length) // 2
    window[left : left + settings.win_length] = get_window("hann", settings.win_length, fftbins=True)
    padded = np.pad(audio, settings.n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, settings.n_fft)[:: settings.hop_length]
    return np.abs(np.fft.rfft(frames * window, axis=1)).astype(np.float32)


def mel_from_magnitude(magnitude: FloatArray, settings: AudioSettings) -> FloatArray:
    """Mel in [0, 1]: dB = 20 log10(max(1e-5, mel)) - 20, then clip((dB + 100) / 100)."""
    mel = magnitude @ mel_filters(settings).T
    decibel = 20.0 * np.log10(np.maximum(1e-5, mel)) - 20.0
    return np.clip((decibel + 100.0) / 100.0, 0.0, 1.0).astype(np.float32)


def smooth(values: np.ndarray) -> np.ndarray:
    """Smooth with the window [.25, .5, .25], edges repeated."""
    return np.convolve(np.pad(values, 1, mode="edge"), _SMOOTHING, mode="valid")


def dio_f0(audio: FloatArray, settings: AudioSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return F0 in Hz by DIO, 0 where unvoiced, and the frames' times in seconds (Morise et al. 2009)."""
    f0, times = pyworld.dio(
        audio.astype(np.float64),
        settings.sample_rate,
        f0_floor=settings.f0_floor_hz,
        f0_ceil=settings.f0_ceil_hz,
        frame_period=1000.0 * settings.hop_length / settings.sample_rate,
    )
    return np.asarray(f0), np.asarray(times)


def f0_contour(audio: FloatArray, n_frames: int, settings: AudioSettings) -> tuple[FloatArray, FloatArray]:
    """Return continuous F0 in Hz and smoothed voicing, [n_frames] each (DIO refined by StoneMask)."""
    rough, times = dio_f0(audio, settings)
    f0 = pyworld.stonemask(audio.astype(np.float64), rough, times, settings.sample_rate)[:n_frames]
    f0 = np.pad(f0, (0, n_frames - len(f0)))
    voiced = f0 > 0
    if not voiced.any():
        return np.full(n_frames, settings.f0_floor_hz, np.float32), np.zeros(n_frames, np.float32)
    positions = np.arange(n_frames)
    log_f0 = np.interp(positions, positions[voiced], np.log(f0[voiced]))
    return np.exp(smooth(log_f0)).astype(np.float32), smooth(voiced.astype(np.float64)).astype(np.float32)


def extract(audio: FloatArray, settings: AudioSettings) -> FrameFeatures:
    """Compute all frame features of one utterance."""
    magnitude = magnitude_spectrogram(audio, settings)
    f0_hz, voiced = f0_contour(audio, len(magnitude), settings)
    energy = np.sqrt((magnitude.astype(np.float64) ** 2).sum(axis=1)).astype(np.float32)
    return FrameFeatures(
        mel_from_magnitude(magnitude, settings), f0_hz, (voiced > 0.5).astype(np.float32), energy
    )
