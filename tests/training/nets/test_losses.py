from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.training.nets.small import batch_of, sentence, small_sambert
from training.nets.losses import (
    Judgement,
    MultiResolutionStftLoss,
    discriminator_loss,
    feature_matching_loss,
    generator_adversarial_loss,
    masked_l1,
    sambert_loss,
)


def judgement(score: Tensor) -> Judgement:
    return Judgement(score=score, features=(2 * score, score))


def test_masked_l1_is_the_mean_over_valid_rows() -> None:
    target = torch.zeros(2, 3, 2)
    predicted = torch.tensor([[[1.0, 3.0], [9.0, 9.0], [9.0, 9.0]], [[1.0, 1.0], [2.0, 2.0], [9.0, 9.0]]])
    found = masked_l1(predicted, target, torch.tensor([1, 2]))
    assert found.item() == pytest.approx((1 + 3 + 1 + 1 + 2 + 2) / 6)


def test_the_acoustic_loss_is_zero_only_on_its_targets_and_ignores_padding() -> None:
    network = small_sambert()
    inputs = [sentence(4, 0), sentence(6, 1)]
    batch = batch_of([network.infer(*part) for part in inputs], inputs)
    with torch.no_grad():
        output = network(batch)
    exact = replace(
        output,
        dec_outputs=batch.mel,
        postnet_outputs=batch.mel,
        log_durations=torch.log1p(batch.durations.float()),
        pitch=batch.pitch,
        energy=batch.energy,
    )
    assert sambert_loss(exact, batch).total.item() == 0
    assert sambert_loss(output, batch).total.item() > 0
    polluted = batch.mel.clone()
    polluted[0, batch.n_frames[0] :] = 100
    assert sambert_loss(replace(exact, dec_outputs=polluted), batch).total.item() == 0


def test_adversarial_losses_pull_in_opposite_directions() -> None:
    right, wrong = judgement(torch.ones(2, 3)), judgement(torch.zeros(2, 3))
    assert discriminator_loss([right], [wrong]).item() == 0
    assert discriminator_loss([wrong], [right]).item() == 2
    assert generator_adversarial_loss([right]).item() == 0
    assert generator_adversarial_loss([wrong, wrong]).item() == 2


def test_feature_matching_trains_the_generator_and_not_the_real_side() -> None:
    real, fake = (torch.randn(2, 3, requires_grad=True) for _ in range(2))
    feature_matching_loss([judgement(real)], [judgement(fake)]).backward()
    assert fake.grad is not None
    assert fake.grad.any()
    assert real.grad is None


def test_different_numbers_of_discriminators_are_refused() -> None:
    one = judgement(torch.ones(1, 1))
    with pytest.raises(ValueError, match="zip"):
        feature_matching_loss([one, one], [one])


def test_the_spectral_loss_is_zero_on_equal_audio_and_trains() -> None:
    loss = MultiResolutionStftLoss()
    audio = torch.randn(2, 4000) * 0.1
    assert loss(audio, audio).item() == 0
    other = (torch.randn(2, 4000) * 0.1).requires_grad_()
    loss(other, audio).backward()
    assert other.grad is not None
    assert torch.isfinite(other.grad).all()
    assert other.grad.any()


def test_silence_has_a_finite_gradient() -> None:
    silence = torch.zeros(1, 2000, requires_grad=True)
    MultiResolutionStftLoss()(silence, torch.randn(1, 2000)).backward()
    assert silence.grad is not None
    assert torch.isfinite(silence.grad).all()
