"""One utterance: text deltas in, events out. Every protocol maps to this.

Input   append / flush / end / cancel, from the event loop
Output  events(): SegmentStarted, WordsTimed, AudioReady, Flushed, Finished, in order
State   the segmenter's tail, the segments not spoken yet, the segment being spoken, the account
Not here: sockets, sample formats, other utterances.

The consumer pulls: nothing is computed ahead of it, so a slow client is its own backpressure, and at
most one block of work per utterance is under way. The text side never waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from streaming.account import Account
from streaming.errors import TextTooLongError, UnexpectedMessageError
from streaming.events import (
    AudioReady,
    Event,
    Finished,
    Flushed,
    SegmentStarted,
    TextPolicy,
    WordsTimed,
    WordTime,
)
from streaming.loaded_voice import LoadedVoice
from streaming.manifest import VoiceManifest
from streaming.scheduling.cache import SegmentCache
from streaming.scheduling.workers import Workers
from streaming.speech import Cancelled, Due, Speaker, Speech
from streaming.text.segmenter import Segmenter
from streaming.types import Segment, Style

__all__ = [
    "AudioReady",
    "Event",
    "Finished",
    "Flushed",
    "PendingVoice",
    "SegmentStarted",
    "TextPolicy",
    "Utterance",
    "WordTime",
    "WordsTimed",
]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PendingVoice:
    """A voice that is not loaded yet: what it says about itself, and how to wait for it."""

    manifest: VoiceManifest
    loaded: Callable[[], Awaitable[LoadedVoice]]


class Utterance:
    """Speaks one text that may still be growing.

    All methods belong to one event loop. `append`, `flush`, `end` and `cancel` never block and may be
    called while `events` is being consumed.
    """

    def __init__(
        self,
        voice: LoadedVoice | PendingVoice,
        workers: Workers,
        *,
        style: Style,
        policy: TextPolicy,
        cache: SegmentCache | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Check the style; nothing is computed yet. A voice that is not loaded is waited for in `events`.

        Args:
            voice: Who speaks.
            workers: The threads that compute.
            style: How it is spoken.
            policy: How text becomes segments.
            cache: Segments shared with other utterances; None shares nothing.
            clock: Seconds; all utterances on the same workers have the same.

        Raises:
            UnknownVoiceError: The voice has no such speaker or emotion.
            BadRequestError: A factor of the style is out of range.
        """
        voice.manifest.check_style(style)
        self._voice = voice
        self._workers = workers
        self._style = style
        self._policy = policy
        self._cache = SegmentCache(0) if cache is None else cache
        self._clock = clock
        self._cancelled = False
        self._segmenter = Segmenter(policy.segments)
        self._account = Account(voice.manifest.sample_rate, clock)
        self._due: deque[Due | Flushed] = deque()
        self._wake = asyncio.Event()
        self._unspoken_tail = False  # text came after the last flush, so the segmenter may hold some
        self._ended = False
        self._consumed = False
        self._running: asyncio.Future[Any] | None = None
        self._speech: Speech | None = None

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled, or its event stream is over."""
        return self._cancelled

    def append(self, text: str) -> None:
        """Add text, cut anywhere.

        Raises:
            TextTooLongError: The utterance would exceed `max_chars`; nothing is added.
            UnexpectedMessageError: The utterance has ended or was cancelled.
        """
        self._refuse_if_over("append")
        total = self._account.chars + len(text)
        if total > self._policy.max_chars:
            raise TextTooLongError(total, self._policy.max_chars)
        if text:
            self._account.note_text(len(text))
            self._unspoken_tail = True
            self._enqueue(self._segmenter.push(text))

    def flush(self, flush_id: int | str) -> None:
        """Speak what was appended so far, finished or not, and report when it has been spoken.

        Raises:
            UnexpectedMessageError: The utterance has ended or was cancelled.
        """
        self._refuse_if_over("flush")
        self._flush_segmenter(self._clock())
        self._due.append(Flushed(flush_id, 0))  # its sample is known when its turn comes
        self._wake.set()

    def end(self) -> None:
        """No more text comes: speak the rest, then finish.

        Raises:
            UnexpectedMessageError: The utterance has ended or was cancelled.
        """
        self._refuse_if_over("end")
        self._flush_segmenter(self._clock())
        self._ended = True
        self._wake.set()

    def cancel(self) -> None:
        """Stop now: events() ends without `Finished`, and nothing that waits will run. Idempotent.

        A network call that is running finishes in its thread; its result is dropped. A block that others
        listen to as well is computed to its end.
        """
        self._cancelled = True
        self._due.clear()
        self._wake.set()
        if self._speech is not None:
            self._speech.close()
        if self._running is not None:
            self._running.cancel()

    def note_first_audio_sent(self) -> None:
        """Tell that the first audio was handed to the transport: the end of TTFC. Idempotent."""
        self._account.note_sent()

    async def prepare(self) -> None:
        """Wait until the voice is loaded; returns early when the utterance is cancelled.

        `events` does the same. To call this first is to know how long the client is not to blame.

        Raises:
            StreamError: The voice could not be loaded.
        """
        with suppress(Cancelled):
            self._voice = await self._loaded_voice()

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events of the utterance; ends after `Finished`, or without it after `cancel`.

        Single consumer, once. Cancel-safe: when the consumer's task is cancelled or the iterator is
        closed, the utterance is cancelled.

        Raises:
            UnspeakableTextError: The voice cannot pronounce a segment.
            SynthesisError: A network failed.
            OverloadedError: Too many calls wait for a worker.
            StreamError: The voice could not be loaded.
        """
        if self._consumed:
            msg = "events() can be consumed once"
            raise RuntimeError(msg)
        self._consumed = True
        try:
            voice = await self._loaded_voice()
            speaker = Speaker(voice, self._style, self._cache, self._clock)
            while (due := await self._next_due()) is not None:
                if isinstance(due, Flushed):
                    yield Flushed(due.flush_id, self._account.samples)
                    continue
                self._speech = speech = Speech(due, speaker, self._account)
                while not speech.done:
                    await self._get_ready(speech)
                    for event in speech.events():
                        yield event
                speech.close()
                self._speech = None  # while text is waited for, its audio need not be held
            yield Finished(self._account.receipt())
        except Cancelled:
            return
        finally:
            self.cancel()

    async def _loaded_voice(self) -> LoadedVoice:
        self._stop_if_cancelled()
        if isinstance(self._voice, PendingVoice):
            return await self._finished(asyncio.ensure_future(self._voice.loaded()))
        return self._voice

    async def _next_due(self) -> Due | Flushed | None:
        """Wait for the next thing to do; None when the text has ended and all is done."""
        while not self._cancelled:
            if self._due:
                return self._due.popleft()
            if self._ended:
                return None
            self._wake.clear()
            try:
                async with asyncio.timeout(self._soft_flush_in_s()):
                    await self._wake.wait()
            except TimeoutError:
                if self._soft_flush_in_s() == 0.0:  # the two clocks may disagree by a tick
                    self._flush_segmenter(self._account.last_text_s)
        raise Cancelled

    async def _get_ready(self, speech: Speech) -> None:
        """Wait until the next block of a segment is there: kept, computed by a worker, or by another's."""
        if speech.ready:
            await asyncio.sleep(0)  # what costs nothing must not keep the event loop from the others
        self._stop_if_cancelled()
        while not speech.ready:
            elsewhere = speech.under_way
            if elsewhere is None:
                deadline_s = self._account.deadline_s()
                elsewhere = await self._finished(
                    self._workers.submit(deadline_s, speech.compute, self._clock())
                )
            if elsewhere is not None:
                await self._finished(asyncio.wrap_future(elsewhere))

    async def _finished(self, running: asyncio.Future[Result]) -> Result:
        """Wait for work that `cancel` drops."""
        self._running = running
        try:
            result = await running
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not task.cancelling():  # then it was cancel(), not our consumer's end
                self._stop_if_cancelled()
            raise
        finally:
            self._running = None
        self._stop_if_cancelled()  # between the end of the work and this task's turn
        return result

    def _stop_if_cancelled(self) -> None:
        if self._cancelled:
            raise Cancelled

    def _soft_flush_in_s(self) -> float | None:
        """Time until an unfinished sentence is spoken anyway; None when that does not apply."""
        if not self._policy.max_delay_ms or not self._unspoken_tail:
            return None
        return max(self._account.last_text_s + self._policy.max_delay_ms / 1000.0 - self._clock(), 0.0)

    def _flush_segmenter(self, received_s: float) -> None:
        self._unspoken_tail = False
        self._enqueue(self._segmenter.flush(), received_s)

    def _enqueue(self, segments: Iterable[Segment], received_s: float | None = None) -> None:
        when_s = self._clock() if received_s is None else received_s
        self._due.extend(Due(segment, when_s) for segment in segments)
        if self._due:
            self._wake.set()

    def _refuse_if_over(self, action: str) -> None:
        if self._ended or self._cancelled:
            state = "was cancelled" if self._cancelled else "has ended"
            msg = f"{action} is not allowed: the utterance {state}"
            raise UnexpectedMessageError(msg)
