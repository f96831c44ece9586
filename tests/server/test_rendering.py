"""A rendering: the events of an utterance with coded audio in between, in threads where that takes time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.config import ServerConfig
from server.rendering import Rendered, Rendering, Sound
from server.speaking import Wish, begin
from streaming.audio.formats import Codec, Encoding
from streaming.engines.fake import FakeEngine
from streaming.errors import SynthesisError, UnknownModelError, UnknownVoiceError
from streaming.events import Finished, SegmentStarted, WordsTimed
from streaming.types import Style
from tests.server.harness import Server, limits, running

TEXT = "你好，欢迎使用语音合成服务。今天天气很好！"
PCM = Encoding(Codec.PCM_S16LE, 24000)


async def rendered(server: Server, wish: Wish, text: str = TEXT) -> tuple[Rendering, list[Rendered]]:
    rendering = begin(server.backend, wish)
    rendering.utterance.append(text)
    rendering.utterance.end()
    return rendering, [part async for part in rendering.parts()]


def sound(parts: list[Rendered]) -> bytes:
    return b"".join(part.data for part in parts if isinstance(part, Sound))


async def test_parts_come_in_order_and_end_with_the_receipt() -> None:
    async with running() as server:
        rendering, parts = await rendered(server, Wish(PCM))
    kinds = [type(part) for part in parts]
    assert kinds[0] is SegmentStarted
    assert kinds[1] is WordsTimed
    assert kinds[2] is Sound
    assert kinds[-1] is Finished
    starts = [index for index, kind in enumerate(kinds) if kind is SegmentStarted]
    assert len(starts) > 1
    for start, sentence in zip(starts[1:], parts, strict=False):
        before = parts[start - 1]
        assert isinstance(before, Sound)
        assert before.ends_segment
        assert isinstance(sentence, SegmentStarted | WordsTimed | Sound)
    assert isinstance(parts[-1], Finished)
    receipt = parts[-1].receipt
    assert receipt.ttfc_ms is not None
    assert len(sound(parts)) == 2 * receipt.samples * 24000 // 16000
    assert rendering.audio_s == pytest.approx(receipt.samples / 16000)


@pytest.mark.parametrize("codec", [Codec.MP3, Codec.OPUS, Codec.FLAC, Codec.AAC, Codec.ULAW])
async def test_what_takes_time_is_coded_in_other_threads(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    encode = Rendering._encode

    def noted(self: Rendering, *arguments: object) -> bytes:
        threads.add(threading.current_thread())
        return encode(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Rendering, "_encode", noted)
    async with running() as server:
        _, parts = await rendered(server, Wish(Encoding(codec, 24000)))
    assert len(sound(parts)) > 1000
    assert threading.main_thread() not in threads


async def test_a_text_without_speech_is_an_empty_stream_of_its_format() -> None:
    async with running() as server:
        _, parts = await rendered(server, Wish(Encoding(Codec.WAV, 16000)), "……")
    assert sound(parts)[:4] == b"RIFF"
    assert len(sound(parts)) == 44


async def test_names_instructions_and_factors_reach_the_voice() -> None:
    async with running() as server:
        plain = sound((await rendered(server, Wish(PCM)))[1])
        for wish in (
            Wish(PCM, voice="alloy", model="tts-1"),
            Wish(PCM, voice="fake"),
            Wish(PCM, model="fake"),
        ):
            assert sound((await rendered(server, wish))[1]) == plain
        happy = sound((await rendered(server, Wish(PCM, style=Style(emotion="happy"))))[1])
        assert happy != plain
        for wish in (
            Wish(PCM, instruction="Speak cheerfully."),
            Wish(PCM, voice="fake::happy", instruction="sad"),  # a name that says it wins
        ):
            assert sound((await rendered(server, wish))[1]) == happy
        slow = sound((await rendered(server, Wish(PCM, style=Style(speed=0.5))))[1])
        assert len(slow) > 1.8 * len(plain)


async def test_unknown_names_are_refused() -> None:
    async with running() as server:
        with pytest.raises(UnknownVoiceError):
            begin(server.backend, Wish(PCM, voice="nobody"))
        with pytest.raises(UnknownModelError):
            begin(server.backend, Wish(PCM, model="no-such"))
        with pytest.raises(UnknownVoiceError, match="emotion"):
            begin(server.backend, Wish(PCM, voice="fake::jealous"))


async def test_leaving_early_cancels_the_utterance() -> None:
    async with running() as server:
        rendering = begin(server.backend, Wish(Encoding(Codec.MP3, 24000)))
        rendering.utterance.append(TEXT)
        parts = rendering.parts()
        async for part in parts:
            if isinstance(part, Sound):
                break
        await parts.aclose()  # type: ignore[attr-defined]
        assert rendering.utterance.cancelled


async def test_a_failing_network_is_told() -> None:
    async with running(limits(), FakeEngine(fail_at={"vocoder": 3})) as server:
        with pytest.raises(SynthesisError):
            await rendered(server, Wish(PCM))


async def test_the_encoders_threads_end_with_the_server() -> None:
    async with running(ServerConfig()) as server:
        encoders = server.backend.encoders
        assert isinstance(encoders, ThreadPoolExecutor)
    with pytest.raises(RuntimeError, match="shutdown"):
        encoders.submit(len, b"")
