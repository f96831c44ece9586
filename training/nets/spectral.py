"""Log-mel spectrogram of the embedded vocoder's training and of the copy-synthesis measure.

Input   audio [B, n_samples] in [-1, 1]
Output  log-mel [B, T, n_mels]: natural logarithm, floored at 1e-5
State   constant window and filters
"""

from __future__ import annotations

import librosa
import torch
from torch import Tensor, nn

from training.nets.losses import stft_magnitude

MEL_FLOOR = 1e-5


class LogMel(nn.Module):
    """Log-mel spectrogram with the sizes of the measure (n_fft 1024, hop 200, window 1000, 80 mels)."""

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
        self.n_fft, self.hop_length = n_fft, hop_length
        filters = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels)
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(win_length), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Return the log-mel spectrogram of audio [B, n_samples]."""
        magnitude = stft_magnitude(audio, self.n_fft, self.hop_length, self.window)
        return (self.filters @ magnitude).clamp(min=MEL_FLOOR).log().transpose(1, 2)
