"""The HTTP adapter against a small real server, as it is used for OpenAI's API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web

from clients.bench.adapters.adapter import FailedError, RefusedError, Request, Token, UnreachableError
from clients.bench.adapters.http_pcm import HttpAdapter, HttpSettings
from clients.bench.targets import Voice, http_fields
from tests.clients.bench.doubles import Handler, pcm_answer, speech_server


def adapter(url: str, token: str | None = None) -> HttpAdapter:
    text_field, fields = http_fields("openai", Voice())
    return HttpAdapter(HttpSettings(url, token, text_field, fields, 24000, 5.0, time.perf_counter))


async def spoken(
    handler: Handler, check: Callable[[HttpAdapter], Awaitable[None]], token: str | None = None
) -> None:
    async with speech_server(handler) as url:
        speech = adapter(url, token)
        await speech.open()
        try:
            await check(speech)
        finally:
            await speech.close()


async def audio_of(speech: HttpAdapter, request: Request | None = None) -> bytes:
    stream = await speech.start(request or Request("你好"))
    audio = b""
    while (chunk := await stream.next()) is not None:
        assert len(chunk.pcm) % 2 == 0
        audio += chunk.pcm
    assert stream.receipt is None
    stream.abandon()
    return audio


async def test_the_request_is_the_api_s_and_the_answer_is_pcm_in_whole_samples() -> None:
    asked: list[tuple[Any, str | None]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append((await request.json(), request.headers.get("Authorization")))
        return await pcm_answer(request, b"abc", b"def", b"gh")

    async def check(speech: HttpAdapter) -> None:
        assert await audio_of(speech) == b"abcdefgh"

    await spoken(answer, check, token="secret")
    body = {
        "model": "tts-1", "input": "你好", "voice": "alloy", "response_format": "pcm",
        "stream_format": "audio",
    }  # fmt: skip
    assert asked == [(body, "Bearer secret")]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "lowest_ms", "highest_ms"),
    [("2", 2000, 2000), ("0.25", 250, 250), (formatdate(time.time() + 3600), 3_500_000, 3_700_000)],
)
async def test_a_full_server_is_a_refusal_with_its_advice(
    status: int, header: str, lowest_ms: int, highest_ms: int
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Retry-After": header})

    async def check(speech: HttpAdapter) -> None:
        with pytest.raises(RefusedError) as caught:
            await speech.start(Request("你好"))
        assert caught.value.code == f"http_{status}"
        assert caught.value.retry_after_ms is not None
        assert lowest_ms <= caught.value.retry_after_ms <= highest_ms

    await spoken(answer, check)


@pytest.mark.parametrize("advice", [None, "soon", ""])
async def test_a_refusal_without_readable_advice_has_none(advice: str | None) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={} if advice is None else {"Retry-After": advice})

    async def check(speech: HttpAdapter) -> None:
        with pytest.raises(RefusedError) as caught:
            await speech.start(Request("你好"))
        assert caught.value.retry_after_ms is None

    await spoken(answer, check)


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_other_answers_are_errors_by_status(status: int) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="no such voice")

    async def check(speech: HttpAdapter) -> None:
        with pytest.raises(FailedError, match="no such voice") as caught:
            await speech.start(Request("你好"))
        assert caught.value.code == f"http_{status}"

    await spoken(answer, check)


async def test_an_answer_that_breaks_off_is_an_error_after_what_was_heard() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"abcd")
        assert request.transport is not None
        request.transport.close()
        return response

    async def check(speech: HttpAdapter) -> None:
        stream = await speech.start(Request("你好"))
        chunk = await stream.next()
        assert chunk is not None
        assert chunk.pcm == b"abcd"
        with pytest.raises(FailedError) as caught:
            await stream.next()
        assert caught.value.code == "connection_lost"
        stream.abandon()

    await spoken(answer, check)


async def test_a_file_instead_of_pcm_is_an_error() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await pcm_answer(request, b"RIFF....WAVE")

    async def check(speech: HttpAdapter) -> None:
        with pytest.raises(FailedError) as caught:
            await audio_of(speech)
        assert caught.value.code == "not_pcm"

    await spoken(answer, check)


async def test_connections_are_used_again_and_waits_for_new_ones_are_told() -> None:
    ports: list[Any] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername"))
        return await pcm_answer(request, b"abcd")

    async def check(speech: HttpAdapter) -> None:
        await audio_of(speech)
        await audio_of(speech)
        first = await speech.start(Request("你好"))
        second = await speech.start(Request("你好"))
        assert second.connect_s >= 0
        for stream in (first, second):
            while await stream.next() is not None:
                pass
        await speech.warm(3)

    await spoken(answer, check)
    assert ports[0] == ports[1]


@pytest.mark.parametrize("end", ["abort", "cancel", "abandon"])
async def test_a_client_that_leaves_closes_the_connection(end: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(bytes(65536))
        gone.set()
        return response

    gone = asyncio.Event()

    async def check(speech: HttpAdapter) -> None:
        stream = await speech.start(Request("你好", is_slow=True))
        assert await stream.next() is not None
        if end == "cancel":
            await stream.cancel()
        else:
            getattr(stream, end)()
        stream.abandon()
        await gone.wait()

    await spoken(answer, check)


async def test_text_cannot_be_written_slowly() -> None:
    async def check(speech: HttpAdapter) -> None:
        with pytest.raises(FailedError, match="whole text"):
            await speech.start(Request("ab", (Token("a", 0.0), Token("b", 0.1))))

    await spoken(pcm_answer, check)


async def test_nobody_there_is_said() -> None:
    async with speech_server(pcm_answer) as url:
        pass
    speech = adapter(url)
    with pytest.raises(UnreachableError, match="no server answers"):
        await speech.open()
    with pytest.raises(FailedError) as caught:
        await speech.start(Request("你好"))
    assert caught.value.code == "connect"
    await speech.close()
