"""One utterance: text deltas in, events out. Every protocol maps to this.

Input   append / flush / end / cancel, from the event loop
Output  events(): SegmentStarted, WordsTimed, AudioReady, Flushed, Finished, in order
State   the text reader's tail, the segments not spoken yet, the segment being spoken, the account
Not here: sockets, sample formats, other utterances.

The consumer pulls: nothing is computed ahead of it, so a slow client is its own backpressure, and at
most one block of work per utterance is under way. The text side never waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from streaming.account import Account
from streaming.errors import SsmlError, TextTooLongError, UnexpectedMessageError
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
from streaming.pieces import reader_of
from streaming.scheduling.admission import Admission
from streaming.scheduling.cache import SegmentCache
from streaming.scheduling.finisher import Finisher
from streaming.scheduling.schedule import Tenant, Terms
from streaming.scheduling.scheduler import Block, Scheduler
from streaming.speech import Cancelled, Due, Speaker, Speech
from streaming.text.pauses import Gap
from streaming.text.ssml import Pause, Piece
from streaming.types import Style

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

MAX_LOAD_S = 0.1  # computing takes less than a disk that is so slow
PAUSE_CHUNKS_PER_S = 10  # silence is sent in pieces, as speech is
LATE_S = 0.05  # shorter gaps are hardly heard; a player with any buffer does not have them


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
        scheduler: Scheduler,
        *,
        style: Style,
        policy: TextPolicy,
        terms: Terms | None = None,
        cache: SegmentCache | None = None,
        finisher: Finisher | None = None,
        admission: Admission | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Check the style; nothing is computed yet. A voice that is not loaded is waited for in `events`.

        Args:
            voice: Who speaks.
            scheduler: What computes.
            style: How it is spoken.
            policy: How text becomes segments.
            terms: On whose account and how far ahead; None: its own, and without rest.
            cache: Segments shared with other utterances; None shares nothing.
            finisher: What becomes of a segment that is cancelled; None: it is dropped.
            admission: Who may be computed; None lets everybody in.
            clock: Seconds; all utterances on the same scheduler have the same.

        Raises:
            UnknownVoiceError: The voice has no such speaker or emotion.
            BadRequestError: A factor of the style is out of range.
        """
        voice.manifest.check_style(style)
        self._voice = voice
        self._scheduler = scheduler
        self._terms = Terms(Tenant("")) if terms is None else terms
        self._style = style
        self._policy = policy
        self._cache = SegmentCache(0) if cache is None else cache
        self._finisher = finisher
        self._admission = admission
        self._clock = clock
        self._admitted = admission is None
        self._counted_chars = 0  # of the text, by admission
        self._spoken_chars = 0
        self._cancelled = False
        self._reader = reader_of(policy, style, voice.manifest.check_style)
        self._account = Account(voice.manifest.sample_rate, clock)
        self._due: deque[Due | Pause | Flushed] = deque()
        self._wake = asyncio.Event()
        self._last_index = 0  # of the segments that were spoken
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
            SsmlError: It is SSML that is not understood; the utterance is cancelled.
            TextTooLongError: The utterance would exceed `max_chars`; nothing is added.
            OverloadedError: Too much text waits to be spoken, of all utterances together; nothing is added.
            UnexpectedMessageError: The utterance has ended or was cancelled.
        """
        self._refuse_if_over("append")
        total = self._account.chars + len(text)
        if total > self._policy.max_chars:
            raise TextTooLongError(total, self._policy.max_chars)
        if text:
            if self._admission is not None:
                self._admission.take_text(len(text))
                self._counted_chars += len(text)
            self._account.note_text(len(text))
            self._unspoken_tail = True
            self._enqueue(self._understood(lambda: self._reader.push(text)))

    def flush(self, flush_id: int | str) -> None:
        """Speak what was appended so far, finished or not, and report when it has been spoken.

        Raises:
            UnexpectedMessageError: The utterance has ended or was cancelled.
        """
        self._refuse_if_over("flush")
        self._flush_reader(self._clock())
        self._due.append(Flushed(flush_id, 0))  # its sample is known when its turn comes
        self._wake.set()

    def end(self) -> None:
        """No more text comes: speak the rest, then finish.

        Raises:
            SsmlError: The SSML is not complete; the utterance is cancelled.
            UnexpectedMessageError: The utterance has ended or was cancelled.
        """
        self._refuse_if_over("end")
        self._unspoken_tail = False
        self._enqueue(self._understood(self._reader.end))
        self._ended = True
        self._wake.set()

    def cancel(self) -> None:
        """Stop now: events() ends without `Finished`, and nothing that waits will run. Idempotent.

        A network call that is running finishes in its thread; its result is dropped. A block that others
        listen to as well is computed to its end.
        """
        if self._cancelled:
            return
        self._cancelled = True
        self._due.clear()
        self._wake.set()
        if self._speech is not None:
            self._speech.leave(self._finisher)
        if self._running is not None:
            self._running.cancel()
        if self._admission is not None:
            self._admission.leave(self)
            self._count_spoken(self._account.chars)

    @property
    def tenant(self) -> Tenant:
        """On whose account it is computed."""
        return self._terms.tenant

    @property
    def voice_name(self) -> str:
        """Who speaks."""
        return self._voice.manifest.name

    @property
    def sample_rate(self) -> int:
        """Samples per second of its audio."""
        return self._voice.manifest.sample_rate

    @property
    def dry_s(self) -> float:
        """When the listener has heard all there is; -inf before the first audio."""
        return self._account.dry_s

    @property
    def text_goes_on(self) -> bool:
        """Whether more text may come."""
        return not (self._ended or self._cancelled)

    def unspoken_s(self, audio_s_per_char: float) -> float:
        """Estimate how long the text that was accepted and not spoken yet will sound."""
        spoken_s = 0.0
        if self._speech is not None:
            rate = self._voice.manifest.sample_rate
            spoken_s = (self._account.samples - self._speech.start_sample) / rate
        return max((self._account.chars - self._spoken_chars) * audio_s_per_char - spoken_s, 0.0)

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
            OverloadedError: There is no room for another stream, or too many blocks wait.
            StreamError: The voice could not be loaded.
        """
        if self._consumed:
            msg = "events() can be consumed once"
            raise RuntimeError(msg)
        self._consumed = True
        try:
            self._voice = voice = await self._loaded_voice()
            gap = Gap(self._policy.pauses)
            speaker = Speaker(voice, self._style, self._cache, self._clock, self._policy.lexicon)
            while (due := await self._next_due()) is not None:
                if isinstance(due, Flushed):
                    yield Flushed(due.flush_id, self._account.samples)
                    continue
                if isinstance(due, Pause):
                    gap.break_off()
                    for silence in self._silence(due):
                        yield silence
                    continue
                self._last_index = due.segment.index
                gap.meet(due.said)
                self._speech = speech = Speech(due, speaker, self._account, gap)
                while not speech.done:
                    cpu_s = await self._get_ready(speech)
                    for event in speech.events():
                        self._note_cost(event, cpu_s)
                        yield event
                speech.close()
                self._note_spoken(speech)
                self._speech = None  # while text is waited for, its audio need not be held
            yield Finished(self._account.receipt())
        except Cancelled:
            return
        finally:
            self.cancel()

    def _silence(self, pause: Pause) -> Iterator[AudioReady]:
        """Yield a pause, a tenth of a second at a time, as part of the segment before it."""
        rate = self._voice.manifest.sample_rate
        left = rate * pause.ms // 1000
        while left:
            samples = np.zeros(min(left, rate // PAUSE_CHUNKS_PER_S), np.float32)
            left -= samples.size
            start_sample = self._account.samples
            self._account.note_audio(samples)
            yield AudioReady(samples, start_sample, self._last_index, last_of_segment=not left, cached=True)

    async def _loaded_voice(self) -> LoadedVoice:
        self._stop_if_cancelled()
        if isinstance(self._voice, PendingVoice):
            return await self._finished(asyncio.ensure_future(self._voice.loaded()))
        return self._voice

    async def _next_due(self) -> Due | Pause | Flushed | None:
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
                    self._flush_reader(self._account.last_text_s)
        raise Cancelled

    async def _get_ready(self, speech: Speech) -> float:
        """Wait until the next block of a segment is there: kept, computed by a worker, or by another's.

        Returns:
            Processor seconds that this utterance spent on it; 0 if it was computed for another.
        """
        cpu_s, n_before = 0.0, speech.n_computed
        if speech.ready:
            await asyncio.sleep(0)  # what costs nothing must not keep the event loop from the others
        self._stop_if_cancelled()
        await self._be_loaded(speech)
        if not (speech.ready or self._admitted):
            await self._enter()
        deadline_s = self._account.deadline_s(speech.due.received_s)
        while not speech.ready:
            elsewhere = speech.join(deadline_s)
            if elsewhere is None:
                block = self._block(speech, deadline_s)
                asked_s = self._clock()
                elsewhere = await self._finished(self._scheduler.submit(block))
                self._account.note_wait(block.waited_s)
                cpu_s += block.cpu_s
                self._note_lateness(asked_s)
            if elsewhere is not None:
                await self._finished(asyncio.wrap_future(elsewhere))
        return cpu_s if speech.n_computed > n_before else 0.0

    async def _be_loaded(self, speech: Speech) -> None:
        """Wait for a segment that is being read from a disk; it takes milliseconds, or it is computed."""
        if (loading := speech.loading) is not None:
            load = asyncio.wait_for(asyncio.wrap_future(loading), MAX_LOAD_S)
            try:
                await self._finished(asyncio.ensure_future(load))
            except TimeoutError:
                self._stop_if_cancelled()
                speech.stop_loading()

    async def _enter(self) -> None:
        """Be let in, before anything is computed for this utterance: what is in the cache needs no leave."""
        assert self._admission is not None
        await self._finished(asyncio.ensure_future(self._admission.enter(self)))
        self._admitted = True

    def _note_cost(self, event: Event, cpu_s: float) -> None:
        if self._admission is not None and isinstance(event, AudioReady) and cpu_s:
            audio_s = event.samples.size / self._voice.manifest.sample_rate
            assert self._speech is not None
            first = event.start_sample == self._speech.start_sample
            self._admission.capacity.note_block(self.voice_name, cpu_s, audio_s, first=first)

    def _note_lateness(self, asked_s: float) -> None:
        """Tell if the listener ran dry while a block was computed that had been asked for in time."""
        if self._admission is not None and asked_s < self._account.dry_s < self._clock() - LATE_S:
            self._admission.capacity.note_late()

    def _note_spoken(self, speech: Speech) -> None:
        self._spoken_chars = speech.due.segment.char_end
        if self._admission is not None:
            n_samples = self._account.samples - speech.start_sample
            n_chars = len(speech.due.segment.text)
            seconds = n_samples / self._voice.manifest.sample_rate
            self._admission.capacity.note_segment(self.voice_name, n_chars, seconds)
            self._count_spoken(self._spoken_chars)

    def _count_spoken(self, n_chars: int) -> None:
        """Let admission know that text up to here is over; without effect on what it knows already."""
        assert self._admission is not None
        waiting = self._account.chars - n_chars
        self._admission.give_back_text(self._counted_chars - waiting)
        self._counted_chars = waiting

    def _block(self, speech: Speech, deadline_s: float) -> Block:
        def hurry(needed_s: float) -> None:
            self._scheduler.hurry(block, needed_s)

        voice = self._voice
        assert isinstance(voice, LoadedVoice)
        block = Block(
            deadline_s=deadline_s,
            release_s=self._account.dry_s - self._terms.max_ahead_s,
            tenant=self._terms.tenant,
            idle=self._terms.idle,
            engine=voice.engine,
            max_rows=voice.max_rows,
            steps=speech.steps(hurry),
            times=self._account.stages,
            abandoned=lambda: speech.abandoned,
        )
        return block

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

    def _understood(self, read: Callable[[], Iterable[Piece]]) -> list[Piece]:
        """Read text; what is not understood ends the utterance, whether or not its owner does."""
        try:
            return list(read())
        except SsmlError:
            self.cancel()
            raise

    def _flush_reader(self, received_s: float) -> None:
        self._unspoken_tail = False
        self._enqueue(self._reader.flush(), received_s)

    def _enqueue(self, pieces: Iterable[Piece], received_s: float | None = None) -> None:
        when_s = self._clock() if received_s is None else received_s
        self._due.extend(piece if isinstance(piece, Pause) else Due(piece, when_s) for piece in pieces)
        if self._due:
            self._wake.set()

    def _refuse_if_over(self, action: str) -> None:
        if self._ended or self._cancelled:
            state = "was cancelled" if self._cancelled else "has ended"
            msg = f"{action} is not allowed: the utterance {state}"
            raise UnexpectedMessageError(msg)
