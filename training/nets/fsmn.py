"""FSMN encoder: feed-forward layers, each followed by a wide depthwise "memory" convolution over time.

Input   [B, T, C_in], and `keep` [B, T, 1] (1 on valid rows, 0 on padding), or None when all rows are valid
Output  [B, T, C_memory]
State   none; there is no normalisation here, the residual is the only thing between layers

Spec section 1.4; used by the pitch and energy predictors (shift 0) and by the PostNet (shift 17: little
look-ahead).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from training.nets.module_list import ModuleListOf


def memory_padding(filter_size: int, shift: int) -> tuple[int, int]:
    """Rows of left and right context of a memory convolution; only a positive shift counts."""
    shift = max(shift, 0)
    return round((filter_size - 1) / 2) + shift, (filter_size - 1) // 2 - shift


class FsmnFeedForward(nn.Module):
    """c = W2 relu(W1 x + b1), position by position; [B, T, C_in] -> [B, T, C_memory]."""

    def __init__(self, in_units: int, inner_units: int, memory_units: int, dropout: float) -> None:
        super().__init__()
        self.residual = in_units == memory_units
        self.w_1 = nn.Conv1d(in_units, inner_units, 1)
        self.w_2 = nn.Conv1d(inner_units, memory_units, 1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, C_in] to contexts [B, T, C_memory]."""
        # A kernel of one is a matrix product; `linear` spares two transposes.
        hidden = F.relu(F.linear(x, self.w_1.weight[:, :, 0], self.w_1.bias))
        contexts: Tensor = F.linear(self.dropout(hidden), self.w_2.weight[:, :, 0])
        return contexts


class FsmnMemory(nn.Module):
    """m[t] = c[t] + sum_k w[k] c[t - left + k]; [B, T, C] -> [B, T, C], zeros outside."""

    def __init__(self, units: int, filter_size: int, shift: int) -> None:
        super().__init__()
        self.left, self.right = memory_padding(filter_size, shift)
        self.conv_dw = nn.Conv1d(units, units, filter_size, groups=units, bias=False)

    def forward(self, contexts: Tensor, keep: Tensor | None) -> Tensor:
        """Add the weighted neighbourhood to each context."""
        if keep is not None:
            contexts = contexts * keep
        around = self.conv_dw(F.pad(contexts.transpose(1, 2), (self.left, self.right))).transpose(1, 2)
        memory: Tensor = contexts + around
        return memory if keep is None else memory * keep


class Fsmn(nn.Module):
    """The stack; a layer has a residual only where its input is as wide as its memory."""

    def __init__(
        self,
        in_units: int,
        *,
        n_layers: int,
        memory_units: int,
        inner_units: int,
        filter_size: int,
        shift: int,
        dropout: float,
    ) -> None:
        super().__init__()
        widths = [in_units] + [memory_units] * (n_layers - 1)
        self.ffn_lst = ModuleListOf(
            FsmnFeedForward(width, inner_units, memory_units, dropout) for width in widths
        )
        self.memory_block_lst = ModuleListOf(FsmnMemory(memory_units, filter_size, shift) for _ in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Run the layers; rows where `keep` is 0 stay 0 and are seen by nobody."""
        for feed_forward, memory_block in zip(self.ffn_lst, self.memory_block_lst, strict=True):
            memory = self.dropout(memory_block(self.dropout(feed_forward(x)), keep))
            x = memory + x if feed_forward.residual else memory
        return x
