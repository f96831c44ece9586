"""One level of the Daubechies-3 wavelet transform, as a layer.

Input   [B, 1, T]
Output  low and high band stacked, [B, 2, (T + 5) // 2]
State   the two filters, constant

Zero extension at the borders; same numbers as PyWavelets' `dwt(x, "db3", mode="zero")`. The multi-scale
discriminator uses it in place of average pooling, so that no information is lost between scales.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Daubechies, "Ten Lectures on Wavelets" (1992), table 6.1, N = 3: the scaling coefficients.
SCALING = (
    0.3326705529509569,
    0.8068915093133388,
    0.4598775021193313,
    -0.13501102001039084,
    -0.08544127388224149,
    0.035226291882100656,
)


class WaveletDown(nn.Module):
    """Halves the rate into a low and a high band; buffers are named as in KAN-TTS checkpoints."""

    h0: Tensor
    h1: Tensor

    def __init__(self) -> None:
        super().__init__()
        low = torch.tensor(SCALING)
        signs = torch.tensor([1.0, -1.0] * (len(SCALING) // 2))
        # Stored for correlation, which is what a convolution layer computes: analysis filters reversed.
        self.register_buffer("h0", low.reshape(1, 1, -1))
        self.register_buffer("h1", (low.flip(0) * signs).reshape(1, 1, -1))

    def forward(self, x: Tensor) -> Tensor:
        """Split [B, 1, T] into [B, 2, (T + 5) // 2]."""
        size = len(SCALING)
        n_out = (x.size(2) + size - 1) // 2
        left = size - 2
        right = 2 * (n_out - 1) + size - x.size(2) - left
        return F.conv1d(F.pad(x, (left, right)), torch.cat([self.h0, self.h1]), stride=2)
