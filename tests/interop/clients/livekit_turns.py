"""Drive LiveKit's TTS plugins: a turn, a long one that is interrupted, the turn after it, one over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
import time
from collections.abc import AsyncIterator
from importlib.metadata import version

import aiohttp
from livekit.agents import APIError, tts
from livekit.plugins import elevenlabs, openai

LONG_TEXT = "今天天气很好，我们去公园散步吧。" * 30
WAIT_S = 20


class Warnings(logging.Handler):
    """Keeps what the plugins complain about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


async def gather(frames: AsyncIterator[tts.SynthesizedAudio]) -> tuple[bytes, float, list[str]]:
    """Return the audio, when the first of it came, and the words with their times."""
    began_s, first_s, audio, words = time.monotonic(), 0.0, b"", []
    async with asyncio.timeout(WAIT_S):
        async for event in frames:
            first_s = first_s or time.monotonic() - began_s
            audio += bytes(event.frame.data)
            words += [str(word) for word in event.frame.userdata.get("lk.timed_transcripts", [])]
    return audio, first_s, words


async def streamed(service: tts.TTS, text: str) -> dict[str, object]:
    """Three turns on the same connection, as an agent has them; the second one is interrupted."""
    first, first_s, words = await turn(service, text)
    interrupted = service.stream()
    interrupted.push_text(LONG_TEXT)
    interrupted.flush()
    async with asyncio.timeout(WAIT_S):
        heard = await anext(interrupted)
    await interrupted.aclose()
    third, third_s, _ = await turn(service, text)
    return {
        "first": base64.b64encode(first).decode(),
        "third": base64.b64encode(third).decode(),
        "interrupted_bytes": len(bytes(heard.frame.data)),
        "first_ms": round(first_s * 1000),
        "third_ms": round(third_s * 1000),
        "words": words,
    }


async def turn(service: tts.TTS, text: str) -> tuple[bytes, float, list[str]]:
    stream = service.stream()
    for start in range(0, len(text), 4):
        stream.push_text(text[start : start + 4])
    stream.end_input()
    try:
        return await gather(stream)
    finally:
        await stream.aclose()


async def whole(service: tts.TTS, text: str) -> dict[str, object]:
    stream = service.synthesize(text)
    try:
        audio, first_s, _ = await gather(stream)
    finally:
        await stream.aclose()
    return {"audio": base64.b64encode(audio).decode(), "first_ms": round(first_s * 1000)}


async def interrupted(service: tts.TTS, text: str) -> dict[str, object]:
    """A long request that is dropped, then a short one."""
    stream = service.synthesize(LONG_TEXT)
    async with asyncio.timeout(WAIT_S):
        await anext(stream)
    await stream.aclose()
    return await whole(service, text)


async def main(port: int, text: str) -> None:
    warnings = Warnings()
    logging.getLogger("livekit").addHandler(warnings)
    address = f"http://127.0.0.1:{port}/v1"
    report: dict[str, object] = {"version": version("livekit-agents")}
    async with aiohttp.ClientSession() as session:
        common = {"voice_id": "shanquan", "api_key": "test-key", "base_url": address, "http_session": session}
        for name, options in {
            "pcm": {"encoding": "pcm_24000"},
            "mp3": {},
            "words": {"encoding": "pcm_24000", "auto_mode": False},
        }.items():
            service = elevenlabs.TTS(**common, **options)
            report[name] = await streamed(service, text)
            report[f"{name}_http"] = await whole(service, text)
            report["voices"] = [voice.id for voice in await service.list_voices()]
            await service.aclose()
        unknown = elevenlabs.TTS(**{**common, "voice_id": "nobody"}, encoding="pcm_24000")
        report["refused"] = await refusal(turn(unknown, text))
        report["refused_http"] = await refusal(whole(unknown, text))
        await unknown.aclose()
    for name, options in {
        "openai_pcm": {"model": "tts-1", "response_format": "pcm"},
        "openai_events": {
            "model": "gpt-4o-mini-tts",
            "response_format": "pcm",
            "instructions": "Speak calmly.",
        },
        "openai_mp3": {"model": "gpt-4o-mini-tts"},
    }.items():
        service = openai.TTS(api_key="test-key", base_url=address, voice="alloy", **options)
        report[name] = await whole(service, text)
        report[f"{name}_after"] = await interrupted(service, text)
        await service.aclose()
    report["warnings"] = warnings.messages
    print(json.dumps(report))


async def refusal(request: object) -> str:
    try:
        await request
    except APIError as error:
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
