"""What a form becomes, through the real server with the fake voice; no Gradio."""

from __future__ import annotations

import asyncio
import re

import pytest

from clients.demo.adts import frame_ends
from clients.demo.speaking import RATE, Form, Progress, speak
from clients.demo.voices import DemoError
from clients.python.client import Client, SpeakOptions
from server.config import AuthConfig
from tests.server.harness import LONG_TEXT, Server, limits, running

TEXT = "你好欢迎光临。再见朋友。"


async def spoken(server: Server, form: Form) -> list[Progress]:
    return [step async for step in speak(server.url, None, form)]


def audio(steps: list[Progress]) -> bytes:
    return b"".join(step.segment.data for step in steps if step.segment)


async def test_the_segments_are_the_servers_stream() -> None:
    async with running() as server:
        steps = await spoken(server, Form(TEXT))
        async with Client(server.url) as client:
            native = client.speak(TEXT, SpeakOptions(format="aac", rate=RATE))
            assert audio(steps) == b"".join([chunk.pcm async for chunk in native])
    segments = [step.segment for step in steps if step.segment]
    assert len(segments) > 2
    assert len(frame_ends(segments[0].data)) == 1
    for segment in segments:
        assert segment.duration_s == pytest.approx(len(frame_ends(segment.data)) * 1024 / RATE)


async def test_the_line_tells_first_what_is_known_and_then_all() -> None:
    async with running() as server:
        steps = await spoken(server, Form(TEXT))
    assert re.fullmatch(r"TTFC \d+ ms · speaking", steps[0].line)
    pattern = r"TTFC \d+ ms · audible TTFC \d+ ms · RTF [\d.]+ · underruns \d+ · [\d.]+ s of audio"
    assert re.fullmatch(pattern, steps[-1].line)
    assert steps[-1].segment is None


async def test_every_field_of_the_form_is_heard() -> None:
    async with running() as server:
        plain = audio(await spoken(server, Form(TEXT, "fake", "sine", "neutral", 1.0, 1.0, 1.0, 50.0)))
        assert plain == audio(await spoken(server, Form(TEXT)))
        for other in (
            Form(TEXT, speaker="low-sine"),
            Form(TEXT, emotion="sad"),
            Form(TEXT, speed=1.5),
            Form(TEXT, pitch=1.5),
            Form(TEXT, volume=10.0),
        ):
            assert audio(await spoken(server, other)) != plain
        sad = audio(await spoken(server, Form(TEXT, emotion="sad")))
        assert audio(await spoken(server, Form(TEXT, emotion="sad", emotion_intensity=0.5))) != sad


async def test_leaving_early_cancels_the_utterance() -> None:
    async with running() as server:
        steps = speak(server.url, None, Form(LONG_TEXT))
        await anext(steps)
        await steps.aclose()
        await server.no_connections()
        assert server.backend.admission.statistics().streams == 0


async def test_cancelling_who_waits_cancels_the_utterance() -> None:
    async with running() as server:
        began = asyncio.Event()

        async def listen() -> None:
            async for _ in speak(server.url, None, Form(LONG_TEXT)):
                began.set()

        task = asyncio.create_task(listen())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.no_connections()


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (Form("  \n"), "no text"),
        (Form("好", voice="nobody"), "nobody"),
        (Form("好", emotion="furious"), "furious"),
        (Form("好", speed=9.0), "speed"),
    ],
)
async def test_a_refusal_is_told_in_the_servers_words(form: Form, expected: str) -> None:
    async with running() as server:
        with pytest.raises(DemoError, match=expected):
            await spoken(server, form)


async def test_nothing_to_pronounce_is_no_error() -> None:
    async with running() as server:
        assert [step.line for step in await spoken(server, Form("。。"))] == ["nothing was spoken"]


async def test_no_server_and_no_token_are_told(unused_tcp_port: int) -> None:
    with pytest.raises(DemoError, match="no server answers"):
        async for _ in speak(f"ws://127.0.0.1:{unused_tcp_port}/v1/stream", None, Form("好")):
            pass
    config = limits().model_copy(update={"auth": AuthConfig(tokens=("secret",))})
    async with running(config) as server:
        with pytest.raises(DemoError, match="token"):
            await spoken(server, Form("好"))
