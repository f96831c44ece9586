"""Train the embedded Sambert.

    python -m training.train_acoustic --config configs/training/shanquan.yaml --out build/shanquan

Input   features; optionally saved weights to start from (--from training/state/shanquan.pt)
Output  acoustic/: checkpoint.pt, log.jsonl, losses.png, mel pictures of a held-out sentence
State   all in the checkpoint: a killed run goes on where it was

Losses are those of KAN-TTS (spec section 1.8), plus L1 on the F0 and U/V rows by themselves: among 82 rows
they would weigh 1/82 each, and the vocoder's harmonics hang on them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from streaming.text.symbols import SymbolTables
from training.acoustic_data import AcousticData, AcousticItem, acoustic_item, collate, to_device
from training.features import Statistics, load_statistics, load_utterances
from training.nets.config import SambertConfig, TableSizes
from training.nets.losses import masked_l1, sambert_loss
from training.nets.sambert import Sambert, SambertBatch, SambertTrainingOutput
from training.pictures import save_mel_comparison
from training.runs import TrainingRun, WeightAverage, saved_weights
from training.settings import AcousticSettings, AudioSettings, TrainingSettings, load_settings

LOG_EVERY_STEPS = 50
VALIDATE_EVERY_STEPS = 500
N_FREE_RUNNING = 8  # sentences synthesised without the teacher at each validation
F0_WEIGHT = 0.5
VOICING_WEIGHT = 0.5
FINAL_LEARNING_RATE = 0.05  # of the peak, at the last step


def acoustic_config(settings: AcousticSettings, audio: AudioSettings) -> SambertConfig:
    """Sizes of the embedded acoustic model: Sambert-NSF with F0 and U/V rows, one speaker."""
    tables = SymbolTables()
    return SambertConfig(
        tables=TableSizes(
            sy=tables.sy.size,
            tone=tables.tone.size,
            syllable_flag=tables.syllable_flag.size,
            word_segment=tables.word_segment.size,
            emotion=tables.emotion.size,
            speaker=1,
        ),
        embedding_dim=settings.embedding_dim,
        encoder_num_layers=settings.encoder_layers,
        encoder_num_heads=settings.encoder_heads,
        encoder_num_units=settings.encoder_units,
        encoder_ffn_inner_dim=settings.encoder_inner,
        encoder_dropout=settings.dropout,
        encoder_attention_dropout=settings.dropout,
        encoder_relu_dropout=settings.dropout,
        encoder_projection_units=settings.projection_units,
        speaker_units=settings.speaker_units,
        emotion_units=settings.emotion_units,
        predictor_filter_size=settings.predictor_filter,
        predictor_fsmn_num_layers=settings.predictor_layers,
        predictor_num_memory_units=settings.predictor_units,
        predictor_ffn_inner_dim=settings.predictor_inner,
        predictor_dropout=settings.dropout,
        predictor_lstm_units=settings.predictor_lstm_units,
        dur_pred_prenet_units=(settings.duration_units, settings.duration_units),
        dur_pred_lstm_units=settings.duration_units,
        decoder_prenet_units=(settings.decoder_prenet_units, settings.decoder_prenet_units),
        decoder_num_layers=settings.decoder_layers,
        decoder_num_heads=settings.decoder_heads,
        decoder_num_units=settings.decoder_units,
        decoder_ffn_inner_dim=settings.decoder_inner,
        decoder_dropout=settings.dropout,
        decoder_attention_dropout=settings.dropout,
        decoder_relu_dropout=settings.dropout,
        prenet_dropout=settings.prenet_dropout,
        num_mels=audio.n_mels + 2,
        postnet_fsmn_num_layers=settings.postnet_layers,
        postnet_num_memory_units=settings.postnet_units,
        postnet_ffn_inner_dim=settings.postnet_inner,
        postnet_dropout=settings.dropout,
        postnet_lstm_units=settings.postnet_lstm_units,
        NSF=True,
    )


def training_loss(
    output: SambertTrainingOutput, batch: SambertBatch, n_mels: int
) -> tuple[Tensor, dict[str, float]]:
    """Return the total loss and its terms."""
    terms = sambert_loss(output, batch)
    f0 = source_row_loss(output, batch, n_mels)
    voicing = source_row_loss(output, batch, n_mels + 1)
    parts = {
        "mel_before": terms.mel_before,
        "mel_after": terms.mel_after,
        "duration": terms.duration,
        "pitch": terms.pitch,
        "energy": terms.energy,
        "f0": f0,
        "voicing": voicing,
    }
    return terms.total + F0_WEIGHT * f0 + VOICING_WEIGHT * voicing, {k: v.item() for k, v in parts.items()}


def source_row_loss(output: SambertTrainingOutput, batch: SambertBatch, row: int) -> Tensor:
    """L1 of one row (F0 or U/V) before and after the PostNet."""
    target = batch.mel[..., row]
    before = masked_l1(output.dec_outputs[..., row], target, batch.n_frames)
    return before + masked_l1(output.postnet_outputs[..., row], target, batch.n_frames)


def learning_rate(settings: AcousticSettings, step: int) -> float:
    """Linear warm-up, then exponential decay to `FINAL_LEARNING_RATE` of the peak."""
    warm = min(1.0, step / settings.warmup_steps)
    return settings.learning_rate * warm * FINAL_LEARNING_RATE ** min(1.0, step / settings.steps)


@torch.no_grad()
def validate(
    net: Sambert,
    items: Sequence[AcousticItem],
    run: TrainingRun,
    audio: AudioSettings,
    statistics: Statistics,
    step: int,
) -> dict[str, float]:
    """Teacher-forced losses of held-out sentences, and free-running error under the teacher's durations."""
    sums: dict[str, list[float]] = {}
    for start in range(0, len(items), 16):
        batch = collate(items[start : start + 16])
        _, parts = training_loss(net(batch), batch, audio.n_mels)
        for name, value in parts.items():
            sums.setdefault(name, []).append(value)
    free_mel, free_f0 = [], []
    for index, item in enumerate(items[:N_FREE_RUNNING]):
        batch = collate([item])
        output = net.infer(batch.ling, batch.emotion, batch.speaker, durations=batch.durations.float())
        frames = output.postnet_outputs[0].numpy()
        free_mel.append(np.abs(frames[:, : audio.n_mels] - item.mel[:, : audio.n_mels]).mean())
        free_f0.append(
            np.abs(frames[:, audio.n_mels] - item.mel[:, audio.n_mels])[item.mel[:, -1] > 0].mean()
        )
        if index == 0:
            save_mel_comparison(run.folder / f"validation-{step:06d}.png", item.mel, frames)
    result = {f"validation_{name}": float(np.mean(values)) for name, values in sums.items()}
    free = {"free_mel": float(np.mean(free_mel)), "free_f0_hz": float(np.mean(free_f0)) * statistics.f0_std}
    return result | free


def train(settings: TrainingSettings, out: Path, device: torch.device, start: Path | None = None) -> None:
    """Train until the configured number of steps, from the checkpoint or else from `start`'s weights."""
    torch.manual_seed(settings.seed)
    acoustic, tables, statistics = settings.acoustic, SymbolTables(), load_statistics(out)
    splits = {
        split: [acoustic_item(item, statistics, tables) for item in load_utterances(out, split, tables)]
        for split in ("train", "validation")
    }
    run = TrainingRun(out / "acoustic")
    net = Sambert(acoustic_config(acoustic, settings.audio)).to(device)
    if start is not None:
        net.load_state_dict(saved_weights(start, "acoustic"))
    average = WeightAverage(net)
    optimiser = torch.optim.Adam(net.parameters(), betas=(0.9, 0.98), eps=1e-9)
    parts = {"net": net, "average": average, "optimiser": optimiser}
    first = run.resume(parts)
    rng = np.random.default_rng(settings.seed + first)
    batches = iter(AcousticData(splits["train"], acoustic.batch_frames, rng))
    net.train()
    for step in tqdm(
        range(first + 1, acoustic.steps + 1), desc="acoustic", initial=first, total=acoustic.steps
    ):
        optimiser.param_groups[0]["lr"] = learning_rate(acoustic, step)
        batch = to_device(next(batches), device)
        own_share = (
            float(rng.uniform(0.0, acoustic.own_feedback_share)) if step > acoustic.warmup_steps else 0.0
        )
        loss, losses = training_loss(net(batch, own_share), batch, settings.audio.n_mels)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        average.update(net, step)
        run.add(losses)
        if step % VALIDATE_EVERY_STEPS == 0 or step == acoustic.steps:
            row = run.log(
                step, **validate(average.net, splits["validation"], run, settings.audio, statistics, step)
            )
            tqdm.write(f"step {step}: " + " ".join(f"{name} {value:.4f}" for name, value in row.items()))
            run.plot()
            run.save(parts, step)
        elif step % LOG_EVERY_STEPS == 0:
            run.log(step)
            run.save_if_due(parts, step)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
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
    train(load_settings(arguments.config), arguments.out, torch.device(arguments.device), arguments.start)
    sys.stdout.write(f"trained: {arguments.out / 'acoustic'}\n")


if __name__ == "__main__":
    main()
