"""The ElevenLabs adapter against a small server of its protocol."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from clients.bench.adapters.adapter import FailedError, RefusedError, Request, Token
from clients.bench.adapters.elevenlabs import ElevenLabsSettings, elevenlabs_connect
from clients.bench.adapters.lines import LineAdapter

FINAL = {"audio": None, "isFinal": True, "normalizedAlignment": None, "alignment": None}


def audio(data: bytes) -> dict[str, Any]:
    return {"audio": base64.b64encode(data).decode(), "isFinal": None, "alignment": None}


@asynccontextmanager
async def talking(
    *answers: dict[str, Any] | str, query: str = "", close: int = 1000
) -> AsyncIterator[tuple[LineAdapter, list[Any]]]:
    """An adapter, and what its server receives; at the end of the text the server answers and closes."""
    received: list[Any] = []

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        received.append((socket.request.path, socket.request.headers.get("xi-api-key")))
        async for message in socket:
            received.append(json.loads(message))
            if received[-1]["text"] == "":
                for answer in answers:
                    await socket.send(answer if isinstance(answer, str) else json.dumps(answer))
                await socket.close(close)

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        url = f"ws://{address}/v1/text-to-speech/anna/stream-input{query}"
        settings = ElevenLabsSettings(url, "secret", "eleven_flash_v2_5", 24000, 5.0)
        adapter = LineAdapter(elevenlabs_connect(settings), 24000, time.perf_counter)
        try:
            yield adapter, received
        finally:
            await adapter.close()


async def audio_of(adapter: LineAdapter, request: Request) -> bytes:
    stream, heard = await adapter.start(request), b""
    while (chunk := await stream.next()) is not None:
        heard += chunk.pcm
    return heard


async def test_an_utterance_is_a_socket_with_a_space_text_and_an_empty_text() -> None:
    async with talking(audio(b"abcd"), audio(b"ef"), FINAL) as (adapter, received):
        assert await audio_of(adapter, Request("text")) == b"abcdef"
        (path, key), *messages = [m for m in received if not isinstance(m, tuple) or m is received[0]]
    assert key == "secret"
    assert urlsplit(path).path == "/v1/text-to-speech/anna/stream-input"
    query = parse_qs(urlsplit(path).query)
    assert query["output_format"] == ["pcm_24000"]
    assert query["auto_mode"] == ["true"]
    assert messages == [{"text": " "}, {"text": "text"}, {"text": ""}]


async def test_what_the_url_says_wins() -> None:
    async with talking(FINAL, query="?auto_mode=false&model_id=m") as (adapter, received):
        await audio_of(adapter, Request("text"))
        query = parse_qs(urlsplit(received[0][0]).query)
    assert (query["auto_mode"], query["model_id"]) == (["false"], ["m"])


async def test_the_next_utterance_has_another_socket() -> None:
    async with talking(audio(b"ab"), FINAL) as (adapter, received):
        await adapter.warm(1)
        for _ in range(2):
            assert await audio_of(adapter, Request("text")) == b"ab"
        assert sum(isinstance(message, tuple) for message in received) >= 2


async def test_a_close_without_a_last_message_is_an_end_too() -> None:
    async with talking(audio(b"ab")) as (adapter, _):
        assert await audio_of(adapter, Request("text")) == b"ab"


async def test_text_in_tokens_never_sends_the_empty_text_too_early() -> None:
    async with talking(audio(b"ab"), FINAL) as (adapter, received):
        tokens = (Token("a", 0.0), Token("", 0.001), Token("b", 0.002))
        assert await audio_of(adapter, Request("ab", tokens, time.perf_counter())) == b"ab"
        texts = [message["text"] for message in received if isinstance(message, dict)]
    assert texts == [" ", "a", "b", ""]


async def test_barging_in_closes_the_socket() -> None:
    async with talking(audio(b"ab"), FINAL) as (adapter, _):
        stream = await adapter.start(Request("text"))
        assert await stream.next() is not None
        await stream.cancel()
        assert not stream._line.is_free


@pytest.mark.parametrize(
    ("answer", "close", "kind", "code"),
    [
        ({"message": "m", "error": "invalid_input", "code": 1008}, 1008, FailedError, "invalid_input"),
        ({"message": "m", "error": "system_busy", "code": 1008}, 1008, RefusedError, "system_busy"),
        ("no", 1000, FailedError, "protocol"),
        ("[]", 1000, FailedError, "protocol"),
        (audio(b""), 1011, FailedError, "connection_lost"),
    ],
)  # fmt: skip
async def test_errors_keep_their_names(
    answer: dict[str, Any] | str, close: int, kind: type[Exception], code: str
) -> None:
    async with talking(answer, close=close) as (adapter, _):
        with pytest.raises(kind) as caught:
            await audio_of(adapter, Request("text"))
        assert caught.value.code == code  # type: ignore[attr-defined]
