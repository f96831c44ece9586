"""The learned source's spectral shaping, with its DFTs folded to a quarter of their products.

Input   windows of raw excitation [B, S, T, 2 hop]; magnitude responses [B, S, T, n_bins]
Output  the filtered windows as four quarters [B, T, hop + 1] in order of time: samples 0 ... hop of the first
        and third quarter; of the others, backwards, the sample after the end and then all of theirs
State   constant matrices

Computes what `source.SpectralShaper` computes, in the form that is exported. With n = 4 hop and time 0 at the
centre of a window, which only turns the sign of odd frequencies:

analysis    A cosine transform sees the even part of a window alone, a sine transform the odd one. Of both,
            the sums over even and over odd samples give frequency k when added, n/2 - k when subtracted.
synthesis   Sums over even and over odd frequencies give, added and subtracted, samples m and n/2 - m;
            cosines and sines, added and subtracted, those and n - m, n/2 + m.

So one transform of 2 hop samples becomes four of hop / 2. Frequencies are kept in the order that this
yields: by parity, and in each half first 0 ... n/4, then n/2 ... n/4. The one in the middle stands there
twice and counts half.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from training.nets.source import SpectralShaper, dispersion_phase

Quarters = tuple[Tensor, Tensor, Tensor, Tensor]


class FoldedShaper(nn.Module):
    """A `SpectralShaper` for inference; its hop length must be a multiple of 4."""

    resample_response: Tensor
    turn: Tensor
    turn_crossed: Tensor

    def __init__(self, shaper: SpectralShaper) -> None:
        """Take the sizes and constants of the shaper.

        Raises:
            ValueError: The hop length is not a multiple of 4.
        """
        super().__init__()
        self.hop_length = hop = shaper.hop_length
        if hop % 4:
            raise ValueError(f"hop length: found {hop}; allowed are multiples of 4")
        # Even and odd frequencies up to n/4; the odd ones are one fewer: the last of theirs counts nothing.
        low = torch.stack([torch.arange(0, hop + 1, 2), torch.arange(1, hop + 2, 2)])
        freq = torch.cat([low, 2 * hop - low], 1)  # [2, hop + 2]
        # One matrix each: a runtime prepares constant matrices while loading, stacks of them at every call.
        self.analysis = nn.ParameterList(_frozen(part) for part in _analysis(hop, low))
        self.synthesis = nn.ParameterList(_frozen(part) for part in _synthesis(hop, freq))
        self.register_buffer("resample_response", shaper.resample_response[:, freq.flatten()].contiguous())
        phase = dispersion_phase(4 * hop, shaper.dispersion_samples)[freq.flatten()]
        cos, sin = phase.cos().float(), phase.sin().float()
        # Beyond n/4 what `forward` takes for the imaginary part is its negative.
        sign = torch.where(freq.flatten() > hop, -1.0, 1.0)
        sign[hop // 2 + 1 : hop + 2] = -1.0  # the second copy of n/4, too
        self.register_buffer("turn", torch.stack([cos, -cos * sign])[:, None, None])
        self.register_buffer("turn_crossed", torch.stack([sin * sign, sin])[:, None, None])

    def forward(self, windows: Tensor, responses: Tensor, voiced: Tensor) -> Quarters:
        """Filter and sum the sources, of which the first is silent where `voiced` [B, T, 1] is 0."""
        hop, half = self.hop_length, self.hop_length // 2 + 1
        after = windows[..., hop:]  # m = 0 ... hop - 1, and -m
        before = torch.flip(windows[..., 1 : hop + 1], [-1])
        even, odd = after + before, after - before
        cosines, sines = self.analysis[:2], self.analysis[2:]
        of_even = torch.stack([even[..., ::2] @ cosines[0], odd[..., ::2] @ sines[0]])
        of_odd = torch.stack([even[..., 1::2] @ cosines[1], odd[..., 1::2] @ sines[1]])
        low, high = ((of_even + of_odd).split(half, -1), (of_even - of_odd).split(half, -1))
        spectrum = torch.cat([low[0], high[0], low[1], high[1]], -1)  # [part, B, S, T, 2 (hop + 2)]
        pulses, noise = (spectrum * (responses @ self.resample_response)).unbind(2)
        total = pulses * voiced + noise
        turned = total * self.turn + total.flip(0) * self.turn_crossed
        (even_cos, odd_cos), (even_sin, odd_sin) = (part.split(2 * half, -1) for part in turned.unbind(0))
        cosines, sines = self.synthesis[:2], self.synthesis[2:]
        even_cos, odd_cos = even_cos @ cosines[0], odd_cos @ cosines[1]
        even_sin, odd_sin = even_sin @ sines[0], odd_sin @ sines[1]
        outer = even_cos + odd_cos, even_sin + odd_sin
        inner = even_cos - odd_cos, even_sin - odd_sin
        return outer[0] + outer[1], inner[0] - inner[1], inner[0] + inner[1], outer[0] - outer[1]


def _frozen(matrix: Tensor) -> nn.Parameter:
    return nn.Parameter(matrix.float().contiguous(), requires_grad=False)


def _analysis(hop: int, low: Tensor) -> Tensor:
    """[cosines of even samples, of odd ones, sines of even ones, of odd ones][hop / 2, hop + 2], windowed."""
    offset = torch.arange(hop, dtype=torch.float64)
    window = torch.hann_window(2 * hop, periodic=True, dtype=torch.float64)[hop:]
    window[0] *= 0.5  # the centre is added to itself
    angle = 2.0 * math.pi * torch.outer(offset, low.flatten()) / (4 * hop)
    sign = (1.0 - 2.0 * (low.flatten() % 2)) * (low.flatten() <= hop)
    cos, sin = angle.cos() * window[:, None] * sign, -angle.sin() * window[:, None] * sign
    return torch.stack([cos[::2], cos[1::2], sin[::2], sin[1::2]])


def _synthesis(hop: int, freq: Tensor) -> Tensor:
    """[cosines of even frequencies, of odd ones, sines of even ones, of odd ones][hop + 2, hop + 1]."""
    n_fft = 4 * hop
    scale = torch.full(freq.shape, 2.0 / n_fft, dtype=torch.float64)
    scale[(freq == 0) | (freq == 2 * hop) | (freq == hop)] *= 0.5
    scale[1, hop // 2] = scale[1, -1] = 0.0
    angle = 2.0 * math.pi * freq[..., None] * torch.arange(hop + 1, dtype=torch.float64) / n_fft
    return torch.cat([angle.cos(), angle.sin()]) * torch.cat([scale, scale])[..., None]
