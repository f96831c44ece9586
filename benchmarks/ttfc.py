"""Time to first chunk: our server over a socket, against the whole utterance in plain PyTorch.

Both have the same weights, text frontend and machine, and take turns sentence by sentence, so that whatever
else the machine does meets both alike:

(a) whole      text -> phonemes -> Sambert -> HiFi-GAN in PyTorch eager, all of the utterance, with all cores.
               Nothing is heard before the end: `whole_ms` is the time to its first chunk.
(b) streamed   `zhiyin serve` as a process of its own, one warm WebSocket connection, one request per
               utterance at the voice's sample rate.
               TTFC: request sent -> first audio frame received (docs/metrics.md).

The voice is the shipped one, or with `--voice` a KAN-TTS checkpoint, which is first imported into a temporary
folder; that is timed too.

Every repetition speaks another text (benchmarks/sentences.py), and the server keeps no segments: the later
clauses of two texts may be alike. Both sides speak a few texts unmeasured first.
The last line printed is one JSON object with the rows and what they were measured on.

Run with `make bench-ttfc`, or `python -m benchmarks.ttfc --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arguments import parse_with_texts
from benchmarks.machine import ROOT, Machine, describe_machine
from benchmarks.sentences import sentence, warmed_up
from benchmarks.server import NO_CACHE, running_server
from benchmarks.wire import Reception, StreamTimer
from server.import_command import print_progress
from streaming.errors import StreamError
from streaming.frontends import symbol_tables
from streaming.manifest import VoiceManifest
from streaming.sambert_manifest import as_sambert
from streaming.text.frontend import Frontend
from streaming.types import FloatArray, IntArray, Phonemes, Style
from streaming.voice import find_voices, load_manifest

DISTRIBUTIONS = ("zhiyin", "torch", "onnxruntime", "numpy", "aiohttp", "uvloop", "websockets")

Reference = Callable[[IntArray, Style], FloatArray]


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured for one length of sentence; times in milliseconds, medians unless named otherwise."""

    phones: int
    repetitions: int
    audio_s: float
    whole_ms: float
    whole_rtf: float
    ttfc_p50_ms: float
    ttfc_p95_ms: float
    audible_ttfc_p50_ms: float
    rtf: float
    underruns: int
    underrun_ms: float
    ratio: float


@dataclass(frozen=True, slots=True)
class WholePipeline:
    """(a): everything in this process, nothing heard before the end."""

    frontend: Frontend
    reference: Reference

    def phonemes(self, text: str) -> Phonemes:
        """Pronounce `text`."""
        phonemes = self.frontend.phonemes(text)
        if phonemes is None:
            raise RuntimeError(f"nothing to say in {text!r}")
        return phonemes

    def speak_ms(self, text: str, rate: int) -> tuple[float, float]:
        """Synthesise `text`; return the time it took and the duration of its audio."""
        start = time.perf_counter()
        samples = self.reference(self.phonemes(text).ids, Style())
        elapsed_ms = 1000 * (time.perf_counter() - start)
        return elapsed_ms, 1000 * len(samples) / rate


def count_phones(phonemes: Phonemes) -> int:
    """Count the tokens that are sounds, not breaks between words."""
    return sum(not token.startswith("#") for token in phonemes.tokens)


async def measure_length(
    phones: int, repetitions: int, whole: WholePipeline, server: StreamTimer, voice: VoiceManifest
) -> Row:
    """Speak `repetitions` sentences of one length on both sides in turn."""
    rate = voice.sample_rate
    wholes: list[tuple[float, float]] = []
    streamed: list[Reception] = []
    counts: list[int] = []
    for repetition in warmed_up(repetitions):
        text = sentence(phones, repetition)
        whole_run = whole.speak_ms(text, rate)
        reception = await server.speak(text, voice.name, rate)
        if repetition < repetitions:
            wholes.append(whole_run)
            streamed.append(reception)
            counts.append(count_phones(whole.phonemes(text)))
    return summarise(round(float(np.mean(counts))), wholes, streamed)


def summarise(phones: int, wholes: list[tuple[float, float]], streamed: list[Reception]) -> Row:
    """Reduce the repetitions of one length to a row."""
    ttfc_ms = np.array([reception.ttfc_ms for reception in streamed])
    whole_ms = np.array([elapsed for elapsed, _ in wholes])
    gaps_ms = [gap for reception in streamed for gap in reception.underruns_ms()]
    ttfc_p50_ms = float(np.median(ttfc_ms))
    return Row(
        phones=phones,
        repetitions=len(streamed),
        audio_s=round(float(np.median([reception.audio_ms for reception in streamed])) / 1000, 2),
        whole_ms=round(float(np.median(whole_ms)), 1),
        whole_rtf=round(float(np.median([elapsed / audio for elapsed, audio in wholes])), 4),
        ttfc_p50_ms=round(ttfc_p50_ms, 2),
        ttfc_p95_ms=round(float(np.percentile(ttfc_ms, 95)), 2),
        audible_ttfc_p50_ms=round(float(np.median([r.audible_ttfc_ms for r in streamed])), 2),
        rtf=round(float(np.median([reception.receipt["rtf"] for reception in streamed])), 4),
        underruns=len(gaps_ms),
        underrun_ms=round(sum(gaps_ms), 2),
        ratio=round(float(np.median(whole_ms)) / ttfc_p50_ms, 1),
    )


async def run(options: argparse.Namespace, folder: Path, whole: WholePipeline) -> list[Row]:
    """Start the server with the voice's folder and measure every length on one connection."""
    voice = load_manifest(folder)
    flags = ["--voices", str(folder.parent), *shlex.split(options.server_flags)]
    with running_server(flags, NO_CACHE) as address:
        async with StreamTimer(f"ws://{address}") as server:
            return [
                await measure_length(phones, options.repetitions, whole, server, voice)
                for phones in options.phones
            ]


def report(rows: list[Row], machine: Machine, config: dict[str, Any]) -> str:
    """Lay out the head, the table and the closing JSON line."""
    titles = ("phones", "audio s", "whole ms", "whole RTF", "TTFC p50 ms", "TTFC p95 ms", "audible p50 ms")
    table = [[*titles, "RTF", "underruns", "ratio"], ["---"] * (len(titles) + 3)]
    table += [_cells(row) for row in rows]
    imported = f"; imported in {config['import_s']} s" if config.get("import_s") else ""
    result = {"benchmark": "ttfc", "rows": [asdict(row) for row in rows], "config": config, **asdict(machine)}
    lines = [
        *machine.head(config["command"]),
        f"voice     {config['voice']}, {config['sample_rate']} Hz{imported}",
        f"texts     {config['repetitions']} per row",
        "",
        *(f"| {' | '.join(cells)} |" for cells in table),
        "",
        json.dumps(result, ensure_ascii=False),
    ]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    return [
        f"{row.phones}",
        f"{row.audio_s:.1f}",
        f"{row.whole_ms:.0f}",
        f"{row.whole_rtf:.3f}",
        f"{row.ttfc_p50_ms:.1f}",
        f"{row.ttfc_p95_ms:.1f}",
        f"{row.audible_ttfc_p50_ms:.1f}",
        f"{row.rtf:.3f}",
        f"{row.underruns} ({row.underrun_ms:.0f} ms)",
        f"{row.ratio:.1f}",
    ]


@dataclass(frozen=True, slots=True)
class BenchedVoice:
    """The voice to measure.

    Attributes:
        folder: Its bundle.
        checkpoint: What it was imported from; None for a shipped voice.
        import_s: How long that took.
    """

    folder: Path
    checkpoint: Path | None = None
    import_s: float | None = None


def load_whole_pipeline(voice: BenchedVoice) -> WholePipeline:
    """Load the voice's weights into PyTorch."""
    from training.reference import load_imported_reference, load_reference  # torch: see `require_torch`

    manifest = as_sambert(load_manifest(voice.folder))
    frontend = Frontend(symbol_tables(manifest))
    frontend.warm_up()
    if voice.checkpoint is None:
        return WholePipeline(frontend, load_reference(voice.folder))
    return WholePipeline(frontend, load_imported_reference(voice.checkpoint, manifest))


def require_torch() -> None:
    """Refuse to start without torch.

    Raises:
        SystemExit: It is not installed.
    """
    if find_spec("torch") is None:
        raise SystemExit(
            "this benchmark compares with PyTorch, which is not installed: run `make bench-ttfc`"
        )


def choose_voice(wanted: Path | None, scratch: Path) -> BenchedVoice:
    """Return the shipped voice, or import the wanted checkpoint into `scratch`.

    Raises:
        SystemExit: There is no voice, or the checkpoint cannot be imported.
    """
    if wanted is not None:
        return _imported(wanted.resolve(), scratch)
    shipped = find_voices([ROOT / "voices"])
    if not shipped:
        raise SystemExit(f"no voice in {ROOT / 'voices'}; name a checkpoint with --voice")
    return BenchedVoice(shipped[min(shipped)])


def _imported(checkpoint: Path, scratch: Path) -> BenchedVoice:
    from training.import_voice import FAILURES, import_voices  # torch: see `require_torch`
    from training.imported_manifest import ImportOptions

    start = time.perf_counter()
    try:
        manifests = import_voices(checkpoint, scratch, ImportOptions(), print_progress)
    except FAILURES as error:
        raise SystemExit(f"{checkpoint} was not imported: {error}") from error
    return BenchedVoice(scratch / manifests[0].name, checkpoint, round(time.perf_counter() - start, 1))


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ttfc", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--voice",
        type=Path,
        metavar="CHECKPOINT",
        help="checkpoint folder (default: the shipped voice)",
    )
    return parse_with_texts(parser, arguments, repetitions=30)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    options = parse_arguments(arguments)
    require_torch()
    machine = describe_machine(DISTRIBUTIONS)  # first: the load is that of the machine, not of this run
    with tempfile.TemporaryDirectory() as scratch:
        benched = choose_voice(options.voice, Path(scratch))
        try:
            whole = load_whole_pipeline(benched)
            rows = asyncio.run(run(options, benched.folder, whole))
            voice = load_manifest(benched.folder)
        except (RuntimeError, StreamError) as error:
            raise SystemExit("\n".join([str(error), *getattr(error, "__notes__", [])])) from error
    config = {
        "command": shlex.join(["python", "-m", "benchmarks.ttfc", *(arguments or sys.argv[1:])]),
        "voice": voice.name,
        "import_s": benched.import_s,
        "sample_rate": voice.sample_rate,
        "repetitions": options.repetitions,
        "server_flags": options.server_flags,
    }
    sys.stdout.write(report(rows, machine, config) + "\n")


if __name__ == "__main__":
    main()
