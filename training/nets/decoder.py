"""Mel decoder: memory rows and the previous frame to r mel frames per step, autoregressive over steps.

Input   memory [B, M, D]; teacher frames when training; band width W per item
Output  mel frames [B, M r, F], before the PostNet
State   none across calls; `infer` grows keys and values of one utterance (the reference form; see
        streaming.py)

Spec section 1.5. There is no positional encoding and, at inference, no mask: a step sees exactly the rows it
may.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn

from training.nets.attention import LAYER_NORM_EPS, PncaLayer
from training.nets.config import SambertConfig
from training.nets.module_list import ModuleListOf
from training.nets.variance import Prenet


def band_masks(band: Tensor, steps: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
    """Additive masks of the two attentions, each [B, 1, n_steps, n_steps].

    Args:
        band: W per item [B], int64.
        steps: Valid steps per item [B], int64.
        n_steps: Steps of the padded batch.

    Own keys reach from j - W to j, memory keys from j to j + W; keys beyond an item's steps are never seen,
    except by padded queries, which see everything (a row of -inf alone would turn into NaN).
    """
    index = torch.arange(n_steps, device=band.device)
    ahead = (index[None, :] - index[:, None]).expand(band.size(0), -1, -1)  # key minus query
    limit = band[:, None, None]
    padded_key = index[None, None, :] >= steps[:, None, None]
    padded_query = index[None, :, None] >= steps[:, None, None]
    own = ((ahead > 0) | (ahead < -limit) | padded_key) & ~padded_query
    memory = ((ahead < 0) | (ahead > limit) | padded_key) & ~padded_query
    blank = torch.zeros(ahead.shape, device=band.device)
    return (
        blank.masked_fill(own, -torch.inf).unsqueeze(1),
        blank.masked_fill(memory, -torch.inf).unsqueeze(1),
    )


class PncaDecoder(nn.Module):
    """The network under `mel_decoder.mel_dec`."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        units = config.decoder_num_units
        self.outputs_per_step, self.n_features = config.outputs_per_step, config.num_mels
        self.n_heads = config.decoder_num_heads
        self.scale = sqrt(units)
        self.prenet = Prenet(config.num_mels, config.decoder_prenet_units, config.prenet_dropout, units)
        self.dec_in_proj = nn.Linear(config.memory_units + units, units)
        self.dropout = nn.Dropout(config.decoder_dropout)
        self.pnca = ModuleListOf(
            PncaLayer(
                units,
                config.memory_units,
                n_heads=config.decoder_num_heads,
                inner_units=config.decoder_ffn_inner_dim,
                dropout=config.decoder_dropout,
                attention_dropout=config.decoder_attention_dropout,
                relu_dropout=config.decoder_relu_dropout,
            )
            for _ in range(config.decoder_num_layers)
        )
        self.ln = nn.LayerNorm(units, eps=LAYER_NORM_EPS)
        self.dec_out_proj = nn.Linear(units, config.outputs_per_step * config.num_mels)

    def embed(self, previous: Tensor, memory: Tensor) -> Tensor:
        """Decoder input [B, M, d] of the previous frames [B, M, F] and memory rows [B, M, D]."""
        inputs = torch.cat([memory, self.prenet(previous)], dim=-1)
        embedded: Tensor = self.dropout(self.dec_in_proj(inputs) * self.scale)
        return embedded

    def frames(self, x: Tensor) -> Tensor:
        """Split the projected steps [B, M, d] into frames [B, M r, F]."""
        output: Tensor = self.dec_out_proj(self.ln(x))
        return output.reshape(x.size(0), -1, self.n_features)

    def forward(self, memory: Tensor, mel: Tensor, band: Tensor, steps: Tensor) -> Tensor:
        """Teacher-forced, all steps at once.

        Args:
            memory: [B, M, D].
            mel: Target frames [B, M r, F]; the last frame of each group feeds the next step.
            band: W per item [B], int64.
            steps: Valid steps per item [B], int64.

        Returns:
            Frames [B, M r, F]; rows beyond an item's steps mean nothing.
        """
        last = mel[:, self.outputs_per_step - 1 :: self.outputs_per_step]
        previous = torch.cat([torch.zeros_like(last[:, :1]), last[:, :-1]], dim=1)
        own_mask, memory_mask = band_masks(band, steps, memory.size(1))
        x = self.embed(previous, memory)
        for layer in self.pnca:
            x = layer(x, memory, own_mask, memory_mask)
        return self.frames(x)

    def infer(self, memory: Tensor, band: int) -> Tensor:
        """Free-running over memory [B, M, D], one band width for the batch: frames [B, M r, F]."""
        projected = [layer.pnca_attn.project_memory(memory) for layer in self.pnca]
        history: list[tuple[Tensor, Tensor] | None] = [None] * len(self.pnca)
        previous = memory.new_zeros(memory.size(0), 1, self.n_features)
        outputs: list[Tensor] = []
        for step in range(memory.size(1)):
            x = self.embed(previous, memory[:, step : step + 1])
            for index, layer in enumerate(self.pnca):
                query, key, value = layer.pnca_attn.project(x)
                history[index] = own = _remember(history[index], key, value, band + 1)
                ahead = slice(step, step + band + 1)
                seen = (projected[index][0][:, :, ahead], projected[index][1][:, :, ahead])
                x = layer.pos_ffn(x + layer.pnca_attn.mix(query, own, seen, None, None))
            outputs.append(self.frames(x))
            previous = outputs[-1][:, -1:]
        return torch.cat(outputs, dim=1)


def _remember(
    history: tuple[Tensor, Tensor] | None, key: Tensor, value: Tensor, limit: int
) -> tuple[Tensor, Tensor]:
    """Append one step [B, H, 1, dh] and keep the newest `limit` of them."""
    if history is None:
        return key, value
    keys, values = (
        torch.cat(pair, dim=2)[:, :, -limit:] for pair in ((history[0], key), (history[1], value))
    )
    return keys, values


class MelDecoder(nn.Module):
    """Holds the decoder under the name that checkpoints use."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.mel_dec = PncaDecoder(config)
