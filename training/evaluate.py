"""Measure an exported voice against its teacher on held-out sentences that no training saw.

    python -m training.evaluate --config configs/training/shanquan.yaml --out build/shanquan --voices voices

Input   the bundle as it is shipped (spoken through the serving code), the validation split, the recogniser
Output  evaluation.json in the bundle, and a table on the terminal
State   none

Measures, each over all sentences:
  copy_log_mel_l1, copy_f0_cents   copy synthesis (training/copy_synthesis.py)
  mcd_db                           mel-cepstral distortion after dynamic time warping: 24 coefficients of the
                                   cosine transform of the log mel, without the zeroth (Kubichek 1993)
  f0_rmse_cents, f0_correlation    log F0 on warped frames that both hold voiced
  voicing_error                    share of warped frames on which they disagree
  duration_error_ms                mean absolute error per phone
  teacher_error_rate, error_rate   phone and tone error rate that the recogniser finds in either
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import librosa
import numpy as np
from scipy.fft import dct
from tqdm import tqdm

from streaming.loaded_voice import LoadedVoice, load_voice
from streaming.sambert_manifest import as_sambert
from streaming.synthesis.segment import SegmentSynthesis, grid_of
from streaming.synthesis.steps import run_steps
from streaming.synthesis.vocoder import VocoderStream
from streaming.text.symbols import SymbolTables
from streaming.types import FloatArray, IntArray, MelChunk, Phonemes, Style
from training.acoustic_data import acoustic_item
from training.copy_synthesis import copy_error
from training.features import Statistics, Utterance, load_statistics, load_utterances
from training.mel import FrameFeatures, extract
from training.nets.spectral import LogMel
from training.recogniser import Recogniser, edit_distance, recogniser_input, sentence_units
from training.settings import TrainingSettings, load_settings
from training.train_recogniser import load_recogniser

EVALUATION_NAME = "evaluation.json"
N_CEPSTRA = 24


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sentence of the voice: its samples, and those at which tokens start and the last one ends."""

    audio: FloatArray
    token_starts: IntArray


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The measures of the module docstring; rates are shares."""

    sentences: int
    copy_log_mel_l1: float
    copy_f0_cents: float
    mcd_db: float
    f0_rmse_cents: float
    f0_correlation: float
    voicing_error: float
    duration_error_ms: float
    teacher_error_rate: float
    error_rate: float


def speak(voice: LoadedVoice, item: Utterance) -> Spoken:
    """Speak a sentence of the corpus, in its emotion."""
    return speak_phonemes(voice, Phonemes(item.tokens, item.ids), Style(emotion=item.emotion))


def speak_phonemes(voice: LoadedVoice, phonemes: Phonemes, style: Style) -> Spoken:
    """Speak phonemes through the serving code."""
    synthesis = SegmentSynthesis(voice.engine, as_sambert(voice.manifest), phonemes, style)
    pieces = []
    while (chunk := synthesis.advance()) is not None:
        pieces.append(chunk.samples)
    return Spoken(np.concatenate(pieces), synthesis.token_start_samples)


def copy_speak(voice: LoadedVoice, frames: FloatArray) -> FloatArray:
    """Run the voice's vocoder alone on feature frames [n_frames, n_features], on the grid."""
    stream = VocoderStream(as_sambert(voice.manifest), Style(), len(frames))
    stream.push(MelChunk(frames, 0))
    grid = grid_of(as_sambert(voice.manifest))
    plans = [grid.block(index) for index in range(grid.n_blocks(len(frames)))]
    return np.concatenate([run_steps(voice.engine, stream.block(plan)).samples for plan in plans])


def cepstra(mel: FloatArray) -> FloatArray:
    """Mel cepstra [T, 24] of mel in [0, 1], without the zeroth coefficient."""
    log_amplitude = (mel.astype(np.float64) * 100.0 - 80.0) / 20.0 * np.log(10.0)
    transformed = dct(log_amplitude, type=2, axis=1) / (2.0 * mel.shape[1])
    return np.asarray(transformed[:, 1 : N_CEPSTRA + 1], np.float32)


def warping_path(ours: FloatArray, theirs: FloatArray) -> tuple[IntArray, IntArray]:
    """Align two cepstrum sequences; return frame indices of either, in order."""
    _, path = librosa.sequence.dtw(ours.T, theirs.T, metric="euclidean")
    return path[::-1, 0], path[::-1, 1]


class Comparison:
    """Collects aligned frames of all sentences."""

    def __init__(self) -> None:
        self._distortions: list[FloatArray] = []
        self._log_f0: list[np.ndarray] = []
        self._voicing: list[np.ndarray] = []

    def add(self, ours: FrameFeatures, theirs: FrameFeatures) -> None:
        """Align and collect one sentence."""
        our_cepstra, their_cepstra = cepstra(ours.mel), cepstra(theirs.mel)
        a, b = warping_path(our_cepstra, their_cepstra)
        squares = ((our_cepstra[a] - their_cepstra[b]) ** 2).sum(1)
        self._distortions.append(10.0 / np.log(10.0) * np.sqrt(2.0 * squares))
        voiced_a, voiced_b = ours.voiced[a] > 0, theirs.voiced[b] > 0
        self._voicing.append(voiced_a != voiced_b)
        both = voiced_a & voiced_b
        self._log_f0.append(np.log2(np.stack([ours.f0_hz[a][both], theirs.f0_hz[b][both]])))

    def measures(self) -> dict[str, float]:
        """Return mcd_db, voicing_error, f0_rmse_cents and f0_correlation (both NaN if all is unvoiced)."""
        log_f0 = np.concatenate(self._log_f0, axis=1)
        voiced = log_f0.shape[1] > 1
        rmse_cents = 1200.0 * np.sqrt(((log_f0[0] - log_f0[1]) ** 2).mean()) if voiced else np.nan
        return {
            "mcd_db": float(np.concatenate(self._distortions).mean()),
            "f0_rmse_cents": float(rmse_cents),
            "f0_correlation": float(np.corrcoef(log_f0)[0, 1]) if voiced else float("nan"),
            "voicing_error": float(np.concatenate(self._voicing).mean()),
        }


def duration_error_ms(spoken: Spoken, item: Utterance, settings: TrainingSettings) -> float:
    """Mean absolute error of the phones' durations (pauses not counted)."""
    ours = np.diff(spoken.token_starts) / settings.audio.hop_length
    phones = np.array([not token.startswith("#") for token in item.tokens])
    frames = np.abs(ours - item.durations)[phones].mean()
    return float(frames * 1000.0 * settings.audio.hop_length / settings.audio.sample_rate)


def count_errors(
    recogniser: Recogniser, features: FrameFeatures, item: Utterance, statistics: Statistics
) -> int:
    """Phone and tone errors that the recogniser finds in a recording of a sentence."""
    heard = recogniser.transcribe(recogniser_input(features, statistics))
    return edit_distance(heard, sentence_units(item.tokens))


def evaluate(
    settings: TrainingSettings, out: Path, voice: LoadedVoice, items: Sequence[Utterance]
) -> Evaluation:
    """Speak and measure all sentences."""
    statistics, recogniser = load_statistics(out), load_recogniser(settings, out)
    tables, log_mel = SymbolTables(), LogMel(settings.audio.sample_rate)
    comparison, copies, durations = Comparison(), [], []
    teacher_errors = our_errors = n_units = 0
    for item in tqdm(items, desc="evaluation", unit="sentence"):
        real = item.audio.astype(np.float32) / 32768.0
        frames = acoustic_item(item, statistics, tables).mel
        copy = copy_speak(voice, frames)
        length = min(len(copy), len(real))
        copies.append(copy_error(copy[:length], real[:length], log_mel, settings.audio))
        spoken = speak(voice, item)
        ours, theirs = extract(spoken.audio, settings.audio), item.features
        comparison.add(ours, theirs)
        durations.append(duration_error_ms(spoken, item, settings))
        our_errors += count_errors(recogniser, ours, item, statistics)
        teacher_errors += count_errors(recogniser, theirs, item, statistics)
        n_units += len(sentence_units(item.tokens))
    return Evaluation(
        sentences=len(items),
        copy_log_mel_l1=float(np.mean([error.log_mel_l1 for error in copies])),
        copy_f0_cents=float(np.nanmean([error.f0_cents for error in copies])),
        duration_error_ms=float(np.mean(durations)),
        teacher_error_rate=teacher_errors / n_units,
        error_rate=our_errors / n_units,
        **comparison.measures(),
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--voices", type=Path, default=Path("voices"))
    parser.add_argument("--limit", type=int, default=None, help="only so many sentences")
    arguments = parser.parse_args()
    settings = load_settings(arguments.config)
    folder = arguments.voices / settings.name
    items = list(load_utterances(arguments.out, "validation", SymbolTables()))[: arguments.limit]
    result = asdict(evaluate(settings, arguments.out, load_voice(folder), items))
    (folder / EVALUATION_NAME).write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    for name, value in result.items():
        sys.stdout.write(f"{name:24} {value:.4g}\n")


if __name__ == "__main__":
    main()
