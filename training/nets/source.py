"""The learned harmonic-plus-noise source of the embedded vocoder.

Input   mel [B, T, n_mels] (normalised), f0 [B, T, 2] (log F0 in Hz, U/V), excitation [B, 2, T * hop]
Output  audio [B, T * hop], late by `LOOKAHEAD_FRAMES` frames
State   none here; the streaming form carries conv contexts, one excitation block and three tails

A pulse train at F0 and white noise are cut into Hann windows of two frames. Each window is filtered
by a magnitude response per frame that a small causal conv net predicts (after the harmonic-plus-noise
model of Serra and Smith 1990, in the differentiable form of DDSP, Engel et al. 2020), and overlap-added.
All DFTs are multiplications with constant matrices: the lengths are no powers of two, and every runtime
has a fast matrix product.

Timeline, hop H, when frame p arrives: excitation of positions [(p-1)H, pH) arrives with it; window p
covers [(p-2)H, pH), centred on frame p-1; its filtered form covers [(p-3)H, (p+1)H); the block
[(p-3)H, (p-2)H) is then final and leaves.
"""

from __future__ import annotations

import functools
import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.nets.module_list import ModuleListOf
from training.nets.onnx_shape import reshape

LOOKAHEAD_FRAMES = 3
WINDOWS_PER_BLOCK = 4
LEAKY_SLOPE = 0.1
DISPERSION_SAMPLES = 24.0  # 1.5 ms at 16 kHz: peaks fall by a quarter; twice as much begins to blur F0
LIMIT_KNEE = 0.85


def dispersion_phase(n_fft: int, dispersion_samples: float) -> Tensor:
    """Phase of an all-pass dispersion per frequency [n_fft / 2 + 1], float64 radians.

    Zero-phase pulses put all their energy into one sample: such speech peaks a third higher than the
    teacher's at the same loudness. Low frequencies are therefore delayed by up to `dispersion_samples`, and
    high ones advanced, along a logarithmic curve. Magnitudes stay as they are.
    """
    n_freqs = n_fft // 2 + 1
    freq = torch.arange(n_freqs, dtype=torch.float64)
    delay = 1.0 - 2.0 * torch.log1p(40.0 * freq / (n_freqs - 1)) / math.log(41.0)
    phase = (dispersion_samples * delay * 2.0 * math.pi / n_fft).cumsum(0)
    return phase - phase[0]


def _synthesis(n_fft: int, dispersion_samples: float) -> Tensor:
    """Inverse DFT matrix [2 * n_freqs, n_fft] with the dispersion in it."""
    n_freqs = n_fft // 2 + 1
    freq = torch.arange(n_freqs, dtype=torch.float64)
    phase = dispersion_phase(n_fft, dispersion_samples)[:, None]
    cos, sin = phase.cos(), phase.sin()
    scale = torch.full((n_freqs, 1), 2.0 / n_fft, dtype=torch.float64)
    scale[0] = scale[-1] = 1.0 / n_fft
    angle = 2.0 * math.pi * torch.outer(freq, torch.arange(n_fft, dtype=torch.float64)) / n_fft
    real, imaginary = angle.cos() * scale, -angle.sin() * scale
    return torch.cat([cos * real - sin * imaginary, sin * real + cos * imaginary])


def soft_limit(audio: Tensor) -> Tensor:
    """Bend what exceeds `LIMIT_KNEE` towards 1, sample by sample, so that streaming stays exact."""
    excess = (audio.abs() - LIMIT_KNEE).clamp(min=0.0)
    room = 1.0 - LIMIT_KNEE
    return audio.clamp(-LIMIT_KNEE, LIMIT_KNEE) + audio.sign() * room * torch.tanh(excess / room)


class SpectralShaper(nn.Module):
    """Filter windowed excitation by magnitude responses, with constant DFT matrices."""

    analysis: Tensor
    resample_response: Tensor
    synthesis: Tensor

    def __init__(self, hop_length: int, n_bins: int, dispersion_samples: float = DISPERSION_SAMPLES) -> None:
        super().__init__()
        self.hop_length, self.dispersion_samples = hop_length, dispersion_samples
        taps = 2 * (n_bins - 1)
        n_fft = WINDOWS_PER_BLOCK * hop_length
        if taps > 2 * hop_length:
            raise ValueError(f"{taps} filter taps do not fit a hop length of {hop_length}")
        n_freqs = n_fft // 2 + 1
        window = torch.hann_window(2 * hop_length, periodic=True, dtype=torch.float64)
        time = torch.arange(2 * hop_length, dtype=torch.float64) + hop_length
        freq = torch.arange(n_freqs, dtype=torch.float64)
        angle = 2.0 * math.pi * torch.outer(time, freq) / n_fft
        analysis = torch.cat([angle.cos(), -angle.sin()], 1) * window[:, None]
        self.register_buffer("analysis", analysis.float(), persistent=False)
        # Response on n_bins -> impulse response (Hann windowed, to stay short) -> response on n_freqs.
        tap = torch.arange(taps, dtype=torch.float64) - taps // 2
        bins = torch.arange(n_bins, dtype=torch.float64)
        weight = torch.full((n_bins,), 2.0, dtype=torch.float64)
        weight[0] = weight[-1] = 1.0
        impulse = (2.0 * math.pi * torch.outer(bins, tap) / taps).cos() * weight[:, None] / taps
        impulse = impulse * torch.hann_window(taps, periodic=True, dtype=torch.float64)
        response = impulse @ (2.0 * math.pi * torch.outer(tap, freq) / n_fft).cos()
        self.register_buffer("resample_response", response.float(), persistent=False)
        self.register_buffer("synthesis", _synthesis(n_fft, dispersion_samples).float(), persistent=False)

    def forward(self, windows: Tensor, responses: Tensor) -> Tensor:
        """Filter and sum the sources.

        Args:
            windows: [B, S, T, 2 * hop] raw (unwindowed) excitation of S sources.
            responses: [B, S, T, n_bins] magnitudes.

        Returns:
            [B, T, 4 * hop]
        """
        spectrum = windows @ self.analysis
        response = responses @ self.resample_response
        shaped = (spectrum * torch.cat([response, response], -1)).sum(1)
        return shaped @ self.synthesis


class SourceNet(nn.Module):
    """Causal conv net: mel, log F0 and U/V to the log magnitudes of two filters per frame."""

    def __init__(self, n_mels: int, channels: int, kernel_size: int, n_layers: int, n_bins: int) -> None:
        super().__init__()
        widths = [n_mels + 2, *([channels] * n_layers)]
        self.convs = ModuleListOf(nn.Conv1d(a, b, kernel_size) for a, b in pairwise(widths))
        self.out = nn.Conv1d(channels, 2 * n_bins, 1)
        assert self.out.bias is not None
        self.context = kernel_size - 1
        self.n_bins = n_bins
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.constant_(self.out.bias, -3.0)

    def condition(self, mel: Tensor, f0: Tensor) -> Tensor:
        """Join the inputs, [B, n_mels + 2, T]; log F0 is centred so that it is of order one."""
        return torch.cat([mel, f0[..., :1] - 5.3, f0[..., 1:]], -1).transpose(1, 2)

    def forward(self, mel: Tensor, f0: Tensor) -> Tensor:
        """Return magnitudes [B, 2, T, n_bins]."""
        x = self.condition(mel, f0)
        for index, conv in enumerate(self.convs):
            y = F.leaky_relu(conv(F.pad(x, (self.context, 0))), LEAKY_SLOPE)
            x = y if index == 0 else x + y
        return self.magnitudes(self.out(x))

    def magnitudes(self, log_magnitudes: Tensor) -> Tensor:
        """Turn the last layer [B, 2 * n_bins, T] into magnitudes [B, 2, T, n_bins]."""
        return reshape(log_magnitudes, 0, 2, self.n_bins, -1).transpose(2, 3).clamp(max=4.0).exp()


class HarmonicNoiseSource(nn.Module):
    """Source signal of the embedded vocoder, whole-utterance form."""

    def __init__(
        self, n_mels: int, hop_length: int, channels: int, kernel_size: int, n_layers: int, n_bins: int
    ) -> None:
        super().__init__()
        self.net = SourceNet(n_mels, channels, kernel_size, n_layers, n_bins)
        self.shaper = SpectralShaper(hop_length, n_bins)
        self.hop_length = hop_length

    def forward(self, mel: Tensor, f0: Tensor, excitation: Tensor) -> Tensor:
        """Return audio [B, T * hop], `LOOKAHEAD_FRAMES` frames late; everything before frame 0 is zero."""
        windows = excitation_windows(excitation, self.hop_length)
        voiced = F.pad(f0[..., 1], (1, 0))[:, :-1]
        filtered = self.shaper(windows, gate_pulses(self.net(mel, f0), voiced))
        return overlap_add(filtered, self.hop_length)


def gate_pulses(magnitudes: Tensor, voiced: Tensor) -> Tensor:
    """Silence the pulse train's filter where the frame that a window is centred on is unvoiced.

    The spectral losses hardly see a faint buzz below the noise of a consonant; a listener and a pitch tracker
    do.

    Args:
        magnitudes: [B, 2, T, n_bins].
        voiced: [B, T], of the frame before each.
    """
    return torch.cat([magnitudes[:, :1] * voiced[:, None, :, None], magnitudes[:, 1:]], 1)


def excitation_windows(excitation: Tensor, hop_length: int) -> Tensor:
    """Cut [B, S, T * hop] into windows of the previous and the present block, [B, S, T, 2 * hop]."""
    batch, n_sources, length = excitation.shape
    blocks = excitation.reshape(batch, n_sources, length // hop_length, hop_length)
    previous = F.pad(blocks, (0, 0, 1, 0))[:, :, :-1]
    return torch.cat([previous, blocks], -1)


def overlap_add(filtered: Tensor, hop_length: int) -> Tensor:
    """Add the four overlapping quarters of [B, T, 4 * hop] into [B, T * hop]."""
    batch, n_frames, _ = filtered.shape
    quarters = filtered.reshape(batch, n_frames, WINDOWS_PER_BLOCK, hop_length)
    shifted = [
        F.pad(quarters[:, : n_frames - k, k], (0, 0, k, 0)) for k in range(min(WINDOWS_PER_BLOCK, n_frames))
    ]
    return functools.reduce(torch.add, shifted).reshape(batch, n_frames * hop_length)


def harmonic_noise_excitation(
    f0_hz: Tensor, hop_length: int, sample_rate: int, phase: Tensor, noise: Tensor
) -> Tensor:
    """Torch twin of the serving side's excitation (streaming/synthesis/excitation.py).

    Args:
        f0_hz: [B, T].
        hop_length: Samples per frame.
        sample_rate: In Hz.
        phase: [B] initial phase in cycles.
        noise: [B, T * hop] unit-variance white noise.

    Returns:
        [B, 2, T * hop]: band-limited pulse train and noise.
    """
    previous = torch.cat([f0_hz[:, :1], f0_hz[:, :-1]], 1)
    ramp = torch.arange(1, hop_length + 1, dtype=torch.float64) / hop_length
    f0 = (previous[..., None] + (f0_hz - previous)[..., None] * ramp).reshape(len(f0_hz), -1)
    cycles = phase[:, None] + (f0 / sample_rate).cumsum(1)
    theta = 2.0 * math.pi * (cycles - cycles.floor())
    n_harmonics = (0.5 * sample_rate / f0).floor().clamp(min=1.0)
    half = (0.5 * theta).sin()
    near_zero = half.abs() < 1e-6
    ratio = ((n_harmonics + 0.5) * theta).sin() / (
        2.0 * torch.where(near_zero, torch.ones_like(half), half)
    ) - 0.5
    pulses = torch.where(near_zero, n_harmonics, ratio) * (2.0 / n_harmonics).sqrt()
    return torch.stack([pulses.float(), noise], 1)
