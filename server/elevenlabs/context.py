"""One context of ElevenLabs' WebSockets: from an utterance to messages in its lane.

Input   a Rendering; text and what ends it; signs of life from the client
Output  audio with alignment, then `isFinal` or an error, in the context's lane
State   the utterance, its aligner, after which flush it stops
It does not know the socket or its other contexts.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, cast

from server.elevenlabs.alignment import Aligner
from server.elevenlabs.chunks import Chunk, chunks
from server.elevenlabs.errors import error_map
from server.json_socket import Map, put_map
from server.lanes import Lane, OnWrite
from server.rendering import Rendering
from streaming.errors import IdleTimeoutError, RequestError, StreamError, SynthesisError
from streaming.events import Finished, Flushed

logger = logging.getLogger(__name__)

SETTLED = -1  # a flush that nobody asked for


class ContextListener(Protocol):
    """Who wants to know what becomes of a context."""

    def flushed(self, name: str, flush_id: int) -> None:
        """Note that everything before a flush was written."""
        ...

    def over(self, name: str, error: StreamError | None) -> None:
        """Note that the last message is being written."""
        ...


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """What does not change while a context lives; `is_multi`: its messages name it."""

    name: str
    label: str
    idle_s: float
    is_multi: bool


class Context:
    """Speaks one utterance to one client. Belongs to one event loop."""

    def __init__(
        self, settings: ContextSettings, rendering: Rendering, lane: Lane, listener: ContextListener
    ) -> None:
        self.lane = lane
        self._settings = settings
        self._rendering = rendering
        self._listener = listener
        self._aligner = Aligner()
        self._stop_after: int | None = None
        self._ids = ids_of(settings)
        self._idle: asyncio.Timeout | None = None
        self._spoke = False

    async def run(self) -> None:
        """Speak until the utterance is over; every error is said on the wire.

        Cancelling the task drops the utterance without a word.
        """
        settings = self._settings
        error: StreamError | None = None
        try:
            patience_s = settings.idle_s if self._rendering.utterance.text_goes_on else None
            async with asyncio.timeout(patience_s) as self._idle:
                try:
                    await self._speak()
                finally:
                    self._idle = None  # frames that are written later must not touch it
        except TimeoutError:
            error = IdleTimeoutError(f"no message for {settings.idle_s:g} s")
        except StreamError as found:
            error = found
            if not isinstance(found, RequestError):  # ours: the wire gets no details
                logger.error("%s failed", settings.label, exc_info=found)
        except Exception:  # the outer edge of an utterance: said on the wire, details to the log
            logger.exception("%s failed", settings.label)
            error = SynthesisError("synthesis failed")
        finally:
            self.drop()
        self._log(error)
        for fields, on_write in self._last_words(error):
            await put_map(self.lane, fields, on_write)
        await self.lane.drain()

    def append(self, text: str) -> None:
        """Add text.

        Raises:
            StreamError: See `Utterance.append`.
        """
        self._rendering.utterance.append(text)
        self._aligner.append(text)

    def flush(self, flush_id: int = SETTLED) -> None:
        """Speak what was appended so far; the listener is told, except of SETTLED.

        Raises:
            StreamError: See `Utterance.flush`.
        """
        self._rendering.utterance.flush(flush_id)

    def finish(self) -> None:
        """No more text comes.

        Raises:
            StreamError: See `Utterance.end`.
        """
        if self._rendering.utterance.text_goes_on:
            self._rendering.utterance.end()
            if self._idle is not None:
                self._idle.reschedule(None)  # nothing more is expected of the client

    def finish_flush(self, flush_id: int) -> None:
        """End when a flush was spoken, without the text after it."""
        self._stop_after = flush_id

    def drop(self) -> None:
        """Compute nothing more. Idempotent."""
        self._rendering.utterance.cancel()

    def note_alive(self) -> None:
        """Start the time anew after which an idle context ends."""
        if self._idle is not None and self._rendering.utterance.text_goes_on and not self._idle.expired():
            self._idle.reschedule(asyncio.get_running_loop().time() + self._settings.idle_s)

    async def _speak(self) -> None:
        parts = chunks(self._rendering, self._aligner)
        async with aclosing(cast("AsyncGenerator[Chunk | Flushed | Finished, None]", parts)):
            async for part in parts:
                match part:
                    case Chunk():
                        await self._send(part)
                    case Flushed():
                        if await self._is_last(part):
                            return

    async def _send(self, chunk: Chunk) -> None:
        await put_map(self.lane, chunk_map(chunk, self._rendering.voice_rate, self._ids), self.note_alive)
        if not self._spoke:
            # Before anything else is computed: sending is what the listener waits for.
            await self.lane.drain()
            self._spoke = True

    async def _is_last(self, flushed: Flushed) -> bool:
        if flushed.flush_id == SETTLED:
            return False
        await self.lane.drain()  # a close that comes later must not drop what was flushed
        self.note_alive()
        self._listener.flushed(self._settings.name, int(flushed.flush_id))
        return flushed.flush_id == self._stop_after

    def _last_words(self, error: StreamError | None) -> list[tuple[Map, OnWrite | None]]:
        """Return what ends the context; on a socket of its own an error is the last message."""

        def note_over() -> None:
            self._listener.over(self._settings.name, error)

        if error is None or (self._settings.is_multi and isinstance(error, IdleTimeoutError)):
            return [(final_map(self._ids), note_over)]
        if self._settings.is_multi:
            return [({**error_map(error), **self._ids}, None), (final_map(self._ids), note_over)]
        return [(error_map(error), note_over)]

    def _log(self, error: StreamError | None) -> None:
        outcome = "done" if error is None else error.code
        audio_s = self._rendering.audio_s
        voice = self._rendering.utterance.voice_name
        logger.info("%s voice=%s audio_s=%.2f outcome=%s", self._settings.label, voice, audio_s, outcome)


def ids_of(settings: ContextSettings) -> dict[str, str]:
    """Return the context's name in both spellings: pipecat reads one, LiveKit the other."""
    return named(settings.name) if settings.is_multi else {}


def named(context: str) -> dict[str, str]:
    """Return a context's name in both spellings."""
    return {"contextId": context, "context_id": context}


def chunk_map(chunk: Chunk, rate: int, ids: Mapping[str, str]) -> dict[str, Any]:
    """Return the message with a piece of audio."""
    alignment = None if chunk.alignment is None else chunk.alignment.in_ms(rate)
    audio = base64.b64encode(chunk.data).decode()
    return {"audio": audio, "isFinal": None, "normalizedAlignment": alignment, "alignment": alignment, **ids}


def final_map(ids: Mapping[str, str]) -> dict[str, Any]:
    """Return the message that ends a context; both spellings, as with its name."""
    nothing = {"audio": None, "normalizedAlignment": None, "alignment": None}
    return {**nothing, "isFinal": True, "is_final": True, **ids}
