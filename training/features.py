"""Extract features of the corpus, and the one set of statistics that both networks share.

    python -m training.features --config configs/training/shanquan.yaml --out build/shanquan

Input   corpus/manifest.jsonl and corpus/wav
Output  features/*.npy (all utterances end to end), features/index.json, features/statistics.json
State   none
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from tqdm import tqdm

from streaming.text.symbols import SymbolTables
from streaming.types import FloatArray, IntArray
from training.mel import FrameFeatures, extract
from training.settings import AudioSettings, TrainingSettings, load_settings

FRAME_ARRAYS = ("mel", "f0_hz", "voiced", "energy")


@dataclass(frozen=True, slots=True)
class Statistics:
    """Normalisation of the acoustic features; population standard deviations over the training split.

    F0 statistics include the zeros of unvoiced frames, as KAN-TTS has it (spec section 4.2).
    """

    mel_mean: list[float]
    mel_std: list[float]
    f0_mean: float
    f0_std: float
    energy_mean: float
    energy_std: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance of the corpus with its features, not yet normalised.

    Attributes:
        name: Id in the manifest.
        text: What was said, for people.
        emotion: Emotion name.
        tokens: Symbols, one per token.
        ids: [n_tokens, 4] int64.
        durations: [n_tokens] int64 frames; they sum to the number of frames.
        mel: [n_frames, n_mels] float32 in [0, 1].
        f0_hz: [n_frames] float32, continuous.
        voiced: [n_frames] float32, 0 or 1.
        energy: [n_frames] float32.
        audio: [n_samples] int16.
    """

    name: str
    text: str
    emotion: str
    tokens: tuple[str, ...]
    ids: IntArray
    durations: IntArray
    mel: FloatArray
    f0_hz: FloatArray
    voiced: FloatArray
    energy: FloatArray
    audio: np.ndarray

    @property
    def features(self) -> FrameFeatures:
        """The frame features alone, as `extract` gives them for any recording."""
        return FrameFeatures(self.mel, self.f0_hz, self.voiced, self.energy)


def frame_durations(boundaries_s: Sequence[float], n_frames: int, settings: AudioSettings) -> IntArray:
    """Round boundaries to frames; the last token takes what is left, so that the sum is exact."""
    edges = np.round(np.asarray(boundaries_s) * settings.sample_rate / settings.hop_length).astype(np.int64)
    edges = np.minimum(edges, n_frames)
    edges[0], edges[-1] = 0, n_frames
    return np.diff(edges)


def token_means(values: FloatArray, durations: IntArray) -> FloatArray:
    """Average the non-zero frames of every token; 0 where a token has none."""
    ends = np.cumsum(durations)
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    counts = np.concatenate([[0], np.cumsum(values != 0)])
    total = sums[ends] - sums[ends - durations]
    number = counts[ends] - counts[ends - durations]
    return np.where(number > 0, total / np.maximum(number, 1), 0.0).astype(np.float32)


class _Moments:
    def __init__(self, size: int) -> None:
        self.count = 0
        self.sum = np.zeros(size)
        self.squares = np.zeros(size)

    def add(self, rows: np.ndarray) -> None:
        rows = rows.reshape(len(rows), -1).astype(np.float64)
        self.count += len(rows)
        self.sum += rows.sum(0)
        self.squares += (rows**2).sum(0)

    def mean_std(self) -> tuple[list[float], list[float]]:
        mean = self.sum / self.count
        std = np.sqrt(np.maximum(self.squares / self.count - mean**2, 1e-10))
        return mean.round(6).tolist(), std.round(6).tolist()


def read_manifest(out: Path) -> list[dict[str, Any]]:
    """Read the corpus manifest."""
    lines = (out / "corpus" / "manifest.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def extract_features(settings: TrainingSettings, out: Path) -> Statistics:
    """Extract and save the features of all utterances."""
    rows = read_manifest(out)
    moments = {"mel": _Moments(settings.audio.n_mels), "f0": _Moments(1), "energy": _Moments(1)}
    columns: dict[str, list[np.ndarray]] = {name: [] for name in (*FRAME_ARRAYS, "audio")}
    index = []
    for row in tqdm(rows, desc="features", unit="sentence"):
        samples, _ = soundfile.read(out / "corpus" / "wav" / f"{row['id']}.wav", dtype="int16")
        features = extract(samples.astype(np.float32) / 32768.0, settings.audio)
        if row["split"] == "train":
            moments["mel"].add(features.mel)
            moments["f0"].add(features.f0_hz * features.voiced)
            moments["energy"].add(features.energy)
        durations = frame_durations(row["boundaries_s"], len(features.mel), settings.audio)
        index.append(
            {**row, "durations": durations.tolist(), "n_frames": len(features.mel), "n_samples": len(samples)}
        )
        for name in FRAME_ARRAYS:
            columns[name].append(getattr(features, name))
        columns["audio"].append(samples)
    statistics = _statistics(moments)
    _save(out / "features", columns, index, statistics)
    return statistics


def _statistics(moments: dict[str, _Moments]) -> Statistics:
    mel_mean, mel_std = moments["mel"].mean_std()
    (f0_mean,), (f0_std,) = moments["f0"].mean_std()
    (energy_mean,), (energy_std,) = moments["energy"].mean_std()
    return Statistics(mel_mean, mel_std, f0_mean, f0_std, energy_mean, energy_std)


def _save(
    folder: Path, columns: dict[str, list[np.ndarray]], index: list[dict[str, Any]], statistics: Statistics
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pieces in columns.items():
        np.save(folder / f"{name}.npy", np.concatenate(pieces))
    (folder / "index.json").write_text(json.dumps(index, ensure_ascii=False), "utf-8")
    (folder / "statistics.json").write_text(json.dumps(asdict(statistics)), "utf-8")


def load_statistics(out: Path) -> Statistics:
    """Read the statistics that `extract_features` wrote."""
    return Statistics(**json.loads((out / "features" / "statistics.json").read_text("utf-8")))


def load_utterances(out: Path, split: str, tables: SymbolTables) -> Iterator[Utterance]:
    """Yield the utterances of a split, `train` or `validation`."""
    folder = out / "features"
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in (*FRAME_ARRAYS, "audio")}
    frame = sample = 0
    for row in json.loads((folder / "index.json").read_text("utf-8")):
        frames = slice(frame, frame + row["n_frames"])
        samples = slice(sample, sample + row["n_samples"])
        frame, sample = frames.stop, samples.stop
        if row["split"] != split:
            continue
        features = FrameFeatures(**{name: np.array(arrays[name][frames]) for name in FRAME_ARRAYS})
        yield Utterance(
            name=row["id"],
            text=row["text"],
            emotion=row["emotion"],
            tokens=tuple(row["tokens"]),
            ids=tables.encode(row["tokens"]),
            durations=np.asarray(row["durations"], np.int64),
            mel=features.mel,
            f0_hz=features.f0_hz,
            voiced=features.voiced,
            energy=features.energy,
            audio=np.array(arrays["audio"][samples]),
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    statistics = extract_features(load_settings(arguments.config), arguments.out)
    sys.stdout.write(
        f"features in {arguments.out / 'features'}; F0 mean {statistics.f0_mean:.1f} Hz (with zeros)\n"
    )


if __name__ == "__main__":
    main()
