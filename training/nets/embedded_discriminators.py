"""The judges of the embedded vocoder: HiFi-GAN's discriminators, small enough to train on a CPU.

Input   generated and real audio [B, n_samples]
Output  losses for either side
State   the discriminators' weights
"""

from __future__ import annotations

from torch import Tensor, nn

from training.nets.discriminators import MultiPeriodDiscriminator, MultiScaleDiscriminator
from training.nets.losses import (
    Judgement,
    discriminator_loss,
    feature_matching_loss,
    generator_adversarial_loss,
)

WIDTH = 0.0625  # of the published channels: 0.3 M parameters together, a third of a step's time


class VocoderDiscriminators(nn.Module):
    """Multi-period and multi-scale discriminators with LSGAN losses."""

    def __init__(self, width: float = WIDTH) -> None:
        super().__init__()
        self.periods = MultiPeriodDiscriminator(width=width)
        self.scales = MultiScaleDiscriminator(width=width)

    def judge(self, audio: Tensor) -> list[Judgement]:
        """Run all sub-discriminators on audio [B, n_samples]."""
        return [*self.periods(audio.unsqueeze(1)), *self.scales(audio.unsqueeze(1))]

    def generator_losses(self, generated: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Return the adversarial and the feature-matching loss of the generator."""
        fakes, reals = self.judge(generated), self.judge(real)
        return generator_adversarial_loss(fakes), feature_matching_loss(reals, fakes)

    def discriminator_loss(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the discriminators' loss; `generated` must be detached."""
        return discriminator_loss(self.judge(real), self.judge(generated))
