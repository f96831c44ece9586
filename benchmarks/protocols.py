"""Time to first chunk of every protocol and format, against the native protocol's PCM.

One server process without a cache, one client. In every round one text is spoken in each way in turn, another
text each round and in another order, so that whatever else the machine does meets all alike. Connections are
warm when the clock starts: request sent -> first audio received. Where there is a container, its header does
not count as audio. Differences are taken within a round; the table has their medians:

framing     audio that the codec wants before it can say anything, and how long after its first frame native
            PCM had brought that much: nobody can be earlier with this codec
overhead    TTFC beyond that of native PCM; and the part of it that framing does not explain

What is not there (404) is left out, and the report says so. The last line printed is one JSON object with
every figure. Run with `make bench-protocols`, or `python -m benchmarks.protocols --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shlex
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.containers import framing_ms
from benchmarks.http_timer import HttpTimer, MissingError
from benchmarks.machine import ROOT, Machine, describe_machine
from benchmarks.sentences import MAX_REPETITIONS, TEMPLATES, sentence, warmed_up
from benchmarks.server import NO_CACHE, running_server
from benchmarks.wire import Reception, StreamTimer
from clients.bench.adapters.adapter import Adapter, FailedError, RefusedError, Request, UnreachableError
from clients.bench.targets import Voice, adapter_of, parse_target
from server.openai_endpoint import RATE as OPENAI_RATE
from server.openai_endpoint import SPEECH_PATH
from server.tts_endpoint import TTS_PATH
from streaming.audio.formats import Codec, Encoding, nearest_rate
from streaming.manifest import VoiceManifest
from streaming.voice import find_voices, load_manifest

DISTRIBUTIONS = ("zhiyin", "onnxruntime", "numpy", "av", "aiohttp", "uvloop", "websockets")
BASE = "native pcm"
RATE = 24000  # what OpenAI's clients take for granted; the others can have it, too
LEAST_ROUNDS = 20
NOISE_S = 1.0
CODECS = {
    "pcm": Codec.PCM_S16LE,
    "wav": Codec.WAV,
    "mp3": Codec.MP3,
    "opus": Codec.OPUS,
    "flac": Codec.FLAC,
    "aac": Codec.AAC,
}
OPENAI_FORMATS = ("pcm", "mp3", "opus")

Speak = Callable[[str], Awaitable[float]]
"""Speaks a text; returns its TTFC in milliseconds."""


@dataclass(frozen=True, slots=True)
class Way:
    """A protocol with a format, other than native PCM."""

    name: str
    codec: Codec
    rate: int
    note: str
    speak: Speak


@dataclass(frozen=True, slots=True)
class Round:
    """One text: how native PCM came, and the TTFC of the others by name."""

    native: Reception
    ttfc_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of a way; times in milliseconds, medians unless named otherwise.

    Attributes:
        framing_ms: Audio that the codec needs first.
        framing_wait_ms: Time from the first frame of native PCM until it had brought so much.
        overhead_ms: TTFC beyond native PCM's.
        beyond_framing_ms: TTFC beyond the moment when native PCM had brought `framing_ms`.
    """

    name: str
    codec: str
    rate: int
    framing_ms: int
    ttfc_p50_ms: float
    ttfc_p95_ms: float
    framing_wait_ms: float
    overhead_ms: float
    beyond_framing_ms: float
    note: str


class Ways:
    """The ways that the server has; `skipped` says why others are missing."""

    def __init__(self, address: str, wyoming: str, voice: VoiceManifest, stack: AsyncExitStack) -> None:
        self.skipped: dict[str, str] = {}
        self._address = address
        self._wyoming = wyoming
        self._voice = voice
        self._stack = stack

    async def open(self) -> list[Way]:
        """Connect to all."""
        ways = [way async for way in self._http()]
        return [*ways, *[way async for way in self._lines()]]

    async def _http(self) -> AsyncIterator[Way]:
        """Yield our own HTTP in every format, then OpenAI's."""
        for name, codec in CODECS.items():
            rate = nearest_rate(codec, RATE)
            fields = {"voice": self._voice.name, "format": name, "rate": rate}
            yield await self._posting(f"http {name}", TTS_PATH, "text", fields, codec, rate)
        for name in OPENAI_FORMATS:
            fields = {"model": "tts-1", "voice": self._voice.name, "response_format": name}
            codec = CODECS[name]
            rate = nearest_rate(codec, OPENAI_RATE)
            yield await self._posting(f"openai {name}", SPEECH_PATH, "input", fields, codec, rate)

    async def _posting(
        self, name: str, path: str, text_field: str, fields: dict[str, Any], codec: Codec, rate: int
    ) -> Way:
        timer = await self._stack.enter_async_context(HttpTimer(self._address))

        async def speak(text: str) -> float:
            return await timer.ttfc_ms(path, {**fields, text_field: text}, codec)

        return Way(name, codec, rate, "", speak)

    async def _lines(self) -> AsyncIterator[Way]:
        """Yield the protocols that the load generator speaks besides."""
        voice = self._voice.name
        for kind, url, note in (
            ("dashscope", f"ws://{self._address}/api-ws/v1/inference", "text waits for task-started"),
            ("elevenlabs", f"ws://{self._address}/v1/text-to-speech/{voice}/stream-input", "base64 in JSON"),
            ("wyoming", f"tcp://{self._wyoming}", "the voice's own rate"),
        ):
            target = parse_target(f"{kind}={url}")
            adapter = adapter_of(target, Voice(voice=voice, rate=RATE), 5.0, 1, time.perf_counter)
            self._stack.push_async_callback(adapter.close)
            name = f"{kind} pcm"
            try:
                await adapter.open()
            except UnreachableError as error:
                self.skipped[name] = str(error)
                continue
            yield Way(name, Codec.PCM_S16LE, adapter.sample_rate, note, _heard_by(adapter))


def _heard_by(adapter: Adapter) -> Speak:
    async def speak(text: str) -> float:
        await adapter.warm(1)
        try:
            stream = await adapter.start(Request(text))
            first = await stream.next()
            if first is None:
                raise RuntimeError(f"{text!r}: no audio came")
            while await stream.next() is not None:
                pass
        except (FailedError, RefusedError) as error:
            raise RuntimeError(f"{text!r} was not spoken: {error}") from error
        return 1000 * (first.received_s - stream.sent_s)

    return speak


async def measure(
    native: Callable[[str], Awaitable[Reception]],
    ways: list[Way],
    texts: list[str],
    skipped: dict[str, str],
) -> list[Round]:
    """Speak every text natively and in every way; one whose endpoint is missing goes to `skipped`."""
    rounds, order = [], random.Random(1)
    for text in texts:
        turns = [way for way in ways if way.name not in skipped]
        order.shuffle(turns)
        place, reception, ttfc_ms = order.randint(0, len(turns)), None, {}
        for number in range(len(turns) + 1):
            if number == place:
                reception = await native(text)
                continue
            way = turns[number - (number > place)]
            try:
                ttfc_ms[way.name] = await way.speak(text)
            except MissingError as error:
                skipped[way.name] = str(error)
        assert reception is not None
        rounds.append(Round(reception, ttfc_ms))
    return rounds


def summarise(ways: list[Way], rounds: list[Round], skipped: dict[str, str]) -> list[Row]:
    """Reduce the rounds to a row per way, native PCM first."""
    base = Way(BASE, Codec.PCM_S16LE, RATE, "", _never)
    native = [round_.native.ttfc_ms for round_ in rounds]
    times = {way: [round_.ttfc_ms[way.name] for round_ in rounds] for way in ways if way.name not in skipped}
    return [_row(way, ttfc_ms, rounds) for way, ttfc_ms in ({base: native} | times).items()]


def _row(way: Way, ttfc_ms: list[float], rounds: list[Round]) -> Row:
    framing = _framing_ms(way)
    first = [round_.native.ttfc_ms for round_ in rounds]
    enough = [arrival_ms(round_.native, framing) for round_ in rounds]
    return Row(
        name=way.name,
        codec=way.codec,
        rate=way.rate,
        framing_ms=framing,
        ttfc_p50_ms=round(float(np.median(ttfc_ms)), 2),
        ttfc_p95_ms=round(float(np.percentile(ttfc_ms, 95)), 2),
        framing_wait_ms=_median_difference(enough, first),
        overhead_ms=_median_difference(ttfc_ms, first),
        beyond_framing_ms=_median_difference(ttfc_ms, enough),
        note=way.note,
    )


def arrival_ms(reception: Reception, audio_ms: int) -> float:
    """Return when so much audio had arrived, or all."""
    left = audio_ms * reception.rate / 1000
    for moment_ms, n_samples in reception.frames:
        left -= n_samples
        if left <= 0:
            return moment_ms
    return reception.frames[-1][0]


def _framing_ms(way: Way) -> int:
    if way.codec.is_plain:
        return 0
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, int(NOISE_S * way.rate)).astype(np.float32)
    found = framing_ms(Encoding(way.codec, way.rate), noise)
    assert found is not None, f"{way.codec} says nothing within {NOISE_S} s"
    return found


def _median_difference(values: list[float], others: list[float]) -> float:
    return round(float(np.median(np.subtract(values, others))), 2)


async def _never(text: str) -> float:
    raise NotImplementedError


async def run(options: argparse.Namespace, folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Start the server with the voice's folder and measure; return the rows, and what was skipped and why."""
    voice = load_manifest(folder)
    port = free_port()
    flags = ["--voices", str(folder.parent), *shlex.split(options.server_flags)]
    environment = {**NO_CACHE, "ZHIYIN_WYOMING__PORT": str(port)}
    with running_server(flags, environment) as address:
        async with AsyncExitStack() as stack:
            timer = await stack.enter_async_context(StreamTimer(f"ws://{address}"))
            found = Ways(address, f"127.0.0.1:{port}", voice, stack)
            ways, skipped = await found.open(), found.skipped
            texts = [sentence(options.phones, number) for number in warmed_up(options.rounds)]

            async def native(text: str) -> Reception:
                return await timer.speak(text, voice.name, RATE)

            rounds = await measure(native, ways, texts, skipped)
            return summarise(ways, rounds[-options.rounds :], skipped), skipped


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def report(rows: list[Row], skipped: dict[str, str], machine: Machine, config: dict[str, Any]) -> str:
    """Lay out the head, the table and the closing JSON line."""
    titles = ["protocol", "rate Hz", "TTFC p50 ms", "TTFC p95 ms", "overhead ms", "framing: audio ms"]
    titles += ["there after ms", "overhead beyond it ms", "note"]
    table = [titles, ["---"] * len(titles), *map(_cells, rows)]
    result = {
        "benchmark": "protocols",
        "rows": [asdict(row) for row in rows],
        "skipped": skipped,
        "config": config,
        **asdict(machine),
    }
    lines = [
        *machine.head(config["command"]),
        f"voice     {config['voice']}, {config['sample_rate']} Hz",
        f"texts     {config['rounds']} of about {config['phones']} phones, each spoken in every way in turn",
        "",
        *(f"| {' | '.join(cells)} |" for cells in table),
        "",
        *(f"skipped   {name}: {reason}" for name, reason in skipped.items()),
        json.dumps(result, ensure_ascii=False),
    ]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    return [
        row.name,
        f"{row.rate}",
        f"{row.ttfc_p50_ms:.1f}",
        f"{row.ttfc_p95_ms:.1f}",
        f"{row.overhead_ms:+.1f}",
        f"{row.framing_ms}",
        f"{row.framing_wait_ms:.1f}",
        f"{row.beyond_framing_ms:+.1f}",
        row.note,
    ]


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.protocols", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--voices", type=Path, default=ROOT / "voices", help="folder of bundles; the first is taken"
    )
    parser.add_argument("--rounds", type=int, default=40, help=f"{LEAST_ROUNDS} to {MAX_REPETITIONS}")
    parser.add_argument("--phones", type=int, default=60, choices=list(TEMPLATES))
    parser.add_argument("--server-flags", default="", help="more flags for `zhiyin serve`, in one string")
    options = parser.parse_args(arguments)
    if not LEAST_ROUNDS <= options.rounds <= MAX_REPETITIONS:
        parser.error(f"--rounds is {options.rounds}; allowed: {LEAST_ROUNDS} to {MAX_REPETITIONS}")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure and print.

    Raises:
        SystemExit: There is no voice, or a text was not spoken.
    """
    options = parse_arguments(arguments)
    machine = describe_machine(DISTRIBUTIONS)  # first: the load is that of the machine, not of this run
    voices = find_voices([options.voices])
    if not voices:
        raise SystemExit(f"no voice in {options.voices}")
    folder = voices[min(voices)]
    try:
        rows, skipped = asyncio.run(run(options, folder))
    except RuntimeError as error:
        raise SystemExit("\n".join([str(error), *getattr(error, "__notes__", [])])) from error
    voice = load_manifest(folder)
    given = sys.argv[1:] if arguments is None else arguments
    config = {
        "command": shlex.join(["python", "-m", "benchmarks.protocols", *given]),
        "voice": voice.name,
        "sample_rate": voice.sample_rate,
        "rounds": options.rounds,
        "phones": options.phones,
        "server_flags": options.server_flags,
    }
    sys.stdout.write(report(rows, skipped, machine, config) + "\n")


if __name__ == "__main__":
    main()
