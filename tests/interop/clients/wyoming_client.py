"""Drive the wyoming library as Home Assistant does: info, a whole text, a stream, errors, leaving early."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

TIMEOUT_S = 20


async def main(port: int, text: str) -> None:
    report: dict[str, object] = {"version": version("wyoming")}
    async with connected(port) as client:
        asked_s = time.monotonic()
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())
        report["info_s"] = time.monotonic() - asked_s
        report["info"] = info.to_dict()
        await client.write_event(Ping(text="still there?").event())
        report["pong"] = Pong.from_event(await client.read_event()).text

    whole, whole_formats, _ = await spoken(port, [Synthesize(text)])
    report["whole"], report["formats"] = base64.b64encode(whole).decode(), sorted(whole_formats)
    voice = info.tts[0].voices[0]
    chosen = SynthesizeVoice(name=voice.name, speaker=voice.speakers[0].name)
    report["chosen"] = len((await spoken(port, [Synthesize(text, voice=chosen)]))[0])
    language = SynthesizeVoice(language=voice.languages[0])
    report["by_language"] = len((await spoken(port, [Synthesize(text, voice=language)]))[0])

    pieces = [SynthesizeChunk(text[place : place + 3]) for place in range(0, len(text), 3)]
    stream = [SynthesizeStart(), *pieces, Synthesize(text), SynthesizeStop()]
    streamed, stream_formats, kinds = await spoken(port, stream)
    report["streamed"] = base64.b64encode(streamed).decode()
    report["stream_formats"] = sorted(stream_formats)
    report["stream_kinds"] = kinds
    report["as_documented"] = await documented_check(port)

    report["errors"] = {
        "voice": await refusal(port, Synthesize(text, voice=SynthesizeVoice(name="nobody"))),
        "long": await refusal(port, Synthesize("长" * 30_000)),
    }
    async with connected(port) as client:
        await client.write_event(Synthesize("很长的一段话，说不完。" * 500).event())
        while not AudioChunk.is_type((await client.read_event()).type):
            pass
        left_s = time.monotonic()
    report["left_s"] = time.monotonic() - left_s
    report["after"] = len((await spoken(port, [Synthesize(text)]))[0])
    print(json.dumps(report))


def connected(port: int) -> AsyncClient:
    return AsyncClient.from_uri(f"tcp://127.0.0.1:{port}", read_timeout=TIMEOUT_S)


async def spoken(port: int, events: Iterable[object]) -> tuple[bytes, set[tuple[int, int, int]], list[str]]:
    """Return the audio up to `audio-stop`, or to `synthesize-stopped` of a stream; its formats; the kinds."""
    audio, formats, kinds = b"", set(), []
    events = list(events)
    last = AudioStop if len(events) == 1 else SynthesizeStopped
    async with connected(port) as client:
        for event in events:
            await client.write_event(event.event())
        while (event := await client.read_event()) is not None:
            if not kinds or kinds[-1] != event.type:
                kinds.append(event.type)
            if AudioStart.is_type(event.type):
                start = AudioStart.from_event(event)
                formats.add((start.rate, start.width, start.channels))
            if AudioChunk.is_type(event.type):
                assert formats, "a chunk came before a start"
                chunk = AudioChunk.from_event(event)
                formats.add((chunk.rate, chunk.width, chunk.channels))
                audio += chunk.audio
            if last.is_type(event.type):
                return audio, formats, kinds
    raise AssertionError(f"the connection ended after {kinds}")


async def documented_check(port: int) -> int:
    """Return the samples of a stream of words cut in two."""
    n_samples, started, event = 0, False, None
    async with connected(port) as client:
        for sent in (
            *(SynthesizeStart(), SynthesizeChunk("Hello wor"), SynthesizeChunk("ld. Bye.")),
            *(Synthesize("Hello world. Bye."), SynthesizeStop()),
        ):
            await client.write_event(sent.event())
        while (event := await client.read_event()) is not None and not SynthesizeStopped.is_type(event.type):
            started = started or AudioStart.is_type(event.type)
            if AudioChunk.is_type(event.type):
                assert started
                n_samples += AudioChunk.from_event(event).samples
    assert event is not None
    return n_samples


async def refusal(port: int, asked: Synthesize) -> dict[str, object]:
    async with connected(port) as client:
        await client.write_event(asked.event())
        event: Event | None = await client.read_event()
        error = Error.from_event(event)
        return {"code": error.code, "text": error.text, "closed": await client.read_event() is None}


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
