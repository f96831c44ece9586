"""Convolution, delay and upsampling as functions of one block, for streaming_vocoder.py.

Input   a block [B, C, 1, T]; the reader of the packed state; the edges, where the operation looks ahead
Output  a block [B, C', 1, T']
State   per operation the last columns of its input

An operation with symmetric padding looks ahead, so its output lags by `lag` columns. The edges make that
exact, layer by layer, without a column that is computed in vain:

    first block   the lag is cut from the zero state: the left padding remains, output starts at column 0
    between       T columns in, T columns out
    last block    the right padding is appended: the columns still inside come out, up to the true end

A causal operation has a lag of 0 and never looks at the edges. Knows no generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.nets.hifigan import CroppedConvTranspose1d, PaddedConv1d
from training.nets.packed_state import StateLayout, StateReader
from training.nets.weight_norm import WeightNormConv1d

OPEN_END = 1 << 30  # beyond the end of any block; int32, because some runtimes know no wider index


@dataclass(frozen=True, slots=True)
class Edges:
    """Whether a block is the first and the last of its utterance: int64 scalars, 0 or 1.

    They stay tensors, so that a traced graph decides per call.
    """

    first: Tensor
    last: Tensor

    @classmethod
    def of(cls, flags: Tensor) -> Self:
        """Unpack int64 [2]."""
        return cls(flags[0], flags[1])

    def start(self, n_columns: int) -> Tensor:
        """Where a slice starts that lacks `n_columns` columns in the first block only."""
        return self.first * n_columns

    def end(self, n_columns: int) -> Tensor:
        """Where a slice ends that lacks `n_columns` columns in all blocks but the last."""
        return self.last * OPEN_END - n_columns


class StreamingConv(nn.Module):
    """Convolution whose zero padding on the left is replaced by the previous block's last columns.

    Weight [C_out, C_in, k]; a stride s expects blocks of a multiple of s columns.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        layout: StateLayout,
        *,
        dilation: int = 1,
        stride: int = 1,
        padding: tuple[int, int] | None = None,
    ) -> None:
        """Copy the weights; `padding` is the (left, right) of the whole-utterance form, None for causal."""
        super().__init__()
        self.register_buffer("weight", weight.detach().unsqueeze(2).clone())
        self.register_buffer("bias", bias.detach().clone())
        self.dilation, self.stride = dilation, stride
        left, self.ahead = padding or ((weight.size(2) - 1) * dilation, 0)
        self.lag = -(-self.ahead // stride)  # in columns of the output
        self.context = left + self.lag * stride
        layout.reserve(weight.size(1), 1, self.context)

    def forward(self, x: Tensor, state: StateReader, edges: Edges | None = None) -> Tensor:
        """Map [B, C_in, 1, T] to [B, C_out, 1, T / stride], the lag less at the start, more at the end."""
        before = state.take()
        if before is not None:
            x = torch.cat([before, x], dim=3) if edges is None else self._joined(before, x, edges)
            state.give(x[..., -self.context :])
        return F.conv2d(x, self.weight, self.bias, stride=(1, self.stride), dilation=(1, self.dilation))

    def _joined(self, before: Tensor, x: Tensor, edges: Edges) -> Tensor:
        if not self.lag:
            return torch.cat([before, x], dim=3)
        kept = before[..., edges.start(self.lag * self.stride) :]
        # Zeros shaped like a piece of the state: no batch size and no constant enters a traced graph.
        after = torch.zeros_like(before[..., : edges.last * self.ahead])
        return torch.cat([kept, x, after], dim=3)


def streaming_conv(padded: PaddedConv1d, layout: StateLayout) -> StreamingConv:
    """The streaming form of one of the generator's convolutions."""
    conv = padded.conv1d
    weight = conv.normed_weight()
    return StreamingConv(weight, bias_of(conv), layout, dilation=conv.dilation[0], padding=padded.padding)


class Delay(nn.Module):
    """Holds columns back, so that a branch without look-ahead meets one that looks ahead."""

    def __init__(self, n_channels: int, n_columns: int, layout: StateLayout) -> None:
        """Reserve room for `n_columns` columns; a delay of 0 hands its input on.

        Raises:
            ValueError: The delay is negative: its branch lags more than the one it should meet.
        """
        super().__init__()
        if n_columns < 0:
            raise ValueError(f"a delay of {n_columns} columns is impossible; allowed are 0 and more")
        self.lag = n_columns
        if n_columns:
            layout.reserve(n_channels, 1, n_columns)

    def forward(self, x: Tensor, state: StateReader, edges: Edges | None = None) -> Tensor:
        """Map [B, C, 1, T] to as many columns, the lag less at the start, more at the end."""
        if not self.lag:
            return x
        before = state.take()
        assert before is not None
        assert edges is not None
        joined = torch.cat([before, x], dim=3)
        state.give(joined[..., -self.lag :])
        return joined[..., edges.start(self.lag) : edges.end(self.lag)]


def merge_upsampling(
    transpose: Tensor, repeat: Tensor, scale: int, *, left: int | None = None, crop: int = 0
) -> tuple[Tensor, int]:
    """One low-rate kernel for both upsampling branches (exact algebra).

    Output column n = j * scale + phase. The repeat branch takes tap kappa from input column
    j + floor((phase - left + kappa) / scale), the transposed one takes tap phase + crop - offset * scale
    from column j + offset.

    Args:
        transpose: Weight of the transposed convolution [C_in, C_out, K].
        repeat: Weight of the convolution after nearest-neighbour repetition [C_out, C_in, k].
        scale: Columns out per column in.
        left: Zeros before the repeated columns; None is k - 1 (causal).
        crop: Columns cut from both ends of the transposed convolution's output; 0 is causal.

    Returns:
        [C_out * scale, C_in, taps], channel c * scale + phase, and how many of the taps are on columns after
        column j.
    """
    n_out, n_in, size = repeat.shape
    left = size - 1 if left is None else left
    behind = max(-(-left // scale), (transpose.size(2) - 1 - crop) // scale)
    ahead = max((scale - 1 - left + size - 1) // scale, (scale - 1 + crop) // scale)
    merged = repeat.new_zeros(n_out, scale, n_in, behind + 1 + ahead)
    for phase in range(scale):
        for tap in range(size):
            merged[:, phase, :, behind + (phase - left + tap) // scale] += repeat[:, :, tap]
        for offset in range(-behind, ahead + 1):
            tap = phase + crop - offset * scale
            if 0 <= tap < transpose.size(2):
                merged[:, phase, :, behind + offset] += transpose[:, :, tap].T
    return merged.reshape(n_out * scale, n_in, -1), ahead


class StreamingUpsample(nn.Module):
    """Both upsampling branches of a stage: one low-rate convolution, then depth to space."""

    def __init__(self, transpose: CroppedConvTranspose1d, repeat: PaddedConv1d, layout: StateLayout) -> None:
        super().__init__()
        self.scale = transpose.stride
        weight, ahead = merge_upsampling(
            transpose.deconv.normed_weight(),
            repeat.conv1d.normed_weight(),
            self.scale,
            left=repeat.padding[0],
            crop=transpose.deconv.crop,
        )
        bias = bias_of(transpose.deconv) + bias_of(repeat.conv1d)
        padding = (weight.size(2) - 1 - ahead, ahead)
        self.conv = StreamingConv(weight, bias.repeat_interleave(self.scale), layout, padding=padding)
        self.lag = self.conv.lag * self.scale  # in columns of the output

    def forward(self, x: Tensor, state: StateReader, edges: Edges | None = None) -> Tensor:
        """Map [B, C_in, 1, T] to [B, C_out, 1, T * scale], the lag less at the start, more at the end."""
        return depth_to_space(self.conv(x, state, edges), self.scale)


def depth_to_space(x: Tensor, scale: int) -> Tensor:
    """[B, C * scale, 1, T], channel c * scale + phase, to [B, C, 1, T * scale], column t * scale + phase."""
    n_channels = x.size(1) // scale
    return x.reshape(x.size(0), n_channels, scale, -1).transpose(2, 3).reshape(x.size(0), n_channels, 1, -1)


def bias_of(conv: WeightNormConv1d | nn.ConvTranspose1d) -> Tensor:
    """The bias [C_out] of a convolution that has one."""
    assert conv.bias is not None
    return conv.bias.detach()
