from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.http_timer import HttpTimer, MissingError
from streaming.audio.formats import Codec

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def answering(*pieces: bytes, go_on: asyncio.Event | None = None) -> AsyncIterator[HttpTimer]:
    """A timer whose server answers each request with these pieces; before the last it waits."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if b"Length" in line)
            await reader.readexactly(length)
            for piece in pieces[:-1]:
                writer.write(piece)
            if go_on is not None:
                await go_on.wait()
            writer.write(pieces[-1])
            await writer.drain()
            if b"chunked" not in b"".join(pieces):
                return writer.close()

    server = await asyncio.start_server(_quiet(handle), "127.0.0.1", 0)
    try:
        async with HttpTimer(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as timer:
            yield timer
    finally:
        server.close()


def _quiet(handle):
    async def handle_quietly(reader, writer) -> None:
        try:
            await handle(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    return handle_quietly


async def test_requests_follow_one_another_on_a_connection() -> None:
    async with answering(HEAD, chunk(b"ab"), chunk(b"cd"), b"0\r\n\r\n") as timer:
        for _ in range(3):
            assert await timer.ttfc_ms("/v1/tts", {"text": "好"}, Codec.PCM_S16LE) > 0


async def test_a_header_alone_is_not_audio() -> None:
    header = b"RIFF....WAVEfmt ................data\xff\xff\xff\xff"
    go_on = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, go_on.set)
    async with answering(HEAD, chunk(header), chunk(b"ab") + b"0\r\n\r\n", go_on=go_on) as timer:
        assert await timer.ttfc_ms("/v1/tts", {}, Codec.WAV) >= 50
    async with answering(HEAD, chunk(header), b"0\r\n\r\n") as timer:
        with pytest.raises(RuntimeError, match="no audio came"):
            await timer.ttfc_ms("/v1/tts", {}, Codec.WAV)


async def test_what_is_not_there_is_told_from_what_is_refused() -> None:
    async with answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as timer:
        with pytest.raises(MissingError, match="/v1/tts answers 404"):
            await timer.ttfc_ms("/v1/tts", {}, Codec.PCM_S16LE)
    async with answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as timer:
        with pytest.raises(RuntimeError, match="answers 400"):
            await timer.ttfc_ms("/v1/tts", {}, Codec.PCM_S16LE)
