"""Train the embedded vocoder: first the learned source alone, then the HiFi-GAN body on top of it.

    python -m training.train_vocoder source --config configs/training/shanquan.yaml --out build/shanquan
    python -m training.train_vocoder body   --config configs/training/shanquan.yaml --out build/shanquan

Input   features; for the body, the trained source or saved weights (--from training/state/shanquan.pt)
Output  vocoder-source/ and vocoder-body/: checkpoint.pt, log.jsonl, losses.png, validation audio and pictures
State   all in the checkpoint: a killed run goes on where it was
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from streaming.text.symbols import SymbolTables
from training.copy_synthesis import copy_error
from training.features import load_statistics, load_utterances
from training.nets.embedded_discriminators import VocoderDiscriminators
from training.nets.embedded_vocoder import EmbeddedVocoder
from training.nets.losses import MultiResolutionStftLoss
from training.nets.source import HarmonicNoiseSource, harmonic_noise_excitation
from training.nets.spectral import LogMel
from training.pictures import save_comparison
from training.runs import TrainingRun, WeightAverage, saved_weights
from training.settings import TrainingSettings, load_settings
from training.vocoder_data import WARMUP_FRAMES, VocoderBatch, VocoderData

LOG_EVERY_STEPS = 100
VALIDATE_EVERY_STEPS = 1000
N_VALIDATION = 24
# (n_fft, hop_length, win_length): half the frames of the usual ones, for half the time.
STFT_RESOLUTIONS = ((512, 100, 512), (1024, 200, 1024), (2048, 400, 2048))
LOG_MEL_WEIGHT = 2.0
ADVERSARIAL_WEIGHT = 0.05  # small: the spectral losses lead, the discriminators add what they cannot see
FEATURE_WEIGHT = 0.3
JUDGE_LEARNING_RATE = 2e-4
# The source is trained when the body starts: at the body's own rate it forgets more than the body can add.
BODY_WARMUP_STEPS = 300
SOURCE_LEARNING_SHARE = 0.1
FINAL_LEARNING_RATE = 0.1  # of the first one, at the last step


def f0_input(batch: VocoderBatch) -> Tensor:
    """Log F0 and U/V, [B, T, 2]."""
    return torch.stack([batch.f0_hz.log().float(), batch.voiced], -1)


def excitation_of(batch: VocoderBatch, settings: TrainingSettings, generator: torch.Generator) -> Tensor:
    """Excitation with a random phase and fresh noise, [B, 2, T * hop]."""
    phase = torch.rand(len(batch.mel), generator=generator, dtype=torch.float64)
    # Uniform noise, like the serving side's: what is filtered is white either way.
    noise = (torch.rand(batch.audio.shape, generator=generator) - 0.5) * float(np.sqrt(12.0))
    return harmonic_noise_excitation(
        batch.f0_hz, settings.audio.hop_length, settings.audio.sample_rate, phase, noise
    )


class SpectralLoss(nn.Module):
    """Multi-resolution STFT plus weighted log-mel L1."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.stft = MultiResolutionStftLoss(STFT_RESOLUTIONS)
        self.log_mel = LogMel(sample_rate)

    def forward(self, generated: Tensor, real: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the loss and its parts."""
        stft = self.stft(generated, real)
        mel = (self.log_mel(generated) - self.log_mel(real)).abs().mean()
        return stft + LOG_MEL_WEIGHT * mel, {"stft": stft.item(), "log_mel": mel.item()}


class VocoderTrainer:
    """Shared parts of both stages: data, losses, validation."""

    def __init__(self, settings: TrainingSettings, out: Path, stage: str, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self.run = TrainingRun(out / f"vocoder-{stage}")
        statistics = load_statistics(out)
        tables = SymbolTables()
        hop, lookahead = settings.audio.hop_length, settings.vocoder.lookahead_frames
        self.train = VocoderData(list(load_utterances(out, "train", tables)), statistics, hop, lookahead)
        held_out = list(load_utterances(out, "validation", tables))[:N_VALIDATION]
        self.validation = VocoderData(held_out, statistics, hop, lookahead)
        self.loss = SpectralLoss(settings.audio.sample_rate).to(device)
        self.rng = np.random.default_rng(settings.seed)
        self.generator = torch.Generator().manual_seed(settings.seed)

    def draw(self) -> tuple[VocoderBatch, Tensor]:
        """Draw a batch and its excitation."""
        vocoder = self.settings.vocoder
        batch = self.train.batch(self.rng, vocoder.batch_size, vocoder.segment_frames)
        return batch, excitation_of(batch, self.settings, self.generator)

    def generate(self, net: nn.Module, batch: VocoderBatch, excitation: Tensor) -> Tensor:
        """Run the network on a batch, [B, T * hop]."""
        inputs = (batch.mel, f0_input(batch), excitation)
        return net(*(value.to(self.device) for value in inputs))

    def crop(self, audio: Tensor) -> Tensor:
        """Cut the warm-up away."""
        return audio[:, WARMUP_FRAMES * self.settings.audio.hop_length :].to(self.device)

    @torch.no_grad()
    def validate(self, net: nn.Module, step: int) -> dict[str, float]:
        """Copy synthesis of held-out sentences; writes the first as audio and picture."""
        was_training = net.training
        net.eval()
        generator = torch.Generator().manual_seed(0)
        log_mel = LogMel(self.settings.audio.sample_rate)
        delay = self.settings.vocoder.lookahead_frames * self.settings.audio.hop_length
        errors = []
        for index in range(len(self.validation)):
            batch = self.validation.whole(index)
            audio = (
                self.generate(net, batch, excitation_of(batch, self.settings, generator))
                .cpu()[0, delay:]
                .numpy()
            )
            real = batch.audio[0, delay:].numpy()
            errors.append(copy_error(audio, real, log_mel, self.settings.audio))
            if index == 0:
                save_comparison(self.run.folder / f"validation-{step:06d}", real, audio, self.settings.audio)
        net.train(was_training)
        return {
            "copy_log_mel_l1": float(np.mean([e.log_mel_l1 for e in errors])),
            "copy_f0_cents": float(np.nanmean([e.f0_cents for e in errors])),
        }


def decayed(first: float, step: int, total: int) -> float:
    """Learning rate that falls exponentially to `FINAL_LEARNING_RATE` of the first."""
    return first * FINAL_LEARNING_RATE ** min(1.0, step / total)


def new_source(settings: TrainingSettings) -> HarmonicNoiseSource:
    """Build the source of the configuration."""
    source = settings.vocoder.source
    return HarmonicNoiseSource(
        settings.audio.n_mels,
        settings.audio.hop_length,
        source.channels,
        source.kernel_size,
        source.n_layers,
        source.n_bins,
    )


def new_vocoder(settings: TrainingSettings) -> EmbeddedVocoder:
    """Build source and body of the configuration."""
    return EmbeddedVocoder(new_source(settings), settings.audio.n_mels, settings.vocoder.channels)


def has_body(weights: Mapping[str, Tensor]) -> bool:
    """Tell whether saved vocoder weights are those of a source with its body, or of the source alone."""
    return any(name.startswith("body.") for name in weights)


def train_source(settings: TrainingSettings, out: Path, device: torch.device) -> None:
    """Train the learned source alone."""
    torch.manual_seed(settings.seed)
    trainer = VocoderTrainer(settings, out, "source", device)
    net = new_source(settings).to(device)
    optimiser = torch.optim.Adam(net.parameters(), betas=(0.8, 0.99))
    parts = {"net": net, "optimiser": optimiser}
    first = trainer.run.resume(parts)
    total = settings.vocoder.source_steps
    for step in tqdm(range(first + 1, total + 1), desc="source", initial=first, total=total):
        optimiser.param_groups[0]["lr"] = decayed(settings.vocoder.source_learning_rate, step, total)
        batch, excitation = trainer.draw()
        generated = trainer.crop(trainer.generate(net, batch, excitation))
        loss, losses = trainer.loss(generated, trainer.crop(batch.audio))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        trainer.run.add(losses)
        report(trainer, net, parts, step, total)


def report(trainer: VocoderTrainer, net: nn.Module, parts: dict[str, object], step: int, total: int) -> None:
    """Log, validate and save when it is time."""
    if step % VALIDATE_EVERY_STEPS == 0 or step == total:
        row = trainer.run.log(step, **trainer.validate(net, step))
        tqdm.write(f"step {step}: " + " ".join(f"{name} {value:.4f}" for name, value in row.items()))
        trainer.run.plot()
        trainer.run.save(parts, step)
    elif step % LOG_EVERY_STEPS == 0:
        trainer.run.log(step)
        trainer.run.save_if_due(parts, step)


def load_start(net: EmbeddedVocoder, out: Path, start: Path | None) -> None:
    """Load the weights the body's training begins with: those of the state file, or of the trained source.

    A state file of a voice that has no body yet gives its source.
    """
    if start is None:
        checkpoint = torch.load(
            out / "vocoder-source" / "checkpoint.pt", map_location="cpu", weights_only=True
        )
        net.source.load_state_dict(checkpoint["net"])
        return
    weights = saved_weights(start, "vocoder")
    (net if has_body(weights) else net.source).load_state_dict(weights)


def train_body(
    settings: TrainingSettings, out: Path, device: torch.device, start: Path | None = None
) -> None:
    """Train the HiFi-GAN body on the trained source; the source goes on learning with it."""
    torch.manual_seed(settings.seed)
    trainer = VocoderTrainer(settings, out, "body", device)
    net = new_vocoder(settings).to(device)
    judges = VocoderDiscriminators().to(device)
    optimiser = torch.optim.AdamW(
        [{"params": list(net.body.parameters())}, {"params": list(net.source.parameters())}],
        betas=(0.8, 0.99),
    )
    judge_optimiser = torch.optim.AdamW(judges.parameters(), lr=JUDGE_LEARNING_RATE, betas=(0.8, 0.99))
    load_start(net, out, start)
    average = WeightAverage(net)
    parts = {
        "net": net,
        "average": average,
        "optimiser": optimiser,
        "judges": judges,
        "judge_optimiser": judge_optimiser,
    }
    first = trainer.run.resume(parts)
    total = settings.vocoder.body_steps
    for step in tqdm(range(first + 1, total + 1), desc="body", initial=first, total=total):
        rate = decayed(settings.vocoder.body_learning_rate, step, total) * min(1.0, step / BODY_WARMUP_STEPS)
        optimiser.param_groups[0]["lr"] = rate
        optimiser.param_groups[1]["lr"] = SOURCE_LEARNING_SHARE * rate
        batch, excitation = trainer.draw()
        generated = trainer.crop(trainer.generate(net, batch, excitation))
        real = trainer.crop(batch.audio)
        loss, losses = trainer.loss(generated, real)
        if step > settings.vocoder.adversarial_after_steps:
            adversarial, feature = judges.generator_losses(generated, real)
            loss = loss + ADVERSARIAL_WEIGHT * adversarial + FEATURE_WEIGHT * feature
            losses |= {"adversarial": adversarial.item(), "feature": feature.item()}
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        if step > settings.vocoder.adversarial_after_steps:
            judge_loss = judges.discriminator_loss(generated.detach(), real)
            judge_optimiser.zero_grad()
            judge_loss.backward()
            judge_optimiser.step()
            losses["discriminator"] = judge_loss.item()
        average.update(net, step)
        trainer.run.add(losses)
        report(trainer, average.net, parts, step, total)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("stage", choices=("source", "body"))
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        help="state file to start from if there is no checkpoint",
    )
    arguments = parser.parse_args()
    settings, device = load_settings(arguments.config), torch.device(arguments.device)
    if arguments.stage == "body":
        train_body(settings, arguments.out, device, arguments.start)
    elif arguments.start is not None:
        parser.error("--from is for the body; the source trains from nothing in minutes")
    else:
        train_source(settings, arguments.out, device)
    sys.stdout.write(f"trained: {arguments.out / ('vocoder-' + arguments.stage)}\n")


if __name__ == "__main__":
    main()
