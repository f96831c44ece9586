"""Wyoming, Home Assistant's protocol: events over TCP, text in pieces, PCM at the voice's own rate.

Input   text
Output  PCM
State   the connection, the unfinished event
Home Assistant opens a connection for each utterance; here they are warm, as with the other protocols. It
interrupts by closing, and so do we.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from clients.bench.adapters.adapter import FailedError, RefusedError
from clients.bench.adapters.lines import Connect, Introduction
from clients.bench.adapters.websocket import connect_words, narrow

LIMIT_BYTES = 65536  # of a header line, and of what is read ahead
SLOW_LIMIT_BYTES = 8192
VERSION = "1.10.2"
PORT = 10200
A_WORD = "好。"  # spoken once, to hear at which rate the voice speaks
CLOSE_S = 1.0


@dataclass(frozen=True, slots=True)
class WyomingSettings:
    """How to connect, and who is to speak; None leaves it to the server."""

    url: str
    voice: str | None
    speaker: str | None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class _Event:
    type: str
    data: Mapping[str, Any]
    payload: bytes


class WyomingLine:
    """A connection; see `lines.Line`."""

    def __init__(
        self, settings: WyomingSettings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._writer = writer
        self._header: dict[str, Any] | None = None  # of an event whose rest has not come
        self._is_speaking = False

    @property
    def is_free(self) -> bool:
        """Whether it is open and nothing is being spoken."""
        return not (self._is_speaking or self._writer.is_closing() or self._reader.at_eof())

    async def introduce(self) -> Introduction:
        """Ask who is there, and have a word spoken."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._send("describe", {})
                program = (await self._receive("info")).data["tts"][0]
                await self.begin(A_WORD)
                await self.end()
                rate = int((await self._receive("audio-start")).data["rate"])
                while await self.next() is not None:
                    pass
        except (LookupError, TypeError, ValueError) as error:
            raise FailedError("protocol", f"no server of speech: {error!r}") from error
        except TimeoutError as error:
            raise FailedError("connect", f"no answer within {self._settings.timeout_s:g} s") from error
        return Introduction(f"{program['name']} {program.get('version') or ''}".strip(), rate)

    async def begin(self, text: str) -> None:
        """Start, and send the first text."""
        self._is_speaking = True
        names = {"name": self._settings.voice, "speaker": self._settings.speaker}
        voice = {key: name for key, name in names.items() if name}
        await self._send("synthesize-start", {"voice": voice} if voice else {})
        await self.append(text)

    async def append(self, text: str) -> None:
        """Send more text."""
        await self._send("synthesize-chunk", {"text": text})

    async def end(self) -> None:
        """Stop."""
        await self._send("synthesize-stop", {})

    async def next(self) -> bytes | None:
        """Return the next audio, or None at the end of the text."""
        while True:
            event = await self._next_event()
            if event.type == "audio-chunk":
                return event.payload
            if event.type == "synthesize-stopped":
                self._is_speaking = False
                return None

    async def cancel(self) -> None:
        """Close the connection: this protocol has no other way."""
        await self.close()

    def abort(self) -> None:
        """Drop the connection."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self.abort()

    async def _receive(self, kind: str) -> _Event:
        while (event := await self._next_event()).type != kind:
            pass
        return event

    async def _next_event(self) -> _Event:
        """Return the next event. Cancel-safe: what has come of it is kept."""
        try:
            if self._header is None:
                self._header = json.loads(await self._reader.readuntil(b"\n"))
            header = self._header
            n_data, n_payload = header.get("data_length") or 0, header.get("payload_length") or 0
            rest = await self._reader.readexactly(n_data + n_payload)
            self._header = None
            data = {**(header.get("data") or {}), **(json.loads(rest[:n_data]) if n_data else {})}
            event = _Event(str(header["type"]), data, rest[n_data:])
        except (OSError, asyncio.IncompleteReadError) as error:
            raise FailedError("connection_lost", str(error)) from error
        except (ValueError, LookupError, TypeError, AttributeError, asyncio.LimitOverrunError) as error:
            raise FailedError("protocol", f"no event: {error!r}") from error
        if event.type == "error":
            code = str(event.data.get("code") or "error")
            if code == "overloaded":
                raise RefusedError(code, None)
            raise FailedError(code, str(event.data.get("text", "")))
        return event

    async def _send(self, kind: str, data: Mapping[str, Any]) -> None:
        block = json.dumps(data, ensure_ascii=False).encode() if data else b""
        header: dict[str, Any] = {"type": kind, "version": VERSION}
        if block:
            header["data_length"] = len(block)
        try:
            self._writer.write(json.dumps(header).encode() + b"\n" + block)
            await self._writer.drain()
        except OSError as error:
            raise FailedError("connection_lost", str(error)) from error


def wyoming_connect(settings: WyomingSettings) -> Connect:
    """Return what opens a connection."""
    parts = urlsplit(settings.url)

    async def connect(is_slow: bool) -> WyomingLine:
        limit = SLOW_LIMIT_BYTES if is_slow else LIMIT_BYTES
        try:
            async with asyncio.timeout(settings.timeout_s):
                reader, writer = await asyncio.open_connection(
                    parts.hostname, parts.port or PORT, limit=limit
                )
        except (OSError, TimeoutError) as error:
            raise FailedError("connect", connect_words(error)) from error
        if is_slow:
            narrow(writer.get_extra_info("socket"))
        return WyomingLine(settings, reader, writer)

    return connect
