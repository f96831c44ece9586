"""The ladder: the same sentences on every rung, from whole utterances in PyTorch to what streams fastest.

Rungs take turns sentence by sentence, so that whatever else the machine does meets all alike. All run in this
process on one thread, except where a rung's name says otherwise; the time over a socket is that of
benchmarks/ttfc.py.

latency   text -> the last sample of the sentence
TTFC      text -> the first samples; of a rung that does not stream, the same as its latency
RTF       compute seconds per second of audio
memory    resident size of a process of its own that has loaded the rung and spoken once
streams   seconds of audio per second of computing, with so many rows in a call (--batches)

A rung that this machine cannot climb is listed with the reason. The last line printed is one JSON object with
every figure. Run with `make bench-ladder`, or `python -m benchmarks.ladder --help`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.rungs import (
    FP32,
    GPU_PRECISIONS,
    PRECISIONS,
    build_missing_engines,
    possible_rungs,
    rungs_for,
    with_precisions,
)
from benchmarks.sentences import sentence, warmed_up
from benchmarks.sgemm import measure_efficiency
from benchmarks.sweep import streams_by_batch
from benchmarks.ttfc import BenchedVoice, choose_voice, load_whole_pipeline, require_torch
from server.import_command import print_progress
from streaming.engines.bundle import BundleEngine
from streaming.engines.choice import EnginePlan
from streaming.errors import EngineError, VoiceBundleError
from streaming.frontends import make_frontend
from streaming.recorded_calls import record_calls
from streaming.sambert_manifest import SambertManifest, as_sambert
from streaming.synthesis.segment import SegmentSynthesis
from streaming.types import AudioChunk, FloatArray, Phonemes, Style
from streaming.voice import load_manifest

DISTRIBUTIONS = ("zhiyin", "torch", "onnxruntime", "openvino", "numba", "numpy")
GPU_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
TAIL_FRAMES = 64  # beyond a sentence's end, for what post-net and vocoder look ahead
BYTES_PER_MB = 1_000_000
Figures = dict[str, Any]

Speak = Callable[[Phonemes, int], Iterator[FloatArray]]
"""Phonemes and how many frames they become (for buffers) in, audio out, piece by piece as it is computed."""


@dataclass(slots=True)
class Rung:
    """One way to speak.

    Attributes:
        name: What it is called in the table.
        speak: None where this machine cannot, and `reason` says why.
        plan: What a process that measures its memory loads; None: PyTorch.
    """

    name: str
    speak: Speak | None
    reason: str = ""
    plan: EnginePlan | None = None
    latencies_ms: list[float] = field(default_factory=list)
    ttfc_ms: list[float] = field(default_factory=list)
    rtf: list[float] = field(default_factory=list)


def streaming(folder: Path, plan: EnginePlan, *, whole: bool = False) -> Speak:
    """Return a rung on the serving code; `whole` computes all of a sentence before its first sample."""
    manifest = as_sambert(load_manifest(folder))
    engine = BundleEngine(folder, manifest, plan)

    def speak(phonemes: Phonemes, n_frames: int) -> Iterator[FloatArray]:
        blocks = (n_frames + TAIL_FRAMES,) if whole else manifest.block_frames
        spoken = manifest.model_copy(update={"block_frames": blocks})
        synthesis = SegmentSynthesis(engine, spoken, phonemes, Style())
        chunk: AudioChunk | None
        while (chunk := synthesis.advance()) is not None:
            yield chunk.samples

    return speak


def eager(benched: BenchedVoice) -> Speak:
    """Return the networks in PyTorch, all of the utterance, with all cores."""
    reference = load_whole_pipeline(benched).reference

    def speak(phonemes: Phonemes, n_frames: int) -> Iterator[FloatArray]:
        yield reference(phonemes.ids, Style())

    return speak


def climb(benched: BenchedVoice, folder: Path, device: str, engines: Path) -> list[Rung]:
    """Build every rung."""
    rungs = [
        Rung("PyTorch eager, whole utterance, all cores", eager(benched)),
        Rung("torch.compile, whole utterance", None, "each length compiles anew, two minutes on a CPU"),
        Rung("ONNX Runtime, whole utterance", streaming(folder, EnginePlan(), whole=True), plan=EnginePlan()),
    ]
    if device == "cuda":
        try:
            build_missing_engines(folder, engines)
        except EngineError as error:
            print_progress(str(error))
    for name, plan in rungs_for(folder, device).items():
        title = f"streaming, {name}"
        try:
            kept = replace(plan, engines=engines)
            rungs.append(Rung(title, streaming(folder, kept), plan=kept))
        except VoiceBundleError as error:
            rungs.append(Rung(title, None, str(error).partition("\n")[0]))
    return rungs


def measure(rung: Rung, phonemes_of: Callable[[], Phonemes], n_frames: int, rate: int, *, keep: bool) -> None:
    """Speak one sentence of so many frames; `keep` the times."""
    assert rung.speak is not None
    begun_s, first_s = time.perf_counter(), 0.0
    n_samples = 0
    for samples in rung.speak(phonemes_of(), n_frames):
        first_s = first_s or time.perf_counter()
        n_samples += samples.size
    over_s = time.perf_counter()
    if keep:
        rung.latencies_ms.append(1000 * (over_s - begun_s))
        rung.ttfc_ms.append(1000 * (first_s - begun_s))
        rung.rtf.append((over_s - begun_s) * rate / n_samples)


def run(rungs: list[Rung], manifest: SambertManifest, options: argparse.Namespace) -> list[Figures]:
    """Speak every sentence on every rung in turn."""
    frontend = make_frontend(manifest)
    able = [rung for rung in rungs if rung.speak is not None]
    reference = next(rung for rung in able if rung.name == f"streaming, {FP32}")
    for repetition in warmed_up(options.repetitions):
        keep = repetition < options.repetitions
        text = sentence(options.phones, repetition)

        def phonemes_of(text: str = text) -> Phonemes:
            phonemes = frontend.phonemes(text)
            assert phonemes is not None
            return phonemes

        assert reference.speak is not None
        n_frames = sum(piece.size for piece in reference.speak(phonemes_of(), 0)) // manifest.hop_length
        for rung in able:
            measure(rung, phonemes_of, n_frames, manifest.sample_rate, keep=keep)
    return [_row(rung) for rung in rungs]


def _row(rung: Rung) -> Figures:
    if rung.speak is None:
        return {"name": rung.name, "reason": rung.reason}
    latency_ms = float(np.median(rung.latencies_ms))
    return {
        "name": rung.name,
        "latency_p50_ms": round(latency_ms, 1),
        "ttfc_p50_ms": round(float(np.median(rung.ttfc_ms)), 1),
        "rtf_p50": round(float(np.median(rung.rtf)), 4),
        "sentences_per_s": round(1000 / latency_ms, 2),
    }


def memory_mb(folder: Path, rung: str) -> float:
    """Return the resident size of a process that has loaded the rung and spoken once."""
    command = [sys.executable, "-m", "benchmarks.ladder", "--memory-of", rung, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def tell_memory(folder: Path, rung: str) -> None:
    """Be that process: only what a server with this rung would load."""
    manifest = load_manifest(folder)
    phonemes = make_frontend(manifest).phonemes(sentence(60, 0))
    assert phonemes is not None
    list(streaming(folder, possible_rungs(folder)[rung])(phonemes, 0))
    n_pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    sys.stdout.write(f"{n_pages * 4096 / BYTES_PER_MB:.0f}\n")


def model_mb(folder: Path, plan: EnginePlan) -> float:
    """Return the size of the files that a rung reads."""
    return sum((folder / file).stat().st_size for file in plan.files(load_manifest(folder))) / BYTES_PER_MB


def efficiency(folder: Path, manifest: SambertManifest) -> Figures:
    """Return how close the fp32 vocoder comes to the processor's matrix products."""
    calls = record_calls(folder, manifest, (sentence(60, 0),))["vocoder"]
    largest = max(calls, key=lambda call: call["mel"].shape[1])
    measured = measure_efficiency(folder / manifest.network_file("vocoder", "fp32"), largest)
    return {
        "vocoder_gflops": round(measured.vocoder_gflops, 1),
        "sgemm_gflops": round(measured.sgemm_gflops, 1),
        "share": round(measured.share, 3),
    }


def draw(rows: list[Figures], path: Path, title: str) -> None:
    """Draw latency and TTFC of every rung that was climbed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    climbed = [row for row in rows if "reason" not in row][::-1]
    positions = np.arange(len(climbed))
    figure, axes = pyplot.subplots(figsize=(9, 0.5 * len(climbed) + 1.5), layout="constrained")
    for shift, name, label in (
        (0.2, "latency_p50_ms", "whole sentence"),
        (-0.2, "ttfc_p50_ms", "first chunk"),
    ):
        bars = axes.barh(positions + shift, [row[name] for row in climbed], 0.38, label=label)
        axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    axes.set_yticks(positions, [row["name"] for row in climbed])
    axes.margins(x=0.08)
    axes.set_xlabel("ms, median")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=110)


def report(rows: list[Figures], head: list[str], result: Mapping[str, Any]) -> str:
    """Lay out the head, the table and the closing JSON line."""
    titles = "rung | latency p50 ms | TTFC p50 ms | RTF | × PyTorch | sentences/s | memory MB | models MB"
    lines = [*head, "", f"| {titles} |", f"|{' --- |' * len(titles.split(' | '))}"]
    base_ms = rows[0]["latency_p50_ms"]
    for row in rows:
        if "reason" in row:
            lines.append(f"| {row['name']} | skipped: {row['reason']} |")
            continue
        cells = [
            row["name"],
            f"{row['latency_p50_ms']:.0f}",
            f"{row['ttfc_p50_ms']:.1f}",
            f"{row['rtf_p50']:.4f}",
            f"{base_ms / row['ttfc_p50_ms']:.1f}",
            f"{row['sentences_per_s']:.2f}",
            *(f"{row[name]:.0f}" if name in row else "-" for name in ("memory_mb", "model_mb")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for row in rows:
        if "streams" in row:
            text = ", ".join(f"{rows_}: {streams:.0f}" for rows_, streams in row["streams"].items())
            lines.append(f"streams of {row['name']} by rows of a call: {text}")
    return "\n".join([*lines, "", json.dumps(result, ensure_ascii=False)])


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ladder", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--voice", type=Path, metavar="CHECKPOINT", help="(default: the shipped voice)")
    parser.add_argument("--phones", type=int, default=60, choices=(20, 60, 150))
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="which rungs to climb")
    parser.add_argument(
        "--batches", type=int, nargs="*", metavar="ROWS",
        help="streams that each rung carries with so many in a call (with cuda: 1 to 512)",
    )  # fmt: skip
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the rungs")
    parser.add_argument("--memory-of", metavar="RUNG", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory_of:
        tell_memory(options.folder, options.memory_of)
        return
    require_torch()
    machine = describe_machine(DISTRIBUTIONS)
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.ladder", *given])
    with tempfile.TemporaryDirectory() as scratch:
        benched = choose_voice(options.voice, Path(scratch) / "imported")
        on_gpu = options.device == "cuda"
        folder = with_precisions(benched.folder, Path(scratch), GPU_PRECISIONS if on_gpu else PRECISIONS)
        manifest = as_sambert(load_manifest(folder))
        rungs = climb(benched, folder, options.device, Path(scratch) / "engines")
        rows = run(rungs, manifest, options)
        batches = (GPU_BATCHES if on_gpu else ()) if options.batches is None else options.batches
        calls = record_calls(folder, manifest, (sentence(60, 0),))
        for rung, row in zip(rungs, rows, strict=True):
            if rung.plan is None or rung.speak is None or not rung.name.startswith("streaming"):
                continue
            if not on_gpu:
                row["memory_mb"] = memory_mb(folder, rung.name.removeprefix("streaming, "))
            row["model_mb"] = round(model_mb(folder, rung.plan), 1)
            if batches:
                engine = BundleEngine(folder, manifest, rung.plan)
                row["streams"] = streams_by_batch(engine, manifest, calls, batches)
        speed = efficiency(folder, manifest)
    head = [
        *machine.head(command),
        f"voice     {manifest.name}, {options.repetitions} sentences of {options.phones} phones",
        f"vocoder   fp32: {speed['vocoder_gflops']} GFLOPS of the {speed['sgemm_gflops']} that large matrix"
        f" products reach on one core: {speed['share']:.0%}",
    ]
    if options.plot:
        draw(rows, options.plot, f"{manifest.name}, sentences of {options.phones} phones, {machine.cpu}")
    result = {
        "benchmark": "ladder",
        "rows": rows,
        "voice": manifest.name,
        "vocoder": speed,
        **asdict(machine),
        "command": command,
    }
    sys.stdout.write(report(rows, head, result) + "\n")


if __name__ == "__main__":
    main()
