"""Speak one planned utterance, listen as its user would, and write down what happened.

Input   a planned utterance, when it was due, an adapter
Output  a Record; the tally is kept up to date meanwhile
State   one Listening per utterance
It does not know who plans or when. Whatever goes wrong ends up in the record: `speak` only raises
what its caller does to it (cancellation).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from clients.bench.adapters.adapter import Adapter, FailedError, RefusedError, Request, Stream
from clients.bench.lean_clock import LeanClock
from clients.bench.plan import Planned
from clients.bench.record import Outcome, Record
from clients.bench.tally import Tally

RECHECK_S = 0.005  # while playback stands still, how often a waiting interrupter looks again
TIMEOUT = "timeout"
NO_AUDIO = "no_audio"


@dataclass(frozen=True, slots=True)
class Listener:
    """What all utterances of a level have in common.

    Attributes:
        target: Name of the server.
        level: Number of the level.
        start_s: When the level began, on `clock`.
        clock: Time in seconds, the adapter's.
        timeout_s: An utterance of which nothing comes for so long is given up.
        slow_factor: Speed of slow readers; 1 is real time.
        s_per_char: Expected audio, to place interruptions before the length is known.
        tally: Counts as it goes.
    """

    target: str
    level: int
    start_s: float
    clock: Callable[[], float]
    timeout_s: float
    slow_factor: float
    s_per_char: float
    tally: Tally


async def speak(adapter: Adapter, planned: Planned, due_s: float, listener: Listener) -> Record:
    """Speak `planned`, which was due at `due_s` on the clock, and return its record."""
    listening = Listening(adapter, planned, due_s, listener)
    listener.tally.begin()
    try:
        await listening.run()
    except BaseException:
        listener.tally.drop()
        raise
    record = listening.record()
    listener.tally.end(record)
    return record


class Listening:
    """One utterance under way."""

    def __init__(self, adapter: Adapter, planned: Planned, due_s: float, listener: Listener) -> None:
        self._adapter = adapter
        self._planned = planned
        self._due_s = due_s
        self._listener = listener
        self._heard = LeanClock(adapter.sample_rate)
        self._stream: Stream | None = None
        self._outcome: Outcome = "ok"
        self._code: str | None = None
        self._retry_after_ms: int | None = None
        self._cancel_ms: float | None = None
        self._end_s = due_s
        self._left_s: float | None = None  # when the user stopped listening, if before the end

    async def run(self) -> None:
        """Live through it."""
        try:
            await self._start()
            await self._listen()
        except RefusedError as error:
            self._outcome, self._code, self._retry_after_ms = "refused", error.code, error.retry_after_ms
        except FailedError as error:
            self._outcome, self._code = "error", error.code
        except TimeoutError:
            self._outcome, self._code = "error", TIMEOUT
        finally:
            self._end_s = self._listener.clock()
            if self._stream is not None:
                self._stream.abandon()  # harmless if it is over
        if self._outcome == "ok" and self._heard.n_samples == 0:
            self._outcome, self._code = "error", NO_AUDIO

    def record(self) -> Record:
        """Return what happened."""
        heard, planned, stream = self._heard, self._planned, self._stream
        ttfc_ms = audible_ms = first_s = playback_end_s = None
        if heard.first_s is not None:
            first_s = self._since_start(heard.first_s)
            playback_end_s = self._since_start(self._left_s or heard.runs_dry_s)
            ttfc_ms = 1000 * (heard.first_s - self._due_s)
            audible_ms = None if heard.silence_ms is None else ttfc_ms + heard.silence_ms
        is_sent = stream is not None and stream.sent_s > 0
        return Record(
            target=self._listener.target,
            level=self._listener.level,
            number=planned.number,
            scheduled_s=self._since_start(self._due_s),
            sent_s=self._since_start(stream.sent_s) if stream is not None and is_sent else None,
            first_s=first_s,
            end_s=self._since_start(self._end_s),
            playback_end_s=playback_end_s,
            connect_ms=1000 * stream.connect_s if stream is not None else 0.0,
            chars=len(planned.text),
            audio_ms=1000 * heard.audio_s,
            ttfc_ms=ttfc_ms,
            audible_ttfc_ms=audible_ms,
            stream_ms=1000 * (heard.last_s - heard.first_s) if heard.first_s is not None else 0.0,
            gaps_ms=heard.gaps_ms(self._left_s),
            outcome=self._outcome,
            code=self._code,
            retry_after_ms=self._retry_after_ms,
            cancel_ms=self._cancel_ms,
            is_slow=planned.is_slow,
            is_repeat=planned.is_repeat,
            is_trickled=len(planned.tokens) > 1,
            receipt=stream.receipt if stream is not None else None,
        )

    async def _start(self) -> None:
        planned = self._planned
        request = Request(planned.text, planned.tokens, self._due_s, planned.is_slow)
        async with asyncio.timeout(self._listener.timeout_s):
            self._stream = await self._adapter.start(request)

    async def _listen(self) -> None:
        """Take the audio until it ends, the user has heard enough, or nothing comes any more."""
        assert self._stream is not None
        clock, heard = self._listener.clock, self._heard
        progress_s = clock()
        while True:
            try:
                async with asyncio.timeout(self._patience_s(progress_s)):
                    chunk = await self._stream.next()
            except TimeoutError:
                if self._wants_to_interrupt():
                    return await self._interrupt()
                if clock() - progress_s >= self._listener.timeout_s:
                    raise
                continue
            if chunk is None:
                return self._finish()
            progress_s = clock()
            heard.note_chunk(chunk.received_s, chunk.pcm)
            if self._wants_to_die():
                self._outcome, self._left_s = "aborted", progress_s
                return self._stream.abort()
            if self._wants_to_interrupt():
                return await self._interrupt()
            if self._planned.is_slow:
                await self._dawdle()

    def _expected_s(self) -> float:
        return len(self._planned.text) * self._listener.s_per_char

    def _patience_s(self, progress_s: float) -> float:
        """Return how long to wait for the next chunk before looking up."""
        now_s = self._listener.clock()
        patience_s = max(RECHECK_S, self._listener.timeout_s - (now_s - progress_s))
        if self._planned.barge_in is None or self._heard.first_s is None:
            return patience_s
        missing_s = self._planned.barge_in * self._expected_s() - self._heard.heard_s(now_s)
        return min(patience_s, max(RECHECK_S, missing_s))

    def _wants_to_interrupt(self) -> bool:
        part, heard = self._planned.barge_in, self._heard
        if part is None or heard.first_s is None:
            return False
        return heard.heard_s(self._listener.clock()) >= part * self._expected_s()

    def _wants_to_die(self) -> bool:
        part = self._planned.abort
        return part is not None and self._heard.audio_s >= part * self._expected_s()

    async def _interrupt(self) -> None:
        assert self._stream is not None
        assert self._planned.barge_in is not None
        self._outcome = "cancelled"
        # The user stopped when that part had been heard, however late we notice.
        self._left_s = self._heard.moment_of(self._planned.barge_in * self._expected_s())
        began_s = self._listener.clock()
        async with asyncio.timeout(self._listener.timeout_s):
            await self._stream.cancel()
        self._cancel_ms = 1000 * (self._listener.clock() - began_s)

    def _finish(self) -> None:
        """The server is done. Who wanted to interrupt does so in what is still being played."""
        part, heard = self._planned.barge_in, self._heard
        if part is not None and heard.first_s is not None:
            self._outcome = "cancelled"
            self._left_s = heard.moment_of(part * heard.audio_s)

    async def _dawdle(self) -> None:
        """Read no faster than the slow factor allows."""
        heard = self._heard
        assert heard.first_s is not None
        until_s = heard.first_s + heard.audio_s / self._listener.slow_factor
        await asyncio.sleep(max(0.0, until_s - self._listener.clock()))

    def _since_start(self, moment_s: float) -> float:
        return moment_s - self._listener.start_s
