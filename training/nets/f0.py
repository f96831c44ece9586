"""The last two rows of an NSF acoustic model's frames: normalised F0 and U/V, made ready for the vocoder.

Input   PostNet frames [B, T, n_mels + 2]
Output  vocoder input [B, T, n_mels + 2]: mel unchanged, F0 in hertz, U/V 0 or 1
State   none

Spec section 1.6. Offset and scale are mean and standard deviation (`mean_std`) or minimum and range
(`global`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

F0_FLOOR_HZ = 30.0
UV_THRESHOLD = 0.6


@dataclass(frozen=True, slots=True)
class F0Normalisation:
    """f0_hz = normalised * scale_hz + offset_hz."""

    offset_hz: float
    scale_hz: float

    def vocoder_input(self, frames: Tensor) -> Tensor:
        """De-normalise F0 (at least 30 Hz, voiced or not) and binarise U/V of frames [B, T, n_mels + 2]."""
        f0 = (frames[..., -2:-1] * self.scale_hz + self.offset_hz).clamp(min=F0_FLOOR_HZ)
        voiced = (frames[..., -1:] >= UV_THRESHOLD).to(frames)
        return torch.cat([frames[..., :-2], f0, voiced], dim=-1)
