"""One response of Qwen-TTS's realtime socket: an utterance with the events around it.

Input   text
Output  events, in the order that the vendor has
State   the utterance, the response's names, whether it was announced
It does not know the session's rules, nor the other responses.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any, cast
from uuid import uuid4

from server.dashscope.errors import code_of
from server.dashscope.script import Map, Meter
from server.http_audio import described
from server.json_socket import JsonSocket, put_map
from server.rendering import Rendered, Rendering, Sound, pieces
from streaming.errors import RequestError, StreamError, SynthesisError
from streaming.events import Finished

logger = logging.getLogger(__name__)

MAX_DELTA_BYTES = 48 * 1024  # 64 KiB as base64


def realtime_event(kind: str, **fields: Any) -> Map:
    """Return an event with an id of its own."""
    return {"event_id": f"event_{uuid4().hex}", "type": kind, **fields}


def error_event(error: StreamError) -> Map:
    """Return the event that tells an error."""
    return realtime_event("error", error={"code": code_of(error), "message": described(error)})


class Response:
    """Speaks one response. All methods belong to one event loop."""

    def __init__(self, rendering: Rendering, socket: JsonSocket, voice: str) -> None:
        self.id = f"resp_{uuid4().hex}"
        self._item_id = f"item_{uuid4().hex}"
        self._rendering = rendering
        self._socket = socket
        self._lane = socket.lane()
        self._voice = voice
        self._meter = Meter(hanzi_weight=2)
        self._is_announced = False
        self._is_over = False

    def append(self, text: str) -> None:
        """Speak more text.

        Raises:
            RequestError: It is too much.
        """
        if not self._rendering.utterance.cancelled:
            self._rendering.utterance.append(text)
            self._meter.note(text)

    def end(self) -> None:
        """Speak the rest."""
        if not self._rendering.utterance.cancelled:
            self._rendering.utterance.end()

    def drop(self, status: str) -> None:
        """Stop now, and say so if it was announced. Idempotent."""
        self._lane.close()
        self._rendering.utterance.cancel()
        if self._is_announced and not self._is_over:
            self._socket.say(self._done(status))
        self._is_over = True

    async def speak(self) -> None:
        """Speak to the end, or until dropped; returns when the last event is with the transport."""
        if self._is_over:
            return
        self._is_announced = True
        for announcement in self._announcements():
            self._socket.say(announcement)
        try:
            parts = cast("AsyncGenerator[Rendered, None]", self._rendering.parts())
            async with aclosing(parts):
                async for part in parts:
                    await self._send(part)
        except StreamError as error:
            if not isinstance(error, RequestError):  # ours: the wire gets no details
                logger.error("%s failed", self._socket.label, exc_info=error)
            await self._fail(error)
        except Exception:  # the outer edge of an utterance: said on the wire, details to the log
            logger.exception("%s failed", self._socket.label)
            await self._fail(SynthesisError("synthesis failed"))
        await self._lane.drain()

    async def _send(self, part: Rendered) -> None:
        match part:
            case Sound():
                for piece in pieces(part.data, MAX_DELTA_BYTES):
                    delta = base64.b64encode(piece).decode()
                    await put_map(self._lane, self._event("response.audio.delta", **self._place, delta=delta))
            case Finished():
                self._meter.all_spoken()
                for last in self._last_events():
                    await put_map(self._lane, last)
                await put_map(self._lane, self._done("completed"), self._note_over)

    async def _fail(self, error: StreamError) -> None:
        await put_map(self._lane, error_event(error))
        await put_map(self._lane, self._done("failed"), self._note_over)

    def _note_over(self) -> None:
        self._is_over = True

    @property
    def _place(self) -> Map:
        return {"item_id": self._item_id, "output_index": 0, "content_index": 0}

    def _event(self, kind: str, **fields: Any) -> Map:
        return realtime_event(kind, response_id=self.id, **fields)

    def _announcements(self) -> Iterator[Map]:
        yield realtime_event("response.created", response=self._described("in_progress"))
        yield self._event("response.output_item.added", output_index=0, item=self._item("in_progress"))
        yield self._event("response.content_part.added", **self._place, part={"type": "audio"})

    def _last_events(self) -> Iterator[Map]:
        yield self._event("response.audio.done", **self._place)
        yield self._event("response.content_part.done", **self._place, part={"type": "audio"})
        yield self._event("response.output_item.done", output_index=0, item=self._item("completed"))

    def _done(self, status: str) -> Map:
        usage = {"characters": self._meter.n_characters}
        return realtime_event("response.done", response={**self._described(status), "usage": usage})

    def _described(self, status: str) -> Map:
        output = [] if status == "in_progress" else [self._item(status)]
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "voice": self._voice,
            "output": output,
        }

    def _item(self, status: str) -> Map:
        return {
            "id": self._item_id,
            "object": "realtime.item",
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [{"type": "audio"}],
        }
