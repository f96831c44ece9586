"""Time to first chunk of a sentence that was just spoken, against the first time it is spoken.

`zhiyin serve` runs as a process of its own. On one warm WebSocket connection each text is sent twice in
turn: first a miss, then a hit, so that whatever else the machine does meets both alike. TTFC is that of the
client, request sent -> first audio frame received; of hits that of the server's receipt stands beside it
(docs/metrics.md). Both answers must have the same samples.

No two texts begin alike (benchmarks/sentences.py), so that the first chunk of a miss is always computed. A
few texts are spoken unmeasured first. The last line printed is one JSON object with the rows and what they
were measured on.

Run with `make bench-cache`, or `python -m benchmarks.cache --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arguments import parse_with_texts
from benchmarks.machine import ROOT, Machine, describe_machine
from benchmarks.sentences import sentence, warmed_up
from benchmarks.server import running_server
from benchmarks.wire import Reception, StreamTimer
from streaming.errors import StreamError
from streaming.manifest import VoiceManifest
from streaming.voice import find_voices, load_manifest

DISTRIBUTIONS = ("zhiyin", "onnxruntime", "numpy", "aiohttp", "uvloop", "websockets")


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured for one length of sentence; times in milliseconds."""

    phones: int
    repetitions: int
    audio_s: float
    miss_p50_ms: float
    miss_p95_ms: float
    hit_p50_ms: float
    hit_p95_ms: float
    hit_p99_ms: float
    hit_server_p50_ms: float
    hit_server_p99_ms: float
    ratio: float


async def measure_length(phones: int, repetitions: int, server: StreamTimer, voice: VoiceManifest) -> Row:
    """Speak `repetitions` sentences of one length, each twice in turn."""
    misses: list[Reception] = []
    hits: list[Reception] = []
    for repetition in warmed_up(repetitions):
        text = sentence(phones, repetition)
        miss, hit = [await server.speak(text, voice.name, voice.sample_rate) for _ in range(2)]
        check_pair(text, miss, hit)
        if repetition < repetitions:
            misses.append(miss)
            hits.append(hit)
    return summarise(phones, misses, hits)


def check_pair(text: str, miss: Reception, hit: Reception) -> None:
    """Refuse figures that are not those of a miss and a hit.

    Raises:
        RuntimeError: The first answer was cached, the second was not, or they differ.
    """
    if miss.receipt["cached"] or not hit.receipt["cached"]:
        raise RuntimeError(
            f"{text!r}: the first answer must be computed, the second cached; is the cache on?"
        )
    if not np.array_equal(miss.samples, hit.samples):
        raise RuntimeError(f"{text!r}: the cached answer has other samples")


def summarise(phones: int, misses: list[Reception], hits: list[Reception]) -> Row:
    """Reduce the repetitions of one length to a row."""
    miss_ms = [reception.ttfc_ms for reception in misses]
    hit_ms = [reception.ttfc_ms for reception in hits]
    server_ms = [reception.receipt["ttfc_ms"] for reception in hits]
    return Row(
        phones=phones,
        repetitions=len(hits),
        audio_s=round(float(np.median([reception.audio_ms for reception in hits])) / 1000, 2),
        miss_p50_ms=_percentile(miss_ms, 50),
        miss_p95_ms=_percentile(miss_ms, 95),
        hit_p50_ms=_percentile(hit_ms, 50),
        hit_p95_ms=_percentile(hit_ms, 95),
        hit_p99_ms=_percentile(hit_ms, 99),
        hit_server_p50_ms=_percentile(server_ms, 50),
        hit_server_p99_ms=_percentile(server_ms, 99),
        ratio=round(float(np.median(miss_ms) / np.median(hit_ms)), 1),
    )


def _percentile(values: list[float], percent: int) -> float:
    return round(float(np.percentile(values, percent)), 2)


async def run(options: argparse.Namespace, folder: Path) -> list[Row]:
    """Start the server with the voice's folder and measure every length on one connection."""
    voice = load_manifest(folder)
    flags = ["--voices", str(folder.parent), *shlex.split(options.server_flags)]
    with running_server(flags) as address:
        async with StreamTimer(f"ws://{address}") as server:
            return [
                await measure_length(phones, options.repetitions, server, voice) for phones in options.phones
            ]


def report(rows: list[Row], machine: Machine, config: dict[str, Any]) -> str:
    """Lay out the head, the table and the closing JSON line."""
    titles = ["phones", "audio s", "miss p50 ms", "miss p95 ms", "hit p50 ms", "hit p95 ms", "hit p99 ms"]
    titles += ["hit in server p50 ms", "hit in server p99 ms", "ratio"]
    table = [titles, ["---"] * len(titles), *map(_cells, rows)]
    result = {
        "benchmark": "cache",
        "rows": [asdict(row) for row in rows],
        "config": config,
        **asdict(machine),
    }
    lines = [
        *machine.head(config["command"]),
        f"voice     {config['voice']}, {config['sample_rate']} Hz",
        f"texts     {config['repetitions']} per row, each sent twice",
        "",
        *(f"| {' | '.join(cells)} |" for cells in table),
        "",
        json.dumps(result, ensure_ascii=False),
    ]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    times = (row.miss_p50_ms, row.miss_p95_ms, row.hit_p50_ms, row.hit_p95_ms, row.hit_p99_ms)
    server = (row.hit_server_p50_ms, row.hit_server_p99_ms)
    return [
        f"{row.phones}",
        f"{row.audio_s:.1f}",
        *(f"{time:.1f}" for time in times),
        *(f"{time:.2f}" for time in server),
        f"{row.ratio:.1f}",
    ]


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cache", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--voices",
        type=Path,
        default=ROOT / "voices",
        metavar="FOLDER",
        help="of bundles; the first is taken",
    )
    return parse_with_texts(parser, arguments, repetitions=60)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print.

    Raises:
        SystemExit: There is no voice, or what was measured was not a miss and a hit.
    """
    options = parse_arguments(arguments)
    machine = describe_machine(DISTRIBUTIONS)  # first: the load is that of the machine, not of this run
    voices = find_voices([options.voices])
    if not voices:
        raise SystemExit(f"no voice in {options.voices}")
    folder = voices[min(voices)]
    try:
        rows = asyncio.run(run(options, folder))
        voice = load_manifest(folder)
    except (RuntimeError, StreamError) as error:
        raise SystemExit("\n".join([str(error), *getattr(error, "__notes__", [])])) from error
    config = {
        "command": shlex.join(["python", "-m", "benchmarks.cache", *(arguments or sys.argv[1:])]),
        "voice": voice.name,
        "sample_rate": voice.sample_rate,
        "repetitions": options.repetitions,
        "server_flags": options.server_flags,
    }
    sys.stdout.write(report(rows, machine, config) + "\n")


if __name__ == "__main__":
    main()
