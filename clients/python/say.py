"""`zhiyin say`: speak a text, or standard input as it is written, through a running server.

Input   arguments, standard input
Output  a file or sound; on standard output what it cost
State   none after it returns
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from websockets.exceptions import InvalidHandshake, InvalidURI

from clients.python.client import DEFAULT_RATE, DEFAULT_URL, Client, ConnectionLostError, SpeakOptions, Text
from clients.python.playback import PlaybackClock, PlaybackStats
from clients.python.sinks import FileSink, Sink, SinkError, WavSink, open_player
from clients.python.text import UtteranceFeed, read_text, whole
from clients.python.wire import Done, ProtocolError, ServerError

# What the name of a file says about its format; any other is a wav file.
FORMATS = {".mp3": "mp3", ".ogg": "opus", ".opus": "opus", ".flac": "flac", ".aac": "aac"}
PCM = "pcm_s16le"

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@dataclass(frozen=True, slots=True)
class Report:
    """What a run of `say` observed, over all its utterances."""

    playback: PlaybackStats
    receipts: tuple[Done, ...]

    def line(self) -> str:
        """Return the one line that is always printed."""
        stats = self.playback
        return (
            f"{stats.audio_ms / 1000:.2f} s of audio, TTFC {_ms(stats.ttfc_ms)}, audible "
            f"{_ms(stats.audible_ttfc_ms)}, RTF {_rtf(self.receipts)}, underruns {stats.underruns}\n"
        )

    def table(self) -> str:
        """Return what `--stats` adds."""
        stats = self.playback
        rows = [
            ("TTFC here", _ms(stats.ttfc_ms)),
            ("audible TTFC here", _ms(stats.audible_ttfc_ms)),
            ("underruns", f"{stats.underruns}, {_ms(stats.underrun_ms)} in all"),
            ("peak", "-" if stats.peak is None else f"{stats.peak:.3f}"),
        ]
        if self.receipts:
            first = self.receipts[0]
            stages: dict[str, float] = {}
            for receipt in self.receipts:
                for name, value in receipt.stages.items():
                    stages[name] = stages.get(name, 0.0) + value
            rows += [
                ("TTFC at the server", _ms(first.ttfc_ms)),
                ("audible TTFC there", _ms(first.audible_ttfc_ms)),
                ("queued", _ms(first.queue_ms)),
                ("RTF", _rtf(self.receipts)),
                ("sentences", str(sum(receipt.sentences for receipt in self.receipts))),
                ("characters", str(sum(receipt.chars for receipt in self.receipts))),
                *((name.removesuffix("_ms"), _ms(value)) for name, value in stages.items()),
            ]
        return "".join(f"  {label:<20}{value}\n" for label, value in rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 if it could not be done, 130 after Ctrl-C."""
    parsed = _parser().parse_args(argv)
    if parsed.play and _format(parsed.output) != PCM:
        return _fail(f"what is played can be written as .wav only; found {parsed.output}")
    if not parsed.text and sys.stdin is None:
        return _fail("no text, and standard input is closed")
    try:
        report = asyncio.run(_say(parsed))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (OSError, InvalidURI, InvalidHandshake, TimeoutError) as error:
        return _fail(_unreachable(parsed.url, error))
    except (ServerError, ProtocolError, ConnectionLostError, SinkError) as error:
        return _fail(str(error))
    sys.stdout.write(f"{parsed.output}: {report.line()}" if parsed.output else report.line())
    if parsed.stats:
        sys.stdout.write(report.table())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zhiyin say",
        description="Speak a text through a running server. Without TEXT it reads standard input and "
        "speaks while it is being written: some-llm | zhiyin say",
    )
    parser.add_argument("text", nargs="*", help="what to say")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write a file: .wav, .mp3, .ogg, ..."
    )
    parser.add_argument("--play", action="store_true", help="play it (the default without -o)")
    parser.add_argument("--stats", action="store_true", help="print where the time went")
    parser.add_argument("--url", default=os.environ.get("ZHIYIN_URL", DEFAULT_URL), help=DEFAULT_URL)
    parser.add_argument("--token", default=os.environ.get("ZHIYIN_TOKEN"), help="or ZHIYIN_TOKEN")
    parser.add_argument("--voice")
    parser.add_argument("--speaker")
    parser.add_argument("--emotion")
    parser.add_argument("--emotion-intensity", type=float, help="0 (neutral) to 2; 1 is as learnt")
    parser.add_argument("--speed", type=float, help="0.5 to 2")
    parser.add_argument("--pitch", type=float, help="0.5 to 2")
    parser.add_argument("--volume", type=float, help="0 to 100; 50 is normal")
    parser.add_argument("--rate", type=int, default=DEFAULT_RATE, help=f"sample rate ({DEFAULT_RATE})")
    parser.add_argument("--ssml", action="store_true", help="the text is SSML")
    parser.add_argument(
        "--read", action="append", default=[], type=_word_and_reading, metavar="WORD=READING",
        help="pinyin or ARPAbet for a word: 行=xing2, Zhiyin='Z IH1 Y IH2 N' (repeatable)",
    )  # fmt: skip
    return parser


def _word_and_reading(text: str) -> tuple[str, str]:
    word, found, reading = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"found {text!r}; allowed is WORD=READING")
    return word, reading


async def _say(parsed: argparse.Namespace) -> Report:
    options = SpeakOptions(
        voice=parsed.voice,
        speaker=parsed.speaker,
        emotion=parsed.emotion,
        emotion_intensity=parsed.emotion_intensity,
        speed=parsed.speed,
        pitch=parsed.pitch,
        volume=parsed.volume,
        rate=parsed.rate,
        format=_format(parsed.output),
        ssml=parsed.ssml,
        lexicon=dict(parsed.read) or None,
        # A file is not listened to: the server need not keep pace with a listener.
        max_ahead_ms=None if parsed.play or parsed.output is None else 0,
    )
    async with Client(parsed.url, token=parsed.token) as client:
        ready = await client.ready()
        given = " ".join(parsed.text) if parsed.text else None
        texts = _document(given) if parsed.ssml else _texts(given, ready.max_chars)
        sinks = await _open_sinks(parsed)
        try:
            report = await _speak_all(client, texts, options, sinks)
        except BaseException:
            for sink in sinks:
                await sink.abort()
            raise
        for sink in sinks:
            await sink.close()
        return report


def _format(output: Path | None) -> str:
    return PCM if output is None else FORMATS.get(output.suffix.lower(), PCM)


async def _document(text: str | None) -> AsyncIterator[Text]:
    """Yield the one utterance of an SSML document: it cannot be cut in two."""
    yield read_text(sys.stdin.fileno()) if text is None else text


async def _texts(text: str | None, max_chars: int) -> AsyncIterator[Text]:
    """Yield the utterances: `text` whole if it may be, else pieces; standard input without it."""
    if text is not None and len(text) <= max_chars:
        yield text
        return
    pieces = whole(text) if text is not None else read_text(sys.stdin.fileno())
    async for utterance in UtteranceFeed(pieces, max_chars).utterances():
        yield utterance


async def _open_sinks(parsed: argparse.Namespace) -> list[Sink]:
    sinks: list[Sink] = []
    if parsed.play or parsed.output is None:
        sinks.append(await open_player(parsed.rate))
    if parsed.output is not None:
        is_pcm = _format(parsed.output) == PCM
        sinks.append(WavSink(parsed.output, parsed.rate) if is_pcm else FileSink(parsed.output))
    return sinks


async def _speak_all(
    client: Client, texts: AsyncIterator[Text], options: SpeakOptions, sinks: Sequence[Sink]
) -> Report:
    clock = PlaybackClock(options.rate, options.format)
    receipts: list[Done] = []
    async for text in texts:
        done = await _speak(client, text, options, sinks, clock)
        if done is not None:
            receipts.append(done)
        clock.note_pause()
    return Report(clock.stats(), tuple(receipts))


async def _speak(
    client: Client,
    text: Text,
    options: SpeakOptions,
    sinks: Sequence[Sink],
    clock: PlaybackClock,
) -> Done | None:
    async with client.speak(text, options) as speech:
        async for chunk in speech:
            assert speech.sent_s is not None
            clock.note_request(speech.sent_s)
            clock.note_chunk(chunk)
            for sink in sinks:
                await sink.write(chunk.pcm)
    return speech.done


def _unreachable(url: str, error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError) or isinstance(error.__cause__, ConnectionRefusedError):
        return f"no server answers at {url}; start one with: zhiyin serve"
    return f"cannot talk to {url}: {error}"


def _fail(message: str) -> int:
    sys.stderr.write(f"zhiyin say: {message}\n")
    return 1


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


def _rtf(receipts: Sequence[Done]) -> str:
    """Return compute time over audio time, over all receipts."""
    known = [(receipt.rtf, receipt.samples) for receipt in receipts if receipt.rtf is not None]
    total = sum(samples for _, samples in known)
    return f"{sum(rtf * samples for rtf, samples in known) / total:.3f}" if total else "-"


if __name__ == "__main__":
    sys.exit(main())
