"""Spectral distances between waveforms: multi-resolution STFT and log-mel, as losses and as measures.

Input   audio [B, n_samples] in [-1, 1], generated and real
Output  scalars
State   constant windows and filters
"""

from __future__ import annotations

import librosa
import torch
from torch import Tensor, nn

_FLOOR = 1e-5


class LogMel(nn.Module):
    """Log-mel spectrogram, natural logarithm floored at 1e-5, [B, T, n_mels]."""

    filters: Tensor
    window: Tensor

    def __init__(
        self,
        sample_rate: int,
        n_fft: int = 1024,
        hop_length: int = 200,
        win_length: int = 1000,
        n_mels: int = 80,
    ) -> None:
        super().__init__()
        self.n_fft, self.hop_length, self.win_length = n_fft, hop_length, win_length
        filters = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels)
        self.register_buffer("filters", torch.from_numpy(filters).float().T.contiguous(), persistent=False)
        self.register_buffer("window", torch.hann_window(win_length), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Return the log-mel spectrogram of audio [B, n_samples]."""
        magnitude = stft_magnitude(audio, self.n_fft, self.hop_length, self.window)
        return (magnitude @ self.filters).clamp(min=_FLOOR).log()


class MultiResolutionStft(nn.Module):
    """Spectral convergence plus log-magnitude L1, averaged over resolutions (Yamamoto et al. 2020)."""

    def __init__(
        self, resolutions: tuple[tuple[int, int], ...] = ((512, 100), (1024, 200), (2048, 400))
    ) -> None:
        super().__init__()
        self.resolutions = resolutions
        for n_fft, _ in resolutions:
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def forward(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the distance of two batches of audio [B, n_samples]."""
        total = generated.new_zeros(())
        for n_fft, hop_length in self.resolutions:
            window = getattr(self, f"window_{n_fft}")
            x = stft_magnitude(generated, n_fft, hop_length, window)
            y = stft_magnitude(real, n_fft, hop_length, window)
            convergence = (y - x).norm() / y.norm().clamp(min=_FLOOR)
            total = total + convergence + (x.clamp(min=_FLOOR).log() - y.clamp(min=_FLOOR).log()).abs().mean()
        return total / len(self.resolutions)


def stft_magnitude(audio: Tensor, n_fft: int, hop_length: int, window: Tensor) -> Tensor:
    """Magnitudes [B, T, n_fft // 2 + 1]; the square root is kept away from zero, where its slope has no bound."""
    spectrum = torch.stft(
        audio,
        n_fft,
        hop_length,
        window.numel(),
        window,
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.real**2 + spectrum.imag**2
    return power.clamp(min=1e-10).sqrt().transpose(1, 2)
