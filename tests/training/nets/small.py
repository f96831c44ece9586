"""Small networks with fixed random weights, and sentences and batches for them."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from training.nets.config import SambertConfig
from training.nets.sambert import Sambert, SambertBatch, SambertOutput

INFERRED_DURATION = 1.5  # log(1 + frames) that an untrained duration predictor is biased to


def small_config(**changes: object) -> SambertConfig:
    widths: dict[str, object] = {
        "embedding_dim": 32,
        "encoder_num_layers": 2,
        "encoder_num_heads": 4,
        "encoder_num_units": 16,
        "encoder_ffn_inner_dim": 32,
        "encoder_projection_units": 8,
        "speaker_units": 4,
        "emotion_units": 4,
        "predictor_num_memory_units": 12,
        "predictor_ffn_inner_dim": 16,
        "predictor_lstm_units": 8,
        "dur_pred_prenet_units": (8, 8),
        "dur_pred_lstm_units": 8,
        "decoder_prenet_units": (16, 16),
        "decoder_num_layers": 2,
        "decoder_num_heads": 4,
        "decoder_num_units": 16,
        "decoder_ffn_inner_dim": 32,
        "num_mels": 10,
        "postnet_num_memory_units": 12,
        "postnet_ffn_inner_dim": 16,
        "postnet_lstm_units": 8,
    }
    return SambertConfig(**(widths | changes))  # type: ignore[arg-type]


def small_sambert(**changes: object) -> Sambert:
    torch.manual_seed(7)
    network = Sambert(small_config(**changes)).eval()
    torch.nn.init.constant_(network.variance_adaptor.duration_predictor.fc.bias, INFERRED_DURATION)
    return network


@torch.no_grad()
def with_some_pauses(network: Sambert, ling: Tensor) -> Sambert:
    """Adjust the predictor so that it fills some pauses of this sentence, not all; returns the network."""
    predictor = network.FP_predictor
    logits = predictor(network.text_encoder(ling))[0]
    spread = logits.std(dim=0)
    predictor.fc.weight /= spread.unsqueeze(1)
    predictor.fc.bias.copy_((predictor.fc.bias - logits.mean(dim=0)) / spread + torch.tensor([1.0, 0, 0, 0]))
    return network


def sentence(n_tokens: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Random ids: ling [1, N, 4], emotion [1, N], speaker [1, N]."""
    draw = torch.Generator().manual_seed(seed)
    columns = [torch.randint(0, rows, (1, n_tokens), generator=draw) for rows in (140, 7, 5, 5)]
    ids = torch.full((1, n_tokens), 1 + seed % 3)
    return torch.stack(columns, dim=-1), ids, torch.zeros_like(ids)


def batch_of(
    outputs: list[SambertOutput], sentences: list[tuple[Tensor, Tensor, Tensor]], extra: int = 0
) -> SambertBatch:
    """A padded batch whose teachers are what the network itself produced; `extra` rows of more padding."""
    n_tokens = max(ling.size(1) for ling, _, _ in sentences) + extra
    n_frames = max(output.n_frames for output in outputs) + extra

    def stack(values: list[Tensor], length: int) -> Tensor:
        return torch.cat([_padded(value, length) for value in values])

    return SambertBatch(
        ling=stack([ling for ling, _, _ in sentences], n_tokens),
        emotion=stack([emotion for _, emotion, _ in sentences], n_tokens),
        speaker=stack([speaker for _, _, speaker in sentences], n_tokens),
        n_tokens=torch.tensor([ling.size(1) for ling, _, _ in sentences]),
        durations=stack([output.durations for output in outputs], n_tokens),
        pitch=stack([output.pitch for output in outputs], n_tokens),
        energy=stack([output.energy for output in outputs], n_tokens),
        mel=stack([output.dec_outputs for output in outputs], n_frames),
        n_frames=torch.tensor([output.n_frames for output in outputs]),
    )


def item(batch: SambertBatch, index: int) -> SambertBatch:
    """One item of a batch without its padding."""
    tokens, frames = int(batch.n_tokens[index]), int(batch.n_frames[index])
    cut = {"mel": frames}
    values = {
        name: getattr(batch, name)[index : index + 1] for name in (entry.name for entry in fields(batch))
    }
    return SambertBatch(
        **{
            name: value if value.dim() == 1 else value[:, : cut.get(name, tokens)]
            for name, value in values.items()
        }
    )


def largest_difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape, f"{tuple(a.shape)} against {tuple(b.shape)}"
    return float((a - b).detach().abs().max())


def _padded(value: Tensor, length: int) -> Tensor:
    shape = list(value.shape)
    shape[1] = length - shape[1]
    return torch.cat([value, torch.zeros(shape, dtype=value.dtype)], dim=1)
