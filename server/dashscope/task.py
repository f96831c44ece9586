"""One task of DashScope's inference socket, from its parameters to its last frame.

Input   run-task; text
Output  frames in a lane of the socket: events and audio
State   the utterance, its script, the text that a replacement may still change
It does not know the messages' order (`tasks`), nor when the socket closes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from server.backend import Backend
from server.dashscope.errors import code_of
from server.dashscope.messages import RunTask
from server.dashscope.parameters import COSYVOICE, SAMBERT, is_ssml, wish_of
from server.dashscope.script import CosyVoiceScript, Line, Map, Meter, SambertScript, Script
from server.http_audio import described
from server.json_socket import JsonSocket, put_bytes, put_map
from server.rendering import Rendered
from server.speaking import Wish, begin
from streaming.errors import (
    OverloadedError,
    RequestError,
    StreamError,
    SynthesisError,
    TextTooLongError,
)
from streaming.text.replacements import Replacer

logger = logging.getLogger(__name__)

FLUSH_ID = 0  # nobody is told of it


class SpokenTask:
    """Speaks one task. All methods belong to one event loop."""

    def __init__(
        self,
        run: RunTask,
        backend: Backend,
        socket: JsonSocket,
        key: str,
        on_over: Callable[[bool], None],
    ) -> None:
        """Prepare; `on_over(failed)` is called right before the last event is written.

        Raises:
            RequestError: No such voice or model, or a parameter is not possible.
        """
        if backend.door.closing.is_set():
            raise OverloadedError("the server is shutting down", backend.config.limits.retry_after_ms)
        self.id = run.task_id
        self._run = run
        self._backend = backend
        self._socket = socket
        self._on_over = on_over
        self._lane = socket.lane()
        self._max_chars = backend.config.limits.chars_per_context
        self._replacer = Replacer(run.parameters.replaced_words, self._max_chars)
        self._has_text = False
        self._first_is_out = False
        self._speaking: asyncio.Task[None] | None = None
        self._prepare(wish_of(run.parameters, run.model, key, COSYVOICE if run.is_duplex else SAMBERT))

    def append(self, text: str, group: asyncio.TaskGroup) -> None:
        """Speak more text, in a task of `group`.

        Raises:
            RequestError: It is too much, or no SSML though it should be.
        """
        if len(text) > self._max_chars:
            raise TextTooLongError(len(text), self._max_chars)
        if not self._has_text:
            self._check_first(text)
        self._start(group)
        self._give(text if self._wish.ssml else self._replacer.push(text))

    def speak_now(self, group: asyncio.TaskGroup) -> None:
        """Speak what there is, finished or not.

        Raises:
            RequestError: It is too much.
        """
        self._start(group)
        self._give(self._replacer.flush())
        if not self._has_failed:
            self._rendering.utterance.flush(FLUSH_ID)

    def end(self, group: asyncio.TaskGroup) -> None:
        """Speak the rest, then finish.

        Raises:
            RequestError: It is too much, or the SSML is not complete.
        """
        self._start(group)
        self._give(self._replacer.flush())
        if not self._has_failed:
            self._rendering.utterance.end()

    def drop(self) -> None:
        """Stop now: no frame of it leaves any more, but the one that is being written. Idempotent."""
        self._lane.close()
        self._rendering.utterance.cancel()
        if self._speaking is not None:
            self._speaking.cancel()

    def finished_event(self) -> Map:
        """Return `task-finished`, with what was spoken so far."""
        payload = {"output": self._script.last_output, "usage": self._usage()}
        return event(self.id, "task-finished", payload, {"request_uuid": self.id})

    def log_outcome(self, outcome: str) -> None:
        """Write the one line that each task gets; never its text."""
        logger.info(
            "%s task=%s voice=%s outcome=%s audio_s=%.2f",
            self._socket.label,
            self.id,
            self._rendering.utterance.voice_name,
            outcome,
            self._rendering.audio_s,
        )

    def _prepare(self, wish: Wish) -> None:
        self._wish = wish
        self._rendering = rendering = begin(self._backend, wish)
        asked = self._run.parameters
        words = asked.word_timestamp_enabled
        self._meter = meter = Meter(hanzi_weight=2 if self._run.is_duplex else 1, ssml=wish.ssml)
        self._script: Script
        if self._run.is_duplex:
            sound_is_whole = wish.encoding.codec.is_plain and not wish.ssml
            self._script = CosyVoiceScript(meter, rendering.ms, words=words, sound_is_whole=sound_is_whole)
        else:
            phonemes = asked.phoneme_timestamp_enabled
            self._script = SambertScript(meter, rendering.ms, words=words, phonemes=phonemes)

    def _check_first(self, text: str) -> None:
        """Find out what the first text is: only now it is known whether it is SSML."""
        self._has_text = True
        if self._speaking is None and is_ssml(self._run.parameters, text):
            self._rendering.utterance.cancel()
            self._prepare(replace(self._wish, ssml=True))

    @property
    def _has_failed(self) -> bool:
        """Whether `task-failed` is on its way: what still comes does not matter any more."""
        return self._rendering.utterance.cancelled

    def _give(self, text: str) -> None:
        if text and not self._has_failed:
            self._rendering.utterance.append(text)
            self._meter.note(text)

    def _start(self, group: asyncio.TaskGroup) -> None:
        if self._speaking is None:
            self._speaking = group.create_task(self._speak(), name=f"{self._socket.label} task {self.id}")

    async def _speak(self) -> None:
        """Speak to the end. Returns when the last event has been handed to the transport."""
        try:
            parts = cast("AsyncGenerator[Rendered, None]", self._rendering.parts())
            async with aclosing(parts):
                async for part in parts:
                    for line in self._script.lines(part):
                        await self._send(line)
        except StreamError as error:
            if not isinstance(error, RequestError):  # ours: the wire gets no details
                logger.error("%s failed", self._socket.label, exc_info=error)
            await self._fail(error)
        except Exception:  # the outer edge of an utterance: said on the wire, details to the log
            logger.exception("%s failed", self._socket.label)
            await self._fail(SynthesisError("synthesis failed"))
        await self._lane.drain()

    async def _send(self, line: Line) -> None:
        if line.is_last:
            await put_map(self._lane, self.finished_event(), lambda: self._on_over(False))
            self.log_outcome("finished")
            return
        if line.output is not None:
            payload = {"output": line.output, "usage": self._usage()}
            await put_map(self._lane, event(self.id, "result-generated", payload))
        await put_bytes(self._lane, line.data)
        if line.data and not self._first_is_out:
            await (
                self._lane.drain()
            )  # before anything else is computed: sending is what the listener waits for
            self._first_is_out = True

    async def _fail(self, error: StreamError) -> None:
        await put_map(self._lane, failed_event(self.id, error), lambda: self._on_over(True))
        self.log_outcome(error.code)

    def _usage(self) -> Map:
        return {"characters": self._meter.n_characters}


def event(
    task_id: str,
    name: str,
    payload: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Map:
    """Return an event of a task."""
    header = {"task_id": task_id, "event": name, "attributes": dict(attributes or {})}
    return {"header": header, "payload": dict(payload or {})}


def failed_event(task_id: str, error: StreamError) -> Map:
    """Return `task-failed`."""
    fields = event(task_id, "task-failed")
    fields["header"] |= {"error_code": code_of(error), "error_message": described(error)}
    return fields
