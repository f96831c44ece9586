"""What each rung costs in quality: the same sentences in fp32 and on the rung, compared.

snr_db             waveform
pesq_wb            ITU-T P.862.2, fp32 as the reference
duration_ms        mean change of a phone's duration: a frame more or less is 12.5 ms
log_mel_db         mean distance of log mel spectra after dynamic time warping
f0_rmse_cents      on warped frames that both hold voiced
voicing_error      share of warped frames on which they disagree
seam_db            roughness (squared second difference) within 2 ms of block borders over that elsewhere,
                   minus the same of fp32
error_rate         phone and tone errors that the recogniser hears, and of fp32; with --recogniser only

For snr_db and pesq_wb the rung speaks with the durations of fp32, since samples are compared; for all others
with its own.

The first row is a control: fp32 with another seed of its noise, which nobody would call worse. It tells what
the measures make of nothing.

The limits are those of configs/quality.yaml; a measure that could not be taken is not passed. The last line
printed is one JSON object with every figure. Run with `make bench-quality`, or `python -m benchmarks.quality
--help`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.ladder import DISTRIBUTIONS
from benchmarks.machine import ROOT, describe_machine
from benchmarks.rungs import FP32, possible_rungs, with_precisions
from benchmarks.sentences import sentence
from benchmarks.ttfc import choose_voice, require_torch
from streaming.engines.bundle import BundleEngine, snr_db
from streaming.errors import VoiceBundleError
from streaming.frontends import make_frontend
from streaming.manifest import NetworkName
from streaming.sambert_manifest import SambertManifest, as_sambert
from streaming.synthesis.engine import Array, Engine
from streaming.synthesis.segment import SegmentSynthesis
from streaming.types import FloatArray, IntArray, Phonemes, Style
from streaming.voice import load_manifest

CONTROL = "fp32, other noise"
LIMITS = ROOT / "configs" / "quality.yaml"
SEAM_S = 0.002
UPPER = (
    "duration_ms",
    "log_mel_db",
    "f0_rmse_cents",
    "voicing_error",
    "error_rate_change",
    "seam_db",
)  # at most
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sentence: its samples, and those at which blocks and tokens begin."""

    audio: FloatArray
    borders: tuple[int, ...]
    token_starts: IntArray


@dataclass(frozen=True, slots=True)
class SameTiming:
    """Runs an engine with the durations of another."""

    engine: BundleEngine
    timing: BundleEngine

    @property
    def name(self) -> str:
        """That of the engine."""
        return self.engine.name

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run one network."""
        outputs = self.engine.run(network, inputs)
        if network == "encoder":
            outputs["log_durations"] = self.timing.run(network, inputs)["log_durations"]
        return outputs


def speak(engine: Engine, manifest: SambertManifest, phonemes: Phonemes, style: Style) -> Spoken:
    """Speak a sentence through the serving code."""
    synthesis = SegmentSynthesis(engine, manifest, phonemes, style)
    pieces, borders = [], []
    while (chunk := synthesis.advance()) is not None:
        borders.append(chunk.start_sample)
        pieces.append(chunk.samples)
    return Spoken(np.concatenate(pieces), tuple(borders[1:]), synthesis.token_start_samples)


def seam_db(spoken: Sequence[Spoken], rate: int) -> float:
    """Return the mean squared second difference around block borders over that elsewhere (dB)."""
    near, far = [], []
    reach = round(SEAM_S * rate)
    for one in spoken:
        roughness = np.square(np.diff(one.audio.astype(np.float64), 2))
        mask = np.zeros(roughness.size, bool)
        for border in one.borders:
            mask[max(border - reach, 0) : border + reach] = True
        near.append(roughness[mask])
        far.append(roughness[~mask])
    return 10.0 * float(np.log10(np.concatenate(near).mean() / np.concatenate(far).mean()))


def pesq_wb(reference: FloatArray, found: FloatArray, rate: int) -> float | None:
    """Return wide-band PESQ; None where its library is missing or the rate is not 16 kHz."""
    try:
        from pesq import pesq
    except ModuleNotFoundError:
        return None
    return float(pesq(rate, reference, found, "wb")) if rate == 16_000 else None


def compare(
    reference: Sequence[Spoken], found: Sequence[Spoken], timed: Sequence[Spoken], rate: int
) -> Figures:
    """Measure all sentences of a rung against those of fp32; `timed` are the rung's with fp32's durations."""
    from training.evaluate import Comparison, cepstra, warping_path
    from training.mel import extract
    from training.settings import load_settings

    audio = load_settings(ROOT / "configs" / "training" / "shanquan.yaml").audio
    comparison, distances, durations, snrs, scores = Comparison(), [], [], [], []
    for one, other, same in zip(reference, found, timed, strict=True):
        a, b = extract(one.audio, audio), extract(other.audio, audio)
        comparison.add(b, a)
        ours, theirs = warping_path(cepstra(b.mel), cepstra(a.mel))
        distances.append(np.abs(100.0 * (b.mel[ours] - a.mel[theirs])).mean())
        changes = np.diff(one.token_starts) - np.diff(other.token_starts)
        durations.append(1000.0 * np.abs(changes).mean() / rate)
        snrs.append(snr_db({"audio": one.audio}, {"audio": same.audio}))
        scores.append(pesq_wb(one.audio, same.audio, rate))
    measured = [score for score in scores if score is not None]
    measures = comparison.measures()
    return {
        "snr_db": round(float(np.median(snrs)), 1) if np.isfinite(snrs).all() else None,
        "duration_ms": round(float(np.mean(durations)), 2),
        "log_mel_db": round(float(np.mean(distances)), 3),
        "f0_rmse_cents": round(measures["f0_rmse_cents"], 1),
        "voicing_error": round(measures["voicing_error"], 4),
        "pesq_wb": round(float(np.mean(measured)), 3) if measured else None,
        "seam_db": round(seam_db(found, rate) - seam_db(reference, rate), 3),
    }


Count = Callable[[Sequence[Spoken]], float]


def recogniser_of(out: Path, phonemes: Sequence[Phonemes]) -> Count:
    """Return what counts phone and tone errors in spoken sentences, as a share of what was to be said."""
    from training.features import load_statistics
    from training.mel import extract
    from training.recogniser import edit_distance, recogniser_input, sentence_units
    from training.settings import load_settings
    from training.train_recogniser import load_recogniser

    settings = load_settings(ROOT / "configs" / "training" / "shanquan.yaml")
    recogniser, statistics = load_recogniser(settings, out), load_statistics(out)
    units = [sentence_units(one.tokens) for one in phonemes]

    def count(spoken: Sequence[Spoken]) -> float:
        errors = 0
        for one, expected in zip(spoken, units, strict=True):
            heard = recogniser.transcribe(recogniser_input(extract(one.audio, settings.audio), statistics))
            errors += edit_distance(heard, expected)
        return errors / sum(map(len, units))

    return count


def judge(figures: Figures, limits: dict[str, float]) -> list[str]:
    """Return why a rung does not pass; empty if it does."""
    failed = []
    for name, limit in limits.items():
        value = figures.get(name)
        if value is None:
            failed.append(f"{name} not measured")
        elif not (value <= limit if name in UPPER else value >= limit):
            failed.append(f"{name} {value:g} (limit {limit:g})")
    return failed


def run(folder: Path, options: argparse.Namespace) -> list[Figures]:
    """Measure every rung."""
    manifest = as_sambert(load_manifest(folder))
    frontend, limits = make_frontend(manifest), yaml.safe_load(LIMITS.read_text("utf-8"))
    phonemes = []
    for number in range(options.sentences):
        one = frontend.phonemes(sentence(60, number))
        assert one is not None
        phonemes.append(one)
    emotions = list(manifest.emotions)
    styles = [Style(emotion=emotions[number % len(emotions)]) for number in range(options.sentences)]

    def all_of(engine: Engine, styles: Sequence[Style] = styles) -> list[Spoken]:
        return [speak(engine, manifest, one, style) for one, style in zip(phonemes, styles, strict=True)]

    fp32 = BundleEngine(folder, manifest)
    reference = all_of(fp32)
    count = recogniser_of(options.recogniser, phonemes) if options.recogniser else None
    base = count(reference) if count else None
    other = all_of(fp32, [replace(style, seed=style.seed + 1) for style in styles])
    rows: list[Figures] = [{"name": CONTROL, **compare(reference, other, other, manifest.sample_rate)}]
    sys.stderr.write(f"{rows[0]}\n")
    rungs = possible_rungs(folder)
    for name in options.rungs or rungs:
        try:
            engine = BundleEngine(folder, manifest, rungs[name])
            found = reference if name == FP32 else all_of(engine)
            timed = reference if name == FP32 else all_of(SameTiming(engine, fp32))
        except VoiceBundleError as error:
            rows.append({"name": name, "reason": str(error)})
            continue
        figures = compare(reference, found, timed, manifest.sample_rate)
        if count and base is not None:
            figures["error_rate"] = round(count(found), 4)
            figures["error_rate_change"] = round(figures["error_rate"] - base, 4)
        rows.append({"name": name, **figures, "fails": judge(figures, limits)})
        sys.stderr.write(f"{rows[-1]}\n")
    return rows


COLUMNS = (
    *("snr_db", "pesq_wb", "duration_ms", "log_mel_db", "f0_rmse_cents", "voicing_error", "seam_db"),
    *("error_rate", "error_rate_change"),
)


def report(rows: list[Figures], head: list[str], result: Figures) -> str:
    """Lay out the head, the table and the closing JSON line."""
    lines = [*head, "", f"| rung | {' | '.join(COLUMNS)} | passes |", f"|{' --- |' * (len(COLUMNS) + 2)}"]
    for row in rows:
        if "reason" in row:
            lines.append(f"| {row['name']} | skipped: {row['reason']} |")
            continue
        cells = ["-" if row.get(name) is None else f"{row[name]:g}" for name in COLUMNS]
        verdict = ("; ".join(row["fails"]) or "yes") if "fails" in row else "control"
        lines.append(f"| {' | '.join([row['name'], *cells, verdict])} |")
    return "\n".join([*lines, "", json.dumps(result, ensure_ascii=False)])


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--sentences", type=int, default=60)
    parser.add_argument("--rungs", nargs="*", help="only these (all)")
    parser.add_argument("--recogniser", type=Path, metavar="OUT", help="build folder of the training")
    options = parser.parse_args(arguments)
    require_torch()
    machine = describe_machine(DISTRIBUTIONS)
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.quality", *given])
    with tempfile.TemporaryDirectory() as scratch:
        benched = choose_voice(None, Path(scratch))
        folder = with_precisions(benched.folder, Path(scratch))
        rows = run(folder, options)
        name = load_manifest(folder).name
    head = [
        *machine.head(command),
        f"voice     {name}, {options.sentences} sentences",
    ]
    result = {"benchmark": "quality", "voice": name, "rows": rows, **asdict(machine), "command": command}
    sys.stdout.write(report(rows, head, result) + "\n")


if __name__ == "__main__":
    main()
