"""Convolutions with weight normalisation under the names that HiFi-GAN checkpoints use.

Input, output   those of the torch convolution of the same name
State           `weight_g`, `weight_v` and `bias`; after `fuse()` one plain `weight` in place of the first two

w = g v / |v|, the norm over every axis but the first: per output channel, and per *input* channel of a
transposed convolution. torch's own parametrisation saves other names, and its predecessor is deprecated;
hence these few lines.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def split_weight(module: nn.Module) -> None:
    """Replace a fresh convolution's `weight` by direction and length, leaving the product as it is."""
    weight = module._parameters.pop("weight")
    assert weight is not None
    axes = tuple(range(1, weight.dim()))
    module.weight_g = nn.Parameter(torch.linalg.vector_norm(weight.detach(), dim=axes, keepdim=True))
    module.weight_v = nn.Parameter(weight.detach().clone())


class WeightNormed(nn.Module):
    """What the normalised convolutions share; mixed in before the torch class."""

    weight_g: Tensor
    weight_v: Tensor

    def normed_weight(self) -> Tensor:
        """The weight that the convolution applies."""
        fused = self._parameters.get("weight")
        if fused is not None:
            return fused
        return torch._weight_norm(self.weight_v, self.weight_g, 0)

    def fuse(self) -> None:
        """Store the product as a plain `weight`, for inference; idempotent."""
        if "weight" in self._parameters:
            return
        weight = self.normed_weight().detach()
        del self.weight_g, self.weight_v
        self.register_parameter("weight", nn.Parameter(weight))


class WeightNormConv1d(WeightNormed, nn.Conv1d):
    """`nn.Conv1d` with weight normalisation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, **options: int) -> None:
        nn.Conv1d.__init__(self, in_channels, out_channels, kernel_size, **options)  # type: ignore[arg-type]
        split_weight(self)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [B, C_in, T]."""
        return self._conv_forward(x, self.normed_weight(), self.bias)


class WeightNormConv2d(WeightNormed, nn.Conv2d):
    """`nn.Conv2d` with weight normalisation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> None:
        nn.Conv2d.__init__(self, in_channels, out_channels, kernel_size, stride, padding)
        split_weight(self)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [B, C_in, H, W]."""
        return self._conv_forward(x, self.normed_weight(), self.bias)


class WeightNormConvTranspose1d(WeightNormed, nn.ConvTranspose1d):
    """`nn.ConvTranspose1d` with weight normalisation; the norm is per input channel."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, crop: int = 0
    ) -> None:
        """`crop` columns are cut from both ends (torch calls it padding)."""
        nn.ConvTranspose1d.__init__(self, in_channels, out_channels, kernel_size, stride, crop)
        self.crop = crop
        split_weight(self)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Spread [B, C_in, T] to [B, C_out, (T - 1) stride + kernel - 2 crop].

        Raises:
            ValueError: `output_size` is given; crop the result instead.
        """
        if output_size is not None:
            raise ValueError("output_size is not supported")
        return F.conv_transpose1d(x, self.normed_weight(), self.bias, self.stride, self.crop)


def fuse_weight_norm(network: nn.Module) -> None:
    """Fuse every normalised convolution inside `network`, in place."""
    for module in network.modules():
        if isinstance(module, WeightNormed):
            module.fuse()
