"""The least client that can time speech over HTTP: one kept connection, one request at a time.

Input   a path, JSON
Output  milliseconds from sending the request to the first byte of audio
State   the connection
Apart from any HTTP library for the reason that `wire` gives.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

from benchmarks.containers import audio_began
from streaming.audio.formats import Codec

NOT_FOUND = 404
OK = 200


class MissingError(Exception):
    """The server has no such endpoint."""


class HttpTimer:
    """A connection that times requests; not for concurrent use."""

    def __init__(self, address: str) -> None:
        """Take the server's address, as `host:port`; `async with` connects."""
        self._address = address

    async def __aenter__(self) -> Self:
        host, _, port = self._address.rpartition(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def ttfc_ms(self, path: str, fields: Mapping[str, Any], codec: Codec) -> float:
        """Post `fields`; take the whole answer, and return when its audio began.

        Raises:
            MissingError: There is no such path.
            RuntimeError: The server refused, or no audio came.
        """
        body = json.dumps(fields, ensure_ascii=False).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._address}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        sent = time.perf_counter()
        self._writer.write(head.encode() + body)
        began_ms, data = None, b""
        async for piece in self._answer(path):
            data += piece
            if began_ms is None and audio_began(codec, data):
                began_ms = 1000 * (time.perf_counter() - sent)
        if began_ms is None:
            raise RuntimeError(f"{path}: no audio came")
        return began_ms

    async def _answer(self, path: str) -> AsyncIterator[bytes]:
        """Yield the body of an answer in chunks, after its head."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(head.split()[1])
        if status == OK and "transfer-encoding: chunked" in head.lower():
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                yield await self._reader.readexactly(size)
                await self._reader.readexactly(2)
            await self._reader.readuntil(b"\r\n")
            return
        if status == NOT_FOUND:
            raise MissingError(f"{path} answers 404")
        raise RuntimeError(f"{path} answers {status}")
