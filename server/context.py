"""One utterance on a connection: from its events to frames in its lane.

Input   the events of an Utterance; grants and signs of life from the client
Output  sentence, words, phonemes, visemes, audio, flushed, then done or error, in the utterance's lane
State   what has been sent, for the receipt and for `cancelled`
It does not know the socket or other utterances. Cancelling the task that runs it is the way to
stop; it never swallows a cancellation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from server.credit import CreditWindow
from server.framing import Codec
from server.lanes import Lane, OnWrite
from server.messages import (
    Cancelled,
    Done,
    Error,
    Phonemes,
    Sentence,
    ServerMessage,
    Stages,
    Visemes,
    Words,
)
from server.messages import Flushed as FlushedMessage
from server.packing import OutputFormat, Packer, Piece
from streaming.errors import IdleTimeoutError, OverloadedError, RequestError, StreamError, SynthesisError
from streaming.events import AudioReady, Event, Finished, Flushed, SegmentStarted, WordsTimed
from streaming.text.visemes import timed_visemes
from streaming.types import Receipt
from streaming.utterance import Utterance

logger = logging.getLogger(__name__)

HELD_MS = 20  # end of a sentence that waits for the news whether it is the end of the utterance


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """What one utterance's connection side was asked to do."""

    ctx: int
    label: str  # for the log: connection and context
    voice: str
    voice_rate: int
    output: OutputFormat
    words: bool
    phonemes: bool
    visemes: bool
    window_ms: int
    idle_s: float


class Context:
    """Drives one utterance and says what becomes of it."""

    def __init__(
        self,
        settings: ContextSettings,
        utterance: Utterance,
        lane: Lane,
        codec: Codec,
        on_over: Callable[[bool], None],
        encoders: Executor,
    ) -> None:
        """Prepare; `on_over(failed)` is called right before `done` or `error` is written.

        `encoders` are the threads of lossy codecs.
        """
        self._settings = settings
        self.utterance = utterance
        self.lane = lane
        self._codec = codec
        self._on_over = on_over
        self._encoders = encoders
        self._packer = Packer(settings.ctx, settings.voice_rate, settings.output)
        # What an encoder holds back is not on its way: a client cannot grant more for it.
        self._credit = CreditWindow(
            settings.window_ms, settings.output.rate, settings.output.encoding.held_samples
        )
        self._idle: asyncio.Timeout | None = None
        self._held: Piece | None = None
        self._unsent: list[Piece] = []  # of which the codec has said nothing yet
        self._held_messages: list[ServerMessage] = []
        self._segment_ends: dict[int, int] = {}
        self._samples_written = 0
        self._chars_written = 0
        self._text_ended = False
        self._first_is_out = False

    def finish_text(self) -> None:
        """Take the news that no more text comes."""
        self._text_ended = True
        self.utterance.end()

    def grant(self, ms: int) -> None:
        """Allow `ms` more audio."""
        self._credit.grant(ms)

    def note_alive(self) -> None:
        """Restart the timer that ends an utterance whose client is silent."""
        if self._idle is not None and not self._idle.expired():
            self._idle.reschedule(asyncio.get_running_loop().time() + self._settings.idle_s)

    def cancelled_message(self) -> Cancelled:
        """Return the acknowledgement of a cancel: what had been written by now."""
        return Cancelled(ctx=self._settings.ctx, samples=self._samples_written, text_done=self._chars_written)

    def log_outcome(self, outcome: str, receipt: Receipt | None = None) -> None:
        """Write the one line that each utterance gets; never its text."""
        logger.info(
            "%s voice=%s outcome=%s chars=%s audio_s=%.2f ttfc_ms=%s rtf=%s",
            self._settings.label,
            self._settings.voice,
            outcome,
            receipt.chars if receipt else "-",
            self._samples_written / self._settings.output.rate,
            _rounded(receipt.ttfc_ms, 1) if receipt else "-",
            _rounded(receipt.rtf, 4) if receipt else "-",
        )

    async def run(self) -> None:
        """Speak to the end. Returns when `done` or `error` has been handed to the transport."""
        try:
            await self.utterance.prepare()  # `voice.load_s` bounds it; the client cannot shorten it
            async with asyncio.timeout(self._settings.idle_s) as self._idle:
                try:
                    await self._speak()
                finally:
                    self._idle = None  # frames that are written later must not touch it
        except TimeoutError:
            message = f"the utterance waited {self._settings.idle_s:g} s for text or credit"
            await self._fail(IdleTimeoutError(message))
        except StreamError as error:
            if not isinstance(error, RequestError):  # ours: the wire gets no details
                logger.error("%s failed", self._settings.label, exc_info=error)
            await self._fail(error)
        except Exception:  # the outer edge of an utterance: said on the wire, details to the log
            logger.exception("%s failed", self._settings.label)
            await self._fail(SynthesisError("synthesis failed"))
        finally:
            self.utterance.cancel()
        await self.lane.drain()

    async def _speak(self) -> None:
        events = cast("AsyncGenerator[Event, None]", self.utterance.events())
        async with aclosing(events):
            async for event in events:
                await self._handle(event)

    async def _handle(self, event: Event) -> None:
        match event:
            case AudioReady():
                await self._release(is_last=False)
                await self._send_audio(event)
            case SegmentStarted():
                await self._release(is_last=False)
                await self._send(self._sentence(event))
            case WordsTimed():
                for message in self._timings(event):
                    await self._send(message)
            case Flushed():
                position = self._packer.position(event.sample)
                await self._send(FlushedMessage(ctx=self._settings.ctx, id=event.flush_id, sample=position))
            case Finished():
                await self._release(is_last=True)
                done = self._done(event.receipt)
                await self._put(done, lambda: self._on_over(False))
                self.log_outcome("done", event.receipt)

    async def _send_audio(self, audio: AudioReady) -> None:
        """Send all of `audio`, except an end that may be the utterance's and so waits for news.

        That is known soon only if the text has ended; otherwise nothing waits, and `done` alone
        tells the end.
        """
        for piece in self._packer.push(audio):
            if piece.ends_segment and self._text_ended:
                await self._hold_end(piece)
            else:
                await self._send_piece(piece, is_last=False)

    async def _hold_end(self, piece: Piece) -> None:
        held_samples = HELD_MS * self._settings.output.rate // 1000
        if len(piece.samples) > held_samples:
            head, piece = piece.split(len(piece.samples) - held_samples)
            await self._send_piece(head, is_last=False)
        self._held = piece

    async def _release(self, *, is_last: bool) -> None:
        """Send what waited, now that it is known whether it ends the utterance."""
        piece, self._held = self._held, None
        messages, self._held_messages = self._held_messages, []
        if piece is not None:
            await self._send_piece(piece, is_last=is_last)
        elif is_last:
            await self._put_rest()
        for message in messages:
            await self._put(message)

    async def _send_piece(self, piece: Piece, *, is_last: bool) -> None:
        while (allowed := await self._credit.take(len(piece.samples))) < len(piece.samples):
            head, piece = piece.split(allowed)
            await self._put_audio(head, is_last=False)
        await self._put_audio(piece, is_last=is_last)

    async def _put_audio(self, piece: Piece, *, is_last: bool) -> None:
        self._unsent.append(piece)
        data = await self._code(piece)
        if is_last:
            data += await self._code(None)
        if data or is_last:
            await self._put_coded(data, is_last=is_last)

    async def _put_rest(self) -> None:
        """Send what a codec held back at the end, when nobody knew at the last audio that it was the last."""
        data = b"" if self._packer.is_untouched else await self._code(None)
        if data or self._unsent:
            await self._put_coded(data, is_last=True)

    async def _put_coded(self, data: bytes, *, is_last: bool) -> None:
        pieces, self._unsent = self._unsent, []
        frame = self._packer.frame(pieces, data, is_last=is_last)
        await self.lane.put(frame, lambda: self._note_written(pieces))
        if not self._first_is_out:
            # Before anything else is computed: sending is what the listener waits for.
            await self.lane.drain()
            self._first_is_out = True

    async def _code(self, piece: Piece | None) -> bytes:
        if self._settings.output.encoding.codec.is_plain:
            return self._packer.code(piece)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._encoders, self._packer.code, piece)

    def _note_written(self, pieces: Iterable[Piece]) -> None:
        self.utterance.note_first_audio_sent()
        self.note_alive()
        for piece in pieces:
            self._samples_written += len(piece.samples)
            if piece.ends_segment:
                self._chars_written = self._segment_ends.pop(piece.segment_index, self._chars_written)

    async def _send(self, message: ServerMessage) -> None:
        """Send a message in its place: behind audio that waits."""
        if self._held is not None:
            self._held_messages.append(message)
        else:
            await self._put(message)

    async def _put(self, message: ServerMessage, on_write: OnWrite | None = None) -> None:
        await self.lane.put(self._codec.encode(message), on_write)

    async def _fail(self, error: StreamError) -> None:
        await self._put(error_message(error, self._settings.ctx), lambda: self._on_over(True))
        self.log_outcome(error.code)

    def _sentence(self, event: SegmentStarted) -> Sentence:
        segment = event.segment
        self._segment_ends[segment.index] = segment.char_end
        return Sentence(
            ctx=self._settings.ctx,
            index=segment.index,
            text=segment.text,
            char_start=segment.char_start,
            char_end=segment.char_end,
            sample=self._packer.position(event.start_sample),
        )

    def _timings(self, event: WordsTimed) -> Iterator[ServerMessage]:
        settings, at, index = self._settings, self._packer.position, event.segment_index
        if settings.words:
            yield self._words(event)
        if not (settings.phonemes or settings.visemes):
            return
        phones = [phone for word in event.words for phone in word.phones]
        if settings.phonemes:
            items = [(name, at(start), at(end)) for name, start, end in phones]
            yield Phonemes(ctx=settings.ctx, index=index, items=items)
        if settings.visemes:
            items = [(shape, at(start), at(end)) for shape, start, end in timed_visemes(phones)]
            yield Visemes(ctx=settings.ctx, index=index, items=items)

    def _words(self, event: WordsTimed) -> Words:
        at = self._packer.position
        items = [
            (word.text, at(word.start_sample), at(word.end_sample), word.char_start, word.char_end)
            for word in event.words
        ]
        return Words(ctx=self._settings.ctx, index=event.segment_index, items=items)

    def _done(self, receipt: Receipt) -> Done:
        stages = receipt.stages
        return Done(
            ctx=self._settings.ctx,
            samples=self._packer.position(receipt.samples),
            chars=receipt.chars,
            sentences=receipt.segments,
            ttfc_ms=_rounded(receipt.ttfc_ms),
            audible_ttfc_ms=_rounded(receipt.audible_ttfc_ms),
            queue_ms=_rounded(receipt.queue_ms),
            total_ms=round(receipt.total_ms, 3),
            rtf=_rounded(receipt.rtf, 5),
            cached=0 < receipt.segments == receipt.cached_segments,
            stages=Stages(
                frontend_ms=round(stages.frontend_ms, 3),
                encoder_ms=round(stages.encoder_ms, 3),
                decoder_ms=round(stages.decoder_ms, 3),
                vocoder_ms=round(stages.vocoder_ms, 3),
                encode_ms=round(stages.encode_ms + self._packer.encode_s * 1000, 3),
            ),
        )


def error_message(error: StreamError, ctx: int | None = None) -> Error:
    """Return the message that tells `error`; faults of ours go without details."""
    text = str(error) if isinstance(error, RequestError) else "synthesis failed"
    retry_after_ms = error.retry_after_ms if isinstance(error, OverloadedError) else None
    return Error(ctx=ctx, code=error.code, message=text, retry_after_ms=retry_after_ms)


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
