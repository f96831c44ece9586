"""A Piper voice with small random networks: the same stages, inputs and names, none of the speech."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PHONEMES = "_^$ !',.:;?abdefhijklmnoprstuvwzæðŋɐɑɔəɚɛɜɡɪɹʃʊʌˈˌːθᵻ"
INPUT_NAMES = ["input", "input_lengths", "scales", "sid"]
CHANNELS, SPEAKER_WIDTH = 6, 4
HOP_LENGTH = 12
UPSAMPLING = ((4, 8), (3, 5))  # stride, kernel


class Decoder(nn.Module):
    """HiFi-GAN in small: a convolution, transposed ones with a residual block each, a convolution, tanh."""

    def __init__(self, n_speakers: int) -> None:
        super().__init__()
        self.conv_pre = nn.Conv1d(CHANNELS, 8, 3, padding=1)
        self.cond = nn.Conv1d(SPEAKER_WIDTH, 8, 1) if n_speakers > 1 else None
        widths = (8, 6, 4)
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(widths[i], widths[i + 1], kernel, stride, padding=(kernel - stride) // 2)
            for i, (stride, kernel) in enumerate(UPSAMPLING)
        )
        self.resblocks = nn.ModuleList(
            nn.Conv1d(width, width, 3, dilation=2, padding=2) for width in widths[1:]
        )
        self.conv_post = nn.Conv1d(widths[-1], 1, 7, padding=3, bias=False)

    def forward(self, latent: Tensor, speaker: Tensor | None) -> Tensor:
        x = self.conv_pre(latent)
        if self.cond is not None:
            assert speaker is not None
            x = x + self.cond(speaker)
        for up, block in zip(self.ups, self.resblocks, strict=True):
            x = up(F.leaky_relu(x, 0.1))
            x = (x + block(F.leaky_relu(x, 0.1))) / 2
        return torch.tanh(self.conv_post(F.leaky_relu(x)))


class LevelledDecoder(Decoder):
    """A decoder that nothing can run in blocks: it divides by the loudness of the whole."""

    def forward(self, latent: Tensor, speaker: Tensor | None) -> Tensor:
        audio = super().forward(latent, speaker)
        return audio / (1.0 + audio.abs().mean(dim=2, keepdim=True))


class PiperShaped(nn.Module):
    """Text encoder, duration predictor with noise, prior with noise, one coupling layer, decoder."""

    def __init__(self, n_speakers: int = 1, decoder: type[Decoder] = Decoder) -> None:
        super().__init__()
        self.enc_p = nn.ModuleDict(
            {
                "emb": nn.Embedding(len(PHONEMES), 8),
                "conv": nn.Conv1d(8, 8, 5, padding=2),
                "proj": nn.Conv1d(8, 2 * CHANNELS, 1),
            }
        )
        self.dp = nn.Conv1d(8 + 2, 1, 3, padding=1)
        self.flow = nn.Conv1d(CHANNELS // 2, CHANNELS // 2, 5, padding=2)
        self.dec = decoder(n_speakers)
        self.emb_g = nn.Embedding(n_speakers, SPEAKER_WIDTH) if n_speakers > 1 else None

    def forward(self, text: Tensor, lengths: Tensor, scales: Tensor, sid: Tensor | None = None) -> Tensor:
        speaker = self.emb_g(sid).unsqueeze(-1) if self.emb_g is not None else None
        mask = (torch.arange(text.size(1))[None] < lengths[:, None]).float()[:, None]
        hidden = torch.tanh(self.enc_p["conv"](self.enc_p["emb"](text).transpose(1, 2) * mask)) * mask
        mean, log_deviation = torch.split(self.enc_p["proj"](hidden), CHANNELS, dim=1)
        noise = torch.randn(text.size(0), 2, text.size(1)) * scales[2]
        durations = torch.ceil(torch.exp(self.dp(torch.cat([hidden, noise], 1))) * 2.0 * mask * scales[1])
        path = _path(durations)
        mean, deviation = mean @ path, torch.exp(log_deviation - 1.0) @ path
        prior = mean + torch.randn_like(mean) * deviation * scales[0]
        kept, moved = torch.split(prior, CHANNELS // 2, dim=1)
        latent = torch.cat([kept, moved - self.flow(kept)], 1)
        return self.dec(latent, speaker).unsqueeze(1)


def _path(durations: Tensor) -> Tensor:
    """Which frame is which token's: [1, N, T]."""
    ends = torch.cumsum(durations, 2).transpose(1, 2)
    frames = torch.arange(ends.max().long())[None, None]
    starts = ends - durations.transpose(1, 2)
    return ((frames >= starts) & (frames < ends)).float()


def write_network(path: Path, n_speakers: int = 1, decoder: type[Decoder] = Decoder) -> None:
    """Export as Piper does; where there are no speakers, the name `sid` falls to the first of the weights."""
    torch.manual_seed(5)
    network = PiperShaped(n_speakers, decoder).eval()
    text = torch.randint(3, len(PHONEMES), (1, 20))
    sid = torch.zeros(1, dtype=torch.int64) if n_speakers > 1 else None
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the tracing exporter is deprecated, and notes what it makes constant
        torch.onnx.export(
            network,
            (text, torch.tensor([20]), torch.tensor([0.667, 1.0, 0.8]), sid),
            str(path),
            opset_version=15,
            input_names=INPUT_NAMES,
            output_names=["output"],
            dynamic_axes={"input": {0: "batch_size", 1: "phonemes"}, "input_lengths": {0: "batch_size"}},
            dynamo=False,
        )


def config(**changes: Any) -> dict[str, Any]:
    """The JSON file beside a network with one speaker."""
    return {
        "audio": {"sample_rate": 16000, "quality": "x_low"},
        "espeak": {"voice": "en-us"},
        "language": {"code": "en_US"},
        "inference": {"noise_scale": 0.5, "length_scale": 1.1, "noise_w": 0.3},
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "phoneme_id_map": {phoneme: [index] for index, phoneme in enumerate(PHONEMES)},
        "num_symbols": 256,
        "num_speakers": 1,
        "speaker_id_map": {},
        "dataset": "noise",
        "piper_version": "1.0.0",
    } | changes


def write_voice(folder: Path, name: str = "xx-shaped-low", **changes: Any) -> Path:
    """Write both files of a voice; returns the network's. `n_speakers` and the decoder follow the changes."""
    decoder = changes.pop("decoder", Decoder)
    folder.mkdir(parents=True, exist_ok=True)
    network = folder / f"{name}.onnx"
    write_network(network, changes.get("num_speakers", 1), decoder)
    Path(f"{network}.json").write_text(json.dumps(config(**changes)), encoding="utf-8")
    return network
