"""Training losses of both networks.

Input   predictions and targets; sequence lengths where they are padded
Output  scalars (sums of the terms are the caller's: weights are hyperparameters)
State   the spectral loss holds its windows, nothing else

Spec sections 1.8 (acoustic) and 2.5 (vocoder). Every mean is over valid rows only, so padding never changes a
loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.nets.sambert import SambertBatch, SambertTrainingOutput
from training.nets.text_encoder import keep_rows

MAGNITUDE_FLOOR_SQUARED = 1e-10  # keeps the square root differentiable at silence


@dataclass(frozen=True, slots=True)
class SambertLoss:
    """The terms of the acoustic loss, all with weight 1 in `total`."""

    mel_before: Tensor
    mel_after: Tensor
    duration: Tensor
    pitch: Tensor
    energy: Tensor

    @property
    def total(self) -> Tensor:
        """Sum of the terms."""
        return self.mel_before + self.mel_after + self.duration + self.pitch + self.energy


def masked_l1(predicted: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    """Mean absolute error of [B, T] or [B, T, C] over the first `lengths` rows of each item."""
    if predicted.dim() == 2:
        predicted, target = predicted.unsqueeze(-1), target.unsqueeze(-1)
    keep = keep_rows(lengths, predicted.size(1))
    assert keep is not None
    return ((predicted - target).abs() * keep).sum() / (keep.sum() * predicted.size(-1))


def sambert_loss(output: SambertTrainingOutput, batch: SambertBatch) -> SambertLoss:
    """L1 of mel before and after the PostNet, of log(1 + frames), pitch and energy."""
    return SambertLoss(
        mel_before=masked_l1(output.dec_outputs, batch.mel, batch.n_frames),
        mel_after=masked_l1(output.postnet_outputs, batch.mel, batch.n_frames),
        duration=masked_l1(output.log_durations, torch.log1p(batch.durations.float()), batch.n_tokens),
        pitch=masked_l1(output.pitch, batch.pitch, batch.n_tokens),
        energy=masked_l1(output.energy, batch.energy, batch.n_tokens),
    )


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one discriminator made of one batch: its final map, and every activation including that map."""

    score: Tensor
    features: tuple[Tensor, ...]


def generator_adversarial_loss(fakes: Sequence[Judgement]) -> Tensor:
    """LSGAN: sum over discriminators of MSE(D(fake), 1)."""
    return torch.stack([(1 - fake.score).square().mean() for fake in fakes]).sum()


def discriminator_loss(reals: Sequence[Judgement], fakes: Sequence[Judgement]) -> Tensor:
    """LSGAN: sum of MSE(D(real), 1) + MSE(D(fake), 0); the fakes come from detached audio."""
    terms = [
        (1 - real.score).square().mean() + fake.score.square().mean()
        for real, fake in zip(reals, fakes, strict=True)
    ]
    return torch.stack(terms).sum()


def feature_matching_loss(reals: Sequence[Judgement], fakes: Sequence[Judgement]) -> Tensor:
    """L1 between activations, summed over discriminators and layers; the gradient reaches the fakes only.

    KAN-TTS passes the two the other way round, so there this loss trains nothing; this is the intended form.
    """
    terms = [
        F.l1_loss(fake_feature, real_feature.detach())
        for real, fake in zip(reals, fakes, strict=True)
        for real_feature, fake_feature in zip(real.features, fake.features, strict=True)
    ]
    return torch.stack(terms).sum()


def stft_magnitude(audio: Tensor, n_fft: int, hop_length: int, window: Tensor) -> Tensor:
    """Magnitudes [B, n_fft / 2 + 1, frames] of audio [B, L]; centred, zero-padded."""
    spectrum = torch.stft(
        audio,
        n_fft,
        hop_length,
        win_length=window.numel(),
        window=window,
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.real.square() + spectrum.imag.square()
    return power.clamp(min=MAGNITUDE_FLOOR_SQUARED).sqrt()


class MultiResolutionStftLoss(nn.Module):
    """Spectral convergence plus L1 of log magnitudes, over resolutions (Parallel WaveGAN, eqs. 4-6)."""

    def __init__(
        self,
        resolutions: Sequence[tuple[int, int, int]] = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200)),
    ) -> None:
        """`resolutions` are (n_fft, hop_length, win_length) in samples."""
        super().__init__()
        self.resolutions = tuple(resolutions)
        for index, (_, _, win_length) in enumerate(self.resolutions):
            self.register_buffer(f"window_{index}", torch.hann_window(win_length), persistent=False)

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Loss of audio [B, L] against audio [B, L]."""
        terms = []
        for index, (n_fft, hop_length, _) in enumerate(self.resolutions):
            window = self.get_buffer(f"window_{index}")
            ours = stft_magnitude(predicted, n_fft, hop_length, window)
            theirs = stft_magnitude(target, n_fft, hop_length, window)
            convergence = torch.linalg.vector_norm(theirs - ours) / torch.linalg.vector_norm(theirs)
            terms.append(convergence + F.l1_loss(ours.log(), theirs.log()))
        return torch.stack(terms).mean()
