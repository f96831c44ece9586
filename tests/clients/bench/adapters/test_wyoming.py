"""The Wyoming adapter against the real server with the fake voice, and against one that misbehaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from clients.bench.adapters.adapter import FailedError, RefusedError, Request, Token, UnreachableError
from clients.bench.adapters.lines import LineAdapter
from clients.bench.adapters.wyoming import WyomingSettings, wyoming_connect
from tests.clients.bench.doubles import LONG_TEXT
from tests.server.harness import Server, limits, running

TEXT = "你好欢迎光临。再见朋友。"


def adapter(port: int | None, voice: str | None = None) -> LineAdapter:
    settings = WyomingSettings(f"tcp://127.0.0.1:{port}", voice, None, 5.0)
    return LineAdapter(wyoming_connect(settings), 24000, time.perf_counter)


@asynccontextmanager
async def talking(voice: str | None = None) -> AsyncIterator[tuple[LineAdapter, Server]]:
    async with running(limits(wyoming=True)) as server:
        wyoming = adapter(server.wyoming_port, voice)
        try:
            yield wyoming, server
        finally:
            await wyoming.close()


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[LineAdapter]:
    """A server that answers the first event with these bytes, and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    wyoming = adapter(server.sockets[0].getsockname()[1])
    try:
        yield wyoming
    finally:
        await wyoming.close()
        server.close()


async def audio_of(wyoming: LineAdapter, request: Request) -> bytes:
    stream, audio = await wyoming.start(request), b""
    while (chunk := await stream.next()) is not None:
        audio += chunk.pcm
    return audio


async def test_who_is_there_and_its_rate_are_learnt_first() -> None:
    async with talking() as (wyoming, server):
        assert (await wyoming.open()).version.startswith("zhiyin ")
        assert wyoming.sample_rate == server.backend.voice("").manifest.sample_rate


async def test_tokens_give_the_same_audio_and_the_connection_is_used_again() -> None:
    async with talking("alloy") as (wyoming, _):
        await wyoming.open()
        whole = await audio_of(wyoming, Request(TEXT))
        tokens = tuple(Token(char, 0.001 * place) for place, char in enumerate(TEXT))
        assert whole == await audio_of(wyoming, Request(TEXT, tokens, time.perf_counter()))
        assert len(whole) > 16000


@pytest.mark.parametrize("end", ["cancel", "abort"])
async def test_leaving_stops_the_server(end: str) -> None:
    async with talking() as (wyoming, server):
        stream = await wyoming.start(Request(LONG_TEXT, is_slow=end == "abort"))
        assert await stream.next() is not None
        if end == "cancel":
            await stream.cancel()
        else:
            stream.abort()
        await wyoming.close()
        await server.backend.door._empty.wait()


async def test_an_unknown_voice_is_an_error_with_the_servers_code() -> None:
    async with talking("nobody") as (wyoming, _):
        with pytest.raises(FailedError) as caught:
            await audio_of(wyoming, Request(TEXT))
        assert caught.value.code == "voice-not-found"


async def test_being_interrupted_while_waiting_loses_nothing() -> None:
    async with talking() as (wyoming, _):
        expected = await audio_of(wyoming, Request(TEXT))
        stream, audio, n_waits = await wyoming.start(Request(TEXT)), b"", 0
        while True:
            try:
                async with asyncio.timeout(0.0005):
                    chunk = await stream.next()
            except TimeoutError:
                n_waits += 1
                continue
            if chunk is None:
                break
            audio += chunk.pcm
        assert audio == expected


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (b'{"type":"error","data":{"code":"overloaded","text":"full"}}\n', RefusedError, "overloaded"),
        (b'{"type":"error","data":{"text":"no"}}\n', FailedError, "error"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", FailedError, "protocol"),
        (b"[]\n", FailedError, "protocol"),
        (b"x" * 200_000, FailedError, "protocol"),
        (b'{"type":"audio-chunk","payload_length":10}\nabc', FailedError, "connection_lost"),
        (b"", FailedError, "connection_lost"),
    ],
)
async def test_errors_and_garbage_are_told_apart(answer: bytes, kind: type[Exception], code: str) -> None:
    async with answering(answer) as wyoming:
        with pytest.raises(kind) as caught:
            await audio_of(wyoming, Request(TEXT))
        assert caught.value.code == code  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", [b'{"type":"info","data":{"asr":[]}}\n', b"HTTP/1.1 400 Bad\r\n\r\n"])
async def test_what_does_not_speak_is_said_at_once(answer: bytes) -> None:
    async with answering(answer) as wyoming:
        with pytest.raises(UnreachableError):
            await wyoming.open()


async def test_nobody_there_is_said() -> None:
    async with answering(b"") as wyoming:
        pass
    with pytest.raises(UnreachableError, match="no server answers"):
        await wyoming.open()
