"""One connection of the Wyoming protocol: texts in, audio out, one text after the other.

Input   the events of a client
Output  info, pong; audio of the texts in the order in which they came; an error, which is the last event
State   the texts that wait, the one that is still being written
It does not know how connections come about (`wyoming`).

Somebody always reads, because the end of what the client sends means that nobody listens any more. A text
that is written in pieces comes once more as a whole, for servers that take no pieces: that one is not spoken.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from server.backend import Backend
from server.bodies import validate
from server.connection import CLOSE_S
from server.json_socket import BYTES_PER_CHAR, MESSAGE_BYTES
from server.rendering import Rendered, Rendering, Sound
from server.speaking import Wish, begin
from server.wyoming.audio import SentenceAudio, WholeAudio
from server.wyoming.framing import EventReader, WyomingEvent, encode
from server.wyoming.messages import StreamRequest, TextPiece, WholeRequest, error_event
from server.wyoming.voices import chosen_voice, own_encoding
from streaming.errors import (
    IdleTimeoutError,
    OverloadedError,
    RequestError,
    StreamError,
    SynthesisError,
    UnexpectedMessageError,
)
from streaming.events import Finished
from streaming.types import Style

logger = logging.getLogger(__name__)

READ_BYTES = 65536


class WyomingConnection:
    """See the module. Belongs to one event loop."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        backend: Backend,
        info: Callable[[], bytes],
        label: str,
    ) -> None:
        """Take a socket; `info` returns the answer to `describe`, encoded."""
        self._reader = reader
        self._writer = writer
        self._backend = backend
        self._limits = limits = backend.config.limits
        self._info = info
        self._label = label
        self._events = EventReader(
            max(limits.message_bytes, limits.chars_per_context * BYTES_PER_CHAR + MESSAGE_BYTES)
        )
        self._queue: asyncio.Queue[_Answer] = asyncio.Queue(limits.contexts_per_connection)
        self._live: set[_Answer] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._written: Rendering | None = None  # its text comes in pieces
        self._active_s = 0.0  # when something was read or written last

    async def serve(self) -> None:
        """Serve until the client leaves, something goes wrong, or the server shuts down; then close.

        Cancel-safe: the connection is cut then.
        """
        tasks = [
            asyncio.create_task(self._read(), name=f"{self._label} reader"),
            asyncio.create_task(self._speak(), name=f"{self._label} speaker"),
            asyncio.create_task(self._leave(), name=f"{self._label} shutdown"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for answer in self._live:
                answer.rendering.utterance.cancel()
        await self._end(self._said(results))

    async def turn_away(self, error: StreamError) -> None:
        """Say why nothing is done here, and close."""
        await self._end(error)

    async def _read(self) -> None:
        self._note_activity()
        while data := await self._received():
            self._note_activity()
            self._events.feed(data)
            while (event := self._events.next_event()) is not None:
                await self._take(event)

    async def _received(self) -> bytes:
        """Return what came; b"" when the client is gone.

        Raises:
            IdleTimeoutError: Nothing came or went for too long.
        """
        while True:
            patience_s = self._limits.idle_s if self._written is None else self._limits.context_idle_s
            try:
                async with asyncio.timeout_at(self._active_s + patience_s) as timer:
                    return await self._reader.read(READ_BYTES)
            except TimeoutError:
                if not timer.expired():  # it is the network's
                    return b""
                if asyncio.get_running_loop().time() >= self._active_s + patience_s:
                    raise IdleTimeoutError(f"no event for {patience_s:g} s") from None
            except OSError:
                return b""

    async def _take(self, event: WyomingEvent) -> None:
        match event.type:
            case "describe":
                await self._write(self._info())
            case "ping":
                text = event.data.get("text")
                await self._send(WyomingEvent("pong", {} if text is None else {"text": text}))
            case "synthesize":
                if self._written is None:
                    asked = validate(event.data, WholeRequest)
                    utterance = self._begin(asked, WholeAudio).utterance
                    utterance.append(asked.text)
                    utterance.end()
            case "synthesize-start":
                if self._written is not None:
                    raise UnexpectedMessageError("synthesize-start: the text before has no synthesize-stop")
                self._written = self._begin(validate(event.data, StreamRequest), SentenceAudio)
            case "synthesize-chunk":
                self._stream(event.type).utterance.append(validate(event.data, TextPiece).text)
            case "synthesize-stop":
                self._stream(event.type).utterance.end()
                self._written = None
            case _:
                logger.debug("%s: %.40s is ignored", self._label, event.type)

    def _stream(self, kind: str) -> Rendering:
        if self._written is None:
            raise UnexpectedMessageError(f"{kind}: there was no synthesize-start")
        return self._written

    def _begin(self, asked: StreamRequest, audio: type[WholeAudio]) -> Rendering:
        wish = Wish(
            own_encoding(self._backend, voice := chosen_voice(self._backend, asked.voice)),
            voice,
            style=Style(speaker=asked.voice.speaker or ""),
            ssml=asked.text_format == "ssml",
        )
        rendering = begin(self._backend, wish)
        answer = _Answer(rendering, audio(wish.encoding.rate))
        try:
            self._queue.put_nowait(answer)
        except asyncio.QueueFull:
            text = f"{self._queue.maxsize} texts wait on this connection, which is the limit"
            raise OverloadedError(text, self._limits.retry_after_ms) from None
        self._live.add(answer)
        self._quiet.clear()
        return rendering

    async def _speak(self) -> None:
        while True:
            answer = await self._queue.get()
            await self._speak_one(answer)
            self._live.discard(answer)
            if not self._live:
                self._quiet.set()

    async def _speak_one(self, answer: _Answer) -> None:
        rendering, audio = answer.rendering, answer.audio
        parts = cast("AsyncGenerator[Rendered, None]", rendering.parts())
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Sound):
                    await self._send(*audio.push(part))
                elif isinstance(part, Finished):
                    await self._send(*audio.flush())
                    logger.info(
                        "%s voice=%s outcome=done chars=%s audio_s=%.2f",
                        self._label,
                        rendering.utterance.voice_name,
                        part.receipt.chars,
                        rendering.audio_s,
                    )

    async def _send(self, *events: WyomingEvent) -> None:
        for event in events:
            await self._write(encode(event))

    async def _write(self, data: bytes) -> None:
        """Write, and wait until the client has read most of what was written before.

        Raises:
            ConnectionError: It is gone, or has read nothing for too long.
        """
        if self._writer.is_closing():  # asyncio would say nothing, uvloop that the handler is closed
            raise ConnectionResetError("the client is gone")
        self._writer.write(data)
        slow_reader_s = self._limits.slow_reader_s
        try:
            async with asyncio.timeout(slow_reader_s):
                await self._writer.drain()
        except TimeoutError:
            logger.info("%s is cut: nothing was read for %g s", self._label, slow_reader_s)
            self._writer.transport.abort()
            raise ConnectionAbortedError from None
        self._note_activity()

    async def _leave(self) -> None:
        """Return when the server shuts down and nothing is being spoken.

        Raises:
            OverloadedError: It was being spoken for too long.
        """
        await self._backend.door.closing.wait()
        try:
            async with asyncio.timeout(self._limits.drain_s):
                await self._quiet.wait()
        except TimeoutError:
            text = "the server is shutting down"
            raise OverloadedError(text, self._limits.retry_after_ms) from None

    def _said(self, results: Sequence[BaseException | None]) -> StreamError | None:
        """Return what to say about how the tasks ended: the outer edge of all texts of a connection."""
        for result in results:
            match result:
                case RequestError():
                    return result
                case None | OSError() | asyncio.CancelledError():
                    continue
                case _:  # ours: the wire gets no details
                    logger.error("%s failed", self._label, exc_info=result)
                    return SynthesisError("synthesis failed")
        return None

    async def _end(self, error: StreamError | None) -> None:
        """Say what went wrong, if there is somebody to hear it, and close; bounded in time."""
        try:
            async with asyncio.timeout(CLOSE_S):
                if error is not None and not self._writer.is_closing():
                    self._writer.write(encode(error_event(error)))
                    self._writer.write_eof()
                    # To close while something is unread would take the error back.
                    while await self._reader.read(READ_BYTES):
                        pass
                self._writer.close()
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    def _note_activity(self) -> None:
        self._active_s = asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """A text that is spoken, or waits for it."""

    rendering: Rendering
    audio: WholeAudio
