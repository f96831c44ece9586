"""Coded formats of the native protocol: the same bytes as over HTTP, in labelled frames."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from streaming.engines.fake import FakeEngine
from tests.server.harness import LONG_TEXT, SUBPROTOCOLS, Gate, Message, Server, audio_of, kinds, running

TEXT = "你好，欢迎使用语音合成服务。今天天气很好！"
FIRST, LAST_OF_SENTENCE, LAST = 1, 2, 4
CODED = ("mp3", "opus", "aac", "flac", "wav", "ulaw", "alaw")


async def over_http(server: Server, **query: str) -> bytes:
    url = f"http://127.0.0.1:{server.port}/v1/tts"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"text": TEXT, **query}) as response,
    ):
        assert response.status == 200
        return await response.read()


def joined(messages: list[Message]) -> bytes:
    return b"".join(message["pcm"] for message in audio_of(messages))


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
@pytest.mark.parametrize("name", CODED)
async def test_frames_joined_are_the_stream_that_http_gives(name: str, subprotocol: str) -> None:
    async with running() as server, server.client(subprotocol) as client:
        await client.send("open", ctx=1, text=TEXT, end=True, format=name, rate=24000)
        messages = await client.until("done")
        assert joined(messages) == await over_http(server, format=name, rate=24000)
    frames = audio_of(messages)
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert all(frame["pcm"] for frame in frames)
    assert [bool(frame["flags"] & FIRST) for frame in frames] == [True] + [False] * (len(frames) - 1)
    assert [bool(frame["flags"] & LAST) for frame in frames] == [False] * (len(frames) - 1) + [True]
    n_samples = 0
    for frame in frames:  # positions are those of the samples that went in: consecutive, and complete
        assert frame["sample"] == n_samples
        n_samples += frame["n"]
    assert n_samples == messages[-1]["samples"]


@pytest.mark.parametrize("name", CODED)
async def test_text_that_ends_late_loses_nothing_of_the_stream(name: str) -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text=TEXT, format=name)
        await client.send("flush", ctx=1, id=1)
        early = await client.until("flushed")
        await client.send("end", ctx=1)
        messages = [*early, *await client.until("done")]
        assert joined(messages) == await over_http(server, format=name, rate="24000")
    assert kinds(messages)[-1] == "done"


async def test_a_bit_rate_can_be_chosen() -> None:
    async with running() as server, server.client() as client:
        sizes = []
        for ctx, kbps in ((1, 16), (2, 64)):
            await client.send("open", ctx=ctx, text=TEXT, end=True, format="opus", kbps=kbps)
            sizes.append(len(joined(await client.until("done", ctx))))
        assert sizes[1] > 1.5 * sizes[0]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"format": "opus", "rate": 44100}, "found 44100; allowed: 8000, 12000"),
        ({"format": "mp3", "kbps": 1}, "found 1; allowed: 8 to 320"),
        ({"kbps": 64}, "pcm_s16le has none to choose"),
    ],
)
async def test_what_a_codec_lacks_is_refused(fields: dict[str, Any], text: str) -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text=TEXT, end=True, **fields)
        error = await client.expect("error")
        assert error["code"] == "unsupported_format"
        assert text in error["message"]
        await client.speaks()


async def test_all_formats_are_offered() -> None:
    async with running() as server, server.client() as client:
        assert set((await client.expect("ready"))["formats"]) == {"pcm_s16le", "pcm_f32le", *CODED}


async def test_a_cancel_leaves_no_frame_behind() -> None:
    gate = Gate(at_call=40)
    async with running(engine=FakeEngine(before_call=gate)) as server, server.client() as client:
        await client.send("open", ctx=1, text=LONG_TEXT, end=True, format="mp3")
        await client.expect("sentence")
        await client.send("cancel", ctx=1)
        gate.opened.set()
        cancelled = await client.expect("cancelled")
        await client.send("open", ctx=2, text=TEXT, end=True, format="mp3")
        after = await client.until("done", 2)
        assert {frame["ctx"] for frame in audio_of(after)} == {2}
        assert cancelled["samples"] >= 0


async def test_credit_counts_samples_of_coded_audio_too() -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text=TEXT, end=True, format="opus", window_ms=400)
        before = []
        while sum(frame["n"] for frame in before) < 24 * 380:
            before.append(await client.expect("audio"))
        assert sum(frame["n"] for frame in before) <= 24 * (400 + 20)  # what Opus holds back is free
        await client.send("credit", ctx=1, ms=3_600_000)
        messages = await client.until("done")
        assert joined([*before, *messages]) == await over_http(server, format="opus", rate="24000")


@pytest.mark.parametrize("window_ms", [1, 40])
@pytest.mark.parametrize("name", ["mp3", "aac", "opus", "flac"])
async def test_a_window_below_what_the_codec_holds_back_is_enough(name: str, window_ms: int) -> None:
    """The client grants what it has received, no more: an encoder that keeps credit would wait for ever."""
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text=TEXT, end=True, format=name, window_ms=window_ms)
        received, granted_ms = [], window_ms
        while (message := await client.receive())["type"] != "done":
            received.append(message)
            n_samples = sum(frame["n"] for frame in audio_of(received))
            if (ms := n_samples // 24 + window_ms - granted_ms) > 0:
                await client.send("credit", ctx=1, ms=ms)
                granted_ms += ms
        assert joined(received) == await over_http(server, format=name, rate="24000")
