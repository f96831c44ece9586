"""Train the phone recogniser on teacher audio.

    python -m training.train_recogniser --config configs/training/shanquan.yaml --out build/shanquan

Input   features
Output  recogniser/: checkpoint.pt, units.json, log.jsonl, losses.png
State   all in the checkpoint: a killed run goes on where it was
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from streaming.text.symbols import SymbolTables
from streaming.types import FloatArray
from training.features import Statistics, Utterance, load_statistics, load_utterances
from training.recogniser import (
    STRIDE,
    Recogniser,
    Units,
    edit_distance,
    recogniser_input,
    sentence_units,
    token_unit,
)
from training.runs import TrainingRun
from training.settings import TrainingSettings, load_settings

LOG_EVERY_STEPS = 50
VALIDATE_EVERY_STEPS = 250
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Recording:
    """Inputs [T, n_inputs], unit ids, and the unit of every output step (-100 where none)."""

    inputs: FloatArray
    units: list[int]
    alignment: np.ndarray
    names: list[str]


def recording(item: Utterance, statistics: Statistics, units: Units) -> Recording:
    """Prepare one utterance."""
    inputs = recogniser_input(item.features, statistics)
    known = {name: index for index, name in enumerate(units.names)}
    per_token = np.array(
        [known.get(token_unit(token), IGNORED) if token_unit(token) else 0 for token in item.tokens]
    )
    names = sentence_units(item.tokens)
    return Recording(inputs, units.ids(names), np.repeat(per_token, item.durations)[::STRIDE], names)


def masked(inputs: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Blank a band and a stretch and add noise, so that small defects do not confuse (Park et al. 2019)."""
    inputs = inputs + rng.normal(0.0, 0.15, inputs.shape).astype(np.float32)
    band, start = int(rng.integers(0, 12)), int(rng.integers(0, 68))
    inputs[:, start : start + band] = 0.0
    begin = int(rng.integers(0, max(1, len(inputs) - 6)))
    inputs[begin : begin + int(rng.integers(0, 6))] = 0.0
    return inputs


def batches(
    items: Sequence[Recording], batch_frames: int, rng: np.random.Generator
) -> Iterator[list[Recording]]:
    """Yield batches of recordings of like length for ever."""
    ordered = sorted(items, key=lambda item: len(item.inputs))
    while True:
        groups: list[list[Recording]] = [[]]
        for item in ordered:
            if len(item.inputs) * (len(groups[-1]) + 1) > batch_frames * rng.uniform(0.8, 1.0) and groups[-1]:
                groups.append([])
            groups[-1].append(item)
        for index in rng.permutation(len(groups)):
            yield groups[index]


def losses(net: Recogniser, items: Sequence[Recording], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """CTC loss per unit, and cross-entropy against the alignment."""
    longest = max(len(item.inputs) for item in items)
    inputs = np.zeros((len(items), longest, items[0].inputs.shape[1]), np.float32)
    steps = (longest + STRIDE - 1) // STRIDE
    alignment = np.full((len(items), steps), IGNORED)
    for row, item in enumerate(items):
        inputs[row, : len(item.inputs)] = masked(item.inputs, rng)
        alignment[row, : len(item.alignment)] = item.alignment
    ctc, aligned = net(torch.from_numpy(inputs))
    lengths = torch.tensor([len(item.alignment) for item in items])
    targets = torch.tensor([unit for item in items for unit in item.units])
    target_lengths = torch.tensor([len(item.units) for item in items])
    ctc_loss = F.ctc_loss(ctc.transpose(0, 1), targets, lengths, target_lengths, zero_infinity=True)
    return ctc_loss, F.nll_loss(aligned.transpose(1, 2), torch.from_numpy(alignment), ignore_index=IGNORED)


def error_rate(net: Recogniser, items: Sequence[Recording]) -> float:
    """Phone and tone error rate over recordings."""
    net.eval()
    wrong = sum(edit_distance(net.transcribe(item.inputs), item.names) for item in items)
    net.train()
    return wrong / sum(len(item.names) for item in items)


def train(settings: TrainingSettings, out: Path) -> None:
    """Train until the configured number of steps."""
    torch.manual_seed(settings.seed)
    tables, statistics, recogniser = SymbolTables(), load_statistics(out), settings.recogniser
    corpus = {split: list(load_utterances(out, split, tables)) for split in ("train", "validation")}
    units = Units.of(sentence_units(item.tokens) for item in corpus["train"])
    items = {split: [recording(item, statistics, units) for item in rows] for split, rows in corpus.items()}
    run = TrainingRun(out / "recogniser")
    (run.folder / "units.json").write_text(json.dumps(units.names, ensure_ascii=False), "utf-8")
    net = Recogniser(settings.audio.n_mels + 2, units, recogniser.units, recogniser.layers)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recogniser.learning_rate, weight_decay=0.01)
    parts = {"net": net, "optimiser": optimiser}
    first = run.resume(parts)
    rng = np.random.default_rng(settings.seed + first)
    stream = batches(items["train"], recogniser.batch_frames, rng)
    for step in tqdm(
        range(first + 1, recogniser.steps + 1), desc="recogniser", initial=first, total=recogniser.steps
    ):
        optimiser.param_groups[0]["lr"] = recogniser.learning_rate * 0.05 ** (step / recogniser.steps)
        ctc, aligned = losses(net, next(stream), rng)
        optimiser.zero_grad()
        (ctc + aligned).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        run.add({"ctc": ctc.item(), "alignment": aligned.item()})
        if step % VALIDATE_EVERY_STEPS == 0 or step == recogniser.steps:
            row = run.log(step, validation_error_rate=error_rate(net, items["validation"]))
            tqdm.write(f"step {step}: " + " ".join(f"{name} {value:.4f}" for name, value in row.items()))
            run.plot()
            run.save(parts, step)
        elif step % LOG_EVERY_STEPS == 0:
            run.log(step)


def load_recogniser(settings: TrainingSettings, out: Path) -> Recogniser:
    """Load the trained recogniser for evaluation."""
    folder = out / "recogniser"
    units = Units(tuple(json.loads((folder / "units.json").read_text("utf-8"))))
    net = Recogniser(settings.audio.n_mels + 2, units, settings.recogniser.units, settings.recogniser.layers)
    net.load_state_dict(torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)["net"])
    return net.eval()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    train(load_settings(arguments.config), arguments.out)
    sys.stdout.write(f"trained: {arguments.out / 'recogniser'}\n")


if __name__ == "__main__":
    main()
