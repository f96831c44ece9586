from __future__ import annotations

import pytest
import torch
from torch import nn

from training.nets.discriminators import MultiPeriodDiscriminator, MultiScaleDiscriminator, scaled


def millions(network: nn.Module) -> float:
    return sum(value.numel() for value in network.parameters()) / 1e6


def test_full_width_has_the_published_size() -> None:
    assert round(millions(MultiPeriodDiscriminator()), 2) == 41.10
    assert round(millions(MultiScaleDiscriminator()), 2) == 29.62


@pytest.mark.parametrize("n_samples", [3000, 3001, 3007])
def test_period_discriminators_fold_any_length(n_samples: int) -> None:
    judgements = MultiPeriodDiscriminator(width=1 / 32)(torch.randn(2, 1, n_samples))
    assert len(judgements) == 5
    assert all(len(judgement.features) == 6 for judgement in judgements)
    for judgement, period in zip(judgements, (2, 3, 5, 7, 11), strict=True):
        rows = -(-n_samples // period)
        assert judgement.features[0].shape == (2, 1, -(-rows // 3), period)


def test_scale_discriminators_halve_the_rate() -> None:
    judgements = MultiScaleDiscriminator(width=1 / 8)(torch.randn(2, 1, 4000))
    assert [judgement.features[0].size(2) for judgement in judgements] == [4000, 2002, 1003]
    assert all(len(judgement.features) == 8 for judgement in judgements)


@pytest.mark.parametrize(
    "network", [MultiPeriodDiscriminator(width=1 / 32), MultiScaleDiscriminator(width=1 / 8)]
)
def test_gradients_reach_the_audio_and_every_parameter(network: nn.Module) -> None:
    audio = torch.randn(1, 1, 2000, requires_grad=True)
    torch.stack([judgement.score.square().mean() for judgement in network(audio)]).sum().backward()
    assert audio.grad is not None
    assert audio.grad.any()
    silent = [name for name, value in network.named_parameters() if value.grad is None]
    assert silent == []


def test_checkpoint_names_of_the_period_discriminators() -> None:
    keys = MultiPeriodDiscriminator(width=1 / 32).state_dict()
    assert {"discriminators.4.convs.0.0.weight_g", "discriminators.0.conv_post.weight"} <= set(keys)


def test_scaled_widths_stay_multiples_of_their_groups() -> None:
    assert [scaled(128, 0.05, 16), scaled(128, 1.0, 16), scaled(32, 0.001)] == [16, 128, 1]
