"""Attention blocks: the text encoder's self-attention and the decoder's PNCA layer.

Input   pre-norm activations [B, T, d]; additive masks (0 where a key may be seen, -inf where not)
Output  [B, T, d]
State   none here: the step form of the PNCA layer takes keys and values and gives its own back

PNCA ("parallel non-causal attention"): one query attends to the layer's own past (x-attention, at most W
steps back) and to the memory at and after its step (h-attention, at most W rows ahead). Spec sections 1.3 and
1.5.
"""

from __future__ import annotations

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYER_NORM_EPS = 1e-6


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """[B, T, d] -> [B, H, T, d / H]; heads are contiguous slices of d."""
    return x.reshape(x.size(0), x.size(1), n_heads, x.size(2) // n_heads).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """[B, H, T, dh] -> [B, T, H dh]."""
    return x.transpose(1, 2).reshape(x.size(0), x.size(2), x.size(1) * x.size(3))


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, dropout: nn.Dropout
) -> Tensor:
    """Scaled dot-product attention: query [B, H, Tq, dh], key and value [B, H, Tk, dh], additive mask.

    `scale` is sqrt(dh), given as a number so that exported graphs hold a constant.
    """
    scores = torch.matmul(query, key.transpose(-2, -1)) / scale
    if mask is not None:
        scores = scores + mask
    return torch.matmul(dropout(torch.softmax(scores, dim=-1)), value)


class FeedForward(nn.Module):
    """x + W2 relu(W1 LN(x)); W1 a convolution over time of odd kernel size, W2 position by position."""

    def __init__(
        self, units: int, inner_units: int, kernel_size: int, dropout: float, relu_dropout: float
    ) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(units, eps=LAYER_NORM_EPS)
        self.w_1 = nn.Conv1d(units, inner_units, kernel_size, padding=(kernel_size - 1) // 2)
        self.w_2 = nn.Conv1d(inner_units, units, 1)
        self.dropout = nn.Dropout(dropout)
        self.relu_dropout = nn.Dropout(relu_dropout)
        self.kernel_size = kernel_size

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Map [B, T, d] to [B, T, d]; `keep` [B, T, 1] zeroes padded rows inside and at the end."""
        hidden = F.relu(self._widen(self.layer_norm(x) if keep is None else self.layer_norm(x) * keep))
        if keep is not None:
            hidden = hidden * keep
        output = F.linear(self.relu_dropout(hidden), self.w_2.weight[:, :, 0], self.w_2.bias)
        x = x + self.dropout(output)
        return x if keep is None else x * keep

    def _widen(self, y: Tensor) -> Tensor:
        if self.kernel_size == 1:
            return F.linear(y, self.w_1.weight[:, :, 0], self.w_1.bias)
        wide: Tensor = self.w_1(y.transpose(1, 2)).transpose(1, 2)
        return wide


class SelfAttention(nn.Module):
    """Pre-norm self-attention; the residual exists only where input and output widths match."""

    def __init__(
        self, in_units: int, units: int, n_heads: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.n_heads, self.scale = n_heads, sqrt(units // n_heads)
        self.residual = in_units == units
        self.layer_norm = nn.LayerNorm(in_units, eps=LAYER_NORM_EPS)
        self.w_qkv = nn.Linear(in_units, 3 * units)
        self.fc = nn.Linear(units, units)
        self.dropout = nn.Dropout(dropout)
        self.attention_dropout = nn.Dropout(attention_dropout)

    def forward(self, x: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Map [B, T, d_in] to [B, T, d]; key_mask is additive, [B, 1, 1, T]."""
        query, key, value = (
            split_heads(part, self.n_heads) for part in self.w_qkv(self.layer_norm(x)).chunk(3, -1)
        )
        output = self.dropout(
            self.fc(join_heads(attend(query, key, value, key_mask, self.scale, self.attention_dropout)))
        )
        return output + x if self.residual else output


class EncoderBlock(nn.Module):
    """One pre-norm transformer block of the text encoder."""

    def __init__(
        self,
        in_units: int,
        units: int,
        *,
        n_heads: int,
        inner_units: int,
        dropout: float,
        attention_dropout: float,
        relu_dropout: float,
    ) -> None:
        super().__init__()
        self.slf_attn = SelfAttention(in_units, units, n_heads, dropout, attention_dropout)
        self.pos_ffn = FeedForward(units, inner_units, 3, dropout, relu_dropout)

    def forward(self, x: Tensor, key_mask: Tensor | None = None, keep: Tensor | None = None) -> Tensor:
        """Map [B, N, d_in] to [B, N, d]."""
        x = self.slf_attn(x, key_mask)
        if keep is not None:
            x = x * keep
        output: Tensor = self.pos_ffn(x, keep)
        return output


class PncaAttention(nn.Module):
    """The two attentions of a PNCA layer: same query, own history and memory, outputs added."""

    def __init__(
        self, units: int, memory_units: int, n_heads: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.n_heads, self.scale = n_heads, sqrt(units // n_heads)
        self.layer_norm = nn.LayerNorm(units, eps=LAYER_NORM_EPS)
        self.w_x_qkv = nn.Linear(units, 3 * units)
        self.fc_x = nn.Linear(units, units)
        self.w_h_kv = nn.Linear(memory_units, 2 * units)
        self.fc_h = nn.Linear(units, units)
        self.dropout = nn.Dropout(dropout)
        self.attention_dropout = nn.Dropout(attention_dropout)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value [B, H, T, dh] of x [B, T, d]."""
        query, key, value = (
            split_heads(part, self.n_heads) for part in self.w_x_qkv(self.layer_norm(x)).chunk(3, -1)
        )
        return query, key, value

    def project_memory(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, H, M, dh] of memory rows [B, M, D] (raw: no layer norm)."""
        key, value = (split_heads(part, self.n_heads) for part in self.w_h_kv(memory).chunk(2, -1))
        return key, value

    def mix(
        self,
        query: Tensor,
        own: tuple[Tensor, Tensor],
        memory: tuple[Tensor, Tensor],
        own_mask: Tensor | None,
        memory_mask: Tensor | None,
    ) -> Tensor:
        """Attend to own and memory (key, value) pairs and add the projected results: [B, T, d]."""
        from_own = join_heads(attend(query, *own, own_mask, self.scale, self.attention_dropout))
        from_memory = join_heads(attend(query, *memory, memory_mask, self.scale, self.attention_dropout))
        output: Tensor = self.dropout(self.fc_x(from_own)) + self.dropout(self.fc_h(from_memory))
        return output


class PncaLayer(nn.Module):
    """One decoder layer: PNCA attention, then a position-wise feed-forward."""

    def __init__(
        self,
        units: int,
        memory_units: int,
        *,
        n_heads: int,
        inner_units: int,
        dropout: float,
        attention_dropout: float,
        relu_dropout: float,
    ) -> None:
        super().__init__()
        self.pnca_attn = PncaAttention(units, memory_units, n_heads, dropout, attention_dropout)
        self.pos_ffn = FeedForward(units, inner_units, 1, dropout, relu_dropout)

    def forward(
        self, x: Tensor, memory: Tensor, own_mask: Tensor | None, memory_mask: Tensor | None
    ) -> Tensor:
        """All steps at once: x [B, M, d], memory [B, M, D], masks additive [B, 1, M, M]."""
        query, key, value = self.pnca_attn.project(x)
        projected = self.pnca_attn.project_memory(memory)
        x = x + self.pnca_attn.mix(query, (key, value), projected, own_mask, memory_mask)
        output: Tensor = self.pos_ffn(x)
        return output
