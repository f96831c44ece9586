"""The embedded vocoder: a causal HiFi-GAN whose excitation is the learned harmonic-plus-noise source.

Input   mel [B, T, n_mels] (normalised), f0 [B, T, 2] (log F0, U/V), excitation [B, 2, T * hop]
Output  audio [B, T * hop], late by the source's look-ahead
State   none here (embedded_streaming.py is the stateful form)

The source signal is injected at every upsampling stage, as in the NSF generator, and added to the output.
The body's last layer starts at zero, so training starts at the source's quality and the body learns what
it lacks.
"""

from __future__ import annotations

from torch import Tensor, nn

from training.nets.config import HifiganConfig, NsfConfig
from training.nets.hifigan import Generator
from training.nets.source import HarmonicNoiseSource


def body_config(n_mels: int, channels: int) -> HifiganConfig:
    """Sizes of the 16 kHz body, hop length 200."""
    return HifiganConfig(in_channels=n_mels, channels=channels, nsf=NsfConfig())


class EmbeddedVocoder(nn.Module):
    """Source plus body."""

    def __init__(self, source: HarmonicNoiseSource, n_mels: int, channels: int) -> None:
        super().__init__()
        self.source = source
        self.body = Generator(body_config(n_mels, channels))
        del self.body.source_module  # the sine module: the learned source stands in its place
        nn.init.zeros_(self.body.conv_post.conv1d.weight_g)
        assert self.body.conv_post.conv1d.bias is not None
        nn.init.zeros_(self.body.conv_post.conv1d.bias)

    def forward(self, mel: Tensor, f0: Tensor, excitation: Tensor) -> Tensor:
        """Return audio [B, T * hop]."""
        source: Tensor = self.source(mel, f0, excitation)
        body: Tensor = self.body.synthesise(mel.transpose(1, 2), source.unsqueeze(1))
        return source + body
