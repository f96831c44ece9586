"""Text encoder: linguistic ids of a whole sentence to one hidden vector per token.

Input   ids [B, N, 4] int64 (sy, tone, syllable_flag, word_segment; no EOS), or [B, N, 1] of a byte model;
        token counts [B] when the batch is padded
Output  text_hid [B, N, p]
State   none; runs once per sentence, every token sees every other

Spec section 1.3. Knows nothing about speakers, emotions or durations.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import torch
from torch import Tensor, nn

from training.nets.attention import LAYER_NORM_EPS, EncoderBlock
from training.nets.config import SambertConfig
from training.nets.module_list import ModuleListOf

EXPORTED_POSITIONS = 2048  # a graph in a file cannot compute more; the longest segment of text has hundreds


def position_table(n_positions: int, units: int) -> Tensor:
    """[1, n_positions, units] float32: sines in the first half of the columns, cosines in the second.

    Positions start at 1 and the exponent's denominator is units/2 - 1; computed in float64 as the reference
    does.
    """
    half = units // 2
    rates = np.power(10000.0, -np.arange(half) / max(half - 1, 1))
    angles = np.arange(1, n_positions + 1)[:, None] * rates[None, :]
    return torch.from_numpy(np.concatenate([np.sin(angles), np.cos(angles)], axis=1)).float().unsqueeze(0)


def keep_rows(lengths: Tensor | None, n_rows: int) -> Tensor | None:
    """[B, n_rows, 1] float32: 1 on the first `lengths` rows, 0 after; None stays None (nothing is padded)."""
    if lengths is None:
        return None
    return (torch.arange(n_rows, device=lengths.device) < lengths[:, None]).float().unsqueeze(-1)


class PositionEncoding(nn.Module):
    """Adds the position table; the table is a constant that checkpoints may or may not carry."""

    position_enc: Tensor
    beyond: Tensor

    def __init__(self, max_len: int, units: int) -> None:
        super().__init__()
        longest = position_table(max(max_len, EXPORTED_POSITIONS), units)
        self.register_buffer("position_enc", longest[:, :max_len].clone())
        self.register_buffer("beyond", longest[:, max_len:].clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Add positions 1..N to x [B, N, E]."""
        table = self.position_enc
        if torch.onnx.is_in_onnx_export():
            table = torch.cat([table, self.beyond], dim=1)
        elif x.size(1) > table.size(1):
            table = position_table(x.size(1), x.size(2)).to(x)
        return x + table[:, : x.size(1)]


class LinguisticEncoder(nn.Module):
    """The stack of transformer blocks under `text_encoder.ling_enc`."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.scale = sqrt(config.encoder_num_units)  # of the block width, not of the embedding
        self.position_enc = PositionEncoding(config.max_len, config.embedding_dim)
        self.dropout = nn.Dropout(config.encoder_dropout)
        units = config.encoder_num_units
        widths = [config.embedding_dim] + [units] * (config.encoder_num_layers - 1)
        self.fft = ModuleListOf(
            EncoderBlock(
                width,
                units,
                n_heads=config.encoder_num_heads,
                inner_units=config.encoder_ffn_inner_dim,
                dropout=config.encoder_dropout,
                attention_dropout=config.encoder_attention_dropout,
                relu_dropout=config.encoder_relu_dropout,
            )
            for width in widths
        )
        self.ln = nn.LayerNorm(units, eps=LAYER_NORM_EPS)

    def forward(self, embedded: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map embeddings [B, N, E] to [B, N, d]."""
        keep = keep_rows(lengths, embedded.size(1))
        key_mask = None
        if keep is not None:
            key_mask = torch.zeros_like(keep).masked_fill(keep == 0, -torch.inf).transpose(1, 2).unsqueeze(1)
        x = self.dropout(self.position_enc(embedded * self.scale))
        for block in self.fft:
            x = block(x, key_mask, keep)
        encoded: Tensor = self.ln(x)
        return encoded


class TextEncoder(nn.Module):
    """Embeddings of the four linguistic features (or of bytes), the encoder and its narrow projection."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        tables, width = config.tables, config.embedding_dim
        self.reads_bytes = tables.byte_index is not None
        if tables.byte_index is not None:
            self.byte_index_emb = nn.Embedding(tables.byte_index, width)
        else:
            self.sy_emb = nn.Embedding(tables.sy, width)
            self.tone_emb = nn.Embedding(tables.tone, width)
            self.syllable_flag_emb = nn.Embedding(tables.syllable_flag, width)
            self.ws_emb = nn.Embedding(tables.word_segment, width)
        self.ling_enc = LinguisticEncoder(config)
        self.ling_proj = nn.Linear(config.encoder_num_units, config.encoder_projection_units, bias=False)

    def forward(self, ling: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Encode ids [B, N, 4] (bytes: [B, N, 1]) to text_hid [B, N, p].

        `lengths` [B] marks padding, None means none.
        """
        text_hid: Tensor = self.ling_proj(self.ling_enc(self._embedded(ling), lengths))
        return text_hid

    def _embedded(self, ling: Tensor) -> Tensor:
        if self.reads_bytes:
            rows: Tensor = self.byte_index_emb(ling[..., 0])
            return rows
        total: Tensor = (
            self.sy_emb(ling[..., 0])
            + self.tone_emb(ling[..., 1])
            + self.syllable_flag_emb(ling[..., 2])
            + self.ws_emb(ling[..., 3])
        )
        return total
