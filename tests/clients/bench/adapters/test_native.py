"""The native adapter against the real server with the fake voice."""

from __future__ import annotations

import asyncio
import socket as sockets
import struct
import time
from typing import Any

import msgpack
import pytest
from websockets.asyncio.server import ServerConnection

from clients.bench.adapters.adapter import (
    Chunk,
    FailedError,
    RefusedError,
    Request,
    Stream,
    Token,
    UnreachableError,
)
from clients.bench.adapters.native import SPARE_CONNECTIONS, NativeAdapter
from clients.bench.adapters.native_connection import NativeSettings
from server.config import AuthConfig, ServerConfig
from tests.clients.bench.doubles import LONG_TEXT, native_server, silent
from tests.server.harness import limits, running

TEXT = "你好欢迎光临。再见朋友。"


def adapter(url: str, **options: Any) -> NativeAdapter:
    settings = {"token": None, "fields": {"rate": 16000}, "timeout_s": 5.0, "multiplex": 1, **options}
    return NativeAdapter(NativeSettings(url=url, clock=time.perf_counter, **settings))


async def taken(stream: Stream) -> list[Chunk]:
    chunks = []
    while (chunk := await stream.next()) is not None:
        chunks.append(chunk)
    return chunks


async def test_an_utterance_brings_audio_and_the_receipt() -> None:
    async with running() as server:
        native = adapter(server.url)
        assert (await native.open()).version
        stream = await native.start(Request(TEXT))
        chunks = await taken(stream)
        assert sum(len(chunk.pcm) for chunk in chunks) > 16000
        assert stream.receipt is not None
        assert stream.receipt.ttfc_ms is not None
        assert stream.sent_s <= chunks[0].received_s
        assert await stream.next() is None
        await native.close()


async def test_text_in_tokens_gives_the_same_audio() -> None:
    async with running() as server:
        native = adapter(server.url)
        whole = b"".join(chunk.pcm for chunk in await taken(await native.start(Request(TEXT))))
        tokens = tuple(Token(char, 0.001 * place) for place, char in enumerate(TEXT))
        stream = await native.start(Request(TEXT, tokens, due_s=time.perf_counter()))
        assert b"".join(chunk.pcm for chunk in await taken(stream)) == whole
        await native.close()


async def test_each_utterance_has_a_connection_and_finished_ones_are_used_again() -> None:
    async with running() as server:
        native = adapter(server.url)
        await native.open()
        await native.warm(3)
        assert len(native._connections) == 3
        streams = [await native.start(Request(TEXT)) for _ in range(3)]
        assert len({stream._connection for stream in streams}) == 3
        assert all(stream.connect_s == 0.0 for stream in streams)
        for stream in streams:
            await taken(stream)
        again = await native.start(Request(TEXT))
        assert again.connect_s == 0.0
        await taken(again)
        await native.close()


async def test_a_missing_connection_is_opened_and_the_wait_is_told() -> None:
    async with running() as server:
        native = adapter(server.url)
        stream = await native.start(Request(TEXT))
        assert stream.connect_s > 0
        await taken(stream)
        for task in list(native._openings):  # of spare ones, beside
            await task
        assert 2 <= len(native._roomy) <= SPARE_CONNECTIONS
        await native.close()


async def test_cooling_closes_what_nobody_uses_and_nothing_else() -> None:
    async with running() as server:
        native = adapter(server.url)
        await native.open()
        await native.warm(3)
        stream = await native.start(Request(LONG_TEXT))
        for task in list(native._openings):  # of spare ones, beside
            await task
        await native.cool()
        assert native._connections == {stream._connection}
        await stream.cancel()
        assert await taken(await native.start(Request(TEXT)))
        await native.close()


async def test_several_utterances_share_a_connection_if_asked() -> None:
    async with running() as server:
        native = adapter(server.url, multiplex=8)
        await native.open()
        streams = [await native.start(Request(TEXT)) for _ in range(8)]
        assert len({stream._connection for stream in streams}) == 1
        audio = await asyncio.gather(*(taken(stream) for stream in streams))
        assert len({b"".join(chunk.pcm for chunk in chunks) for chunks in audio}) == 1
        await native.close()


async def test_abandoning_one_leaves_the_others_on_the_connection_alone() -> None:
    async with running() as server:
        native = adapter(server.url, multiplex=2)
        await native.open()
        lost, kept = await native.start(Request(LONG_TEXT)), await native.start(Request(TEXT))
        assert lost._connection is kept._connection
        lost.abandon()
        lost.abandon()
        assert await lost.next() is None
        assert await taken(kept)
        await native.close()


async def test_barging_in_waits_for_the_acknowledgement_and_frees_the_connection() -> None:
    async with running() as server:
        native = adapter(server.url)
        await native.open()
        stream = await native.start(Request(LONG_TEXT))
        await stream.next()
        await stream.cancel()
        assert stream.receipt is None
        next_one = await native.start(Request(TEXT))
        assert next_one._connection is stream._connection
        await taken(next_one)
        await native.close()


async def test_an_aborted_client_is_gone_without_a_word() -> None:
    async with running() as server:
        native = adapter(server.url)
        stream = await native.start(Request(LONG_TEXT))
        await stream.next()
        stream.abort()
        stream.abort()
        assert await stream.next() is None
        assert await taken(await native.start(Request(TEXT)))
        await native.close()
        await server.no_connections()


async def test_a_slow_reader_holds_the_server_back() -> None:
    """What it does not take fills small buffers, and then the server has to wait."""
    frame = struct.pack("<BBHIQIHH", 1, 0, 1, 0, 0, 9600, 0, 0) + bytes(19_200)  # 400 ms
    blocked, n_frames = asyncio.Event(), 500

    async def pour(socket: ServerConnection) -> None:
        raw = socket.transport.get_extra_info("socket")
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 65536)
        await socket.recv()
        for number in range(n_frames):
            sending = asyncio.create_task(socket.send(frame))
            for _ in range(500):  # turns of the loop that client and server share
                if sending.done():
                    break
                await asyncio.sleep(0)
            else:
                before_s.append(number * 0.4)
                blocked.set()
            await sending
        await socket.send(
            b"\x00" + msgpack.packb({"type": "cancelled", "ctx": 1, "samples": 0, "text_done": 0})
        )

    before_s: list[float] = []
    async with native_server(pour) as url:
        native = adapter(url)
        stream = await native.start(Request(TEXT, is_slow=True))
        assert await stream.next() is not None
        await blocked.wait()
        assert before_s[0] < 10  # of 200 s; most of it in the server's own buffers
        assert len(await taken(stream)) == n_frames - 1
        await native.close()


async def test_a_full_server_refuses_connections() -> None:
    async with running(limits(connections=1, retry_after_ms=700)) as server:
        native = adapter(server.url)
        await native.open()
        await native.warm(5)
        streams = [await native.start(Request(TEXT))]
        with pytest.raises(RefusedError) as caught:
            await native.start(Request(TEXT))
        assert (caught.value.code, caught.value.retry_after_ms) == ("overloaded", 700)
        await taken(streams[0])
        await native.close()


async def test_a_full_connection_refuses_utterances() -> None:
    async with running(limits(contexts_per_connection=1)) as server:
        native = adapter(server.url, multiplex=2)
        await native.open()
        first = await native.start(Request(LONG_TEXT))
        second = await native.start(Request(TEXT))
        with pytest.raises(RefusedError):
            await second.next()
        await first.cancel()
        await native.close()


async def test_an_error_of_the_server_keeps_its_code() -> None:
    async with running() as server:
        native = adapter(server.url, fields={"voice": "nobody"})
        stream = await native.start(Request(TEXT))
        with pytest.raises(FailedError) as caught:
            await stream.next()
        assert caught.value.code == "unknown_voice"
        await native.close()


async def test_a_connection_that_is_lost_fails_the_utterance_and_is_not_used_again() -> None:
    async def hang_up(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.abort()

    async with native_server(hang_up) as url:
        native = adapter(url)
        for _ in range(2):
            stream = await native.start(Request(TEXT))
            with pytest.raises(FailedError) as caught:
                await stream.next()
            assert caught.value.code == "connection_lost"
        await native.close()


async def test_garbage_is_a_protocol_error() -> None:
    async def babble(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(b"\x07what")
        await silent(socket)

    async with native_server(babble) as url:
        native = adapter(url)
        stream = await native.start(Request(TEXT))
        with pytest.raises(FailedError) as caught:
            await stream.next()
        assert caught.value.code == "protocol"
        await native.close()


async def test_what_cannot_be_measured_is_said_at_once() -> None:
    async with running() as server:
        pass
    with pytest.raises(UnreachableError, match="no server answers"):
        await adapter(server.url).open()
    config = ServerConfig(auth=AuthConfig(tokens=("right",)))  # type: ignore[arg-type]
    async with running(config) as server:
        wrong = adapter(server.url, token="wrong")
        with pytest.raises(UnreachableError, match="token"):
            await wrong.open()
        await wrong.close()
        right = adapter(server.url, token="right")
        assert await right.open()
        await right.close()


async def test_a_server_that_is_never_ready_is_not_waited_for() -> None:
    async def handle(socket: ServerConnection) -> None:
        await silent(socket)

    from websockets.asyncio.server import serve
    from websockets.typing import Subprotocol

    async with serve(handle, "127.0.0.1", 0, subprotocols=[Subprotocol("tts.v1.msgpack")]) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        native = adapter(url, timeout_s=0.05)
        with pytest.raises(UnreachableError, match=r"no `ready` within 0\.05 s"):
            await native.open()
        await native.close()


async def test_late_messages_of_an_utterance_that_is_over_disturb_nobody() -> None:
    async def twice(socket: ServerConnection) -> None:
        async for frame in socket:
            assert isinstance(frame, bytes)
            ctx = msgpack.unpackb(frame[1:])["ctx"]
            done = {"type": "done", "ctx": ctx, "samples": 0, "chars": 1, "sentences": 0, "total_ms": 1.0}
            for _ in range(5):
                await socket.send(b"\x00" + msgpack.packb(done))

    async with native_server(twice) as url:
        native = adapter(url)
        for _ in range(3):
            assert await taken(await native.start(Request(TEXT))) == []
        await native.close()
