"""One segment of an utterance, from its text to events.

Input   a segment, a voice, a style; calls of `compute` in worker threads
Output  audio chunks, and the events that announce them
State   the segment's synthesis; where it starts in the utterance
Not here: when the next block is computed, and what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from streaming.account import Account
from streaming.events import AudioReady, Event, SegmentStarted, WordsTimed, WordTime
from streaming.loaded_voice import LoadedVoice
from streaming.synthesis.engine import Array, Engine, NetworkName
from streaming.synthesis.family import Synthesis, new_synthesis
from streaming.types import AudioChunk, Phonemes, Segment, Style


@dataclass(frozen=True, slots=True)
class Due:
    """A segment to speak, and when the server had its text."""

    segment: Segment
    received_s: float


class Cancelled(Exception):  # noqa: N818 -- not an error
    """Ends the work and the event stream of a cancelled utterance."""


@dataclass(slots=True)
class Guard:
    """Whether the utterance was cancelled: set on the event loop, read in worker threads."""

    cancelled: bool = False


class GuardedEngine:
    """The shared engine, closed to this utterance once it is cancelled.

    A block is several network calls; the guard ends a cancelled block after the call that runs.
    """

    def __init__(self, engine: Engine, guard: Guard) -> None:
        self._engine = engine
        self._guard = guard

    @property
    def name(self) -> str:
        """The shared engine's name."""
        return self._engine.name

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run one network.

        Raises:
            Cancelled: The utterance was cancelled.
            SynthesisError: The runtime failed.
        """
        if self._guard.cancelled:
            raise Cancelled
        return self._engine.run(network, inputs)


class Speech:
    """One segment on its way from text to audio. `compute` runs in worker threads."""

    def __init__(self, due: Due, voice: LoadedVoice, engine: Engine, style: Style, account: Account) -> None:
        self.due = due
        self.start_sample = account.samples
        self.done = False
        self._voice = voice
        self._engine = engine
        self._style = style
        self._account = account
        self._phonemes: Phonemes | None = None
        self._synthesis: Synthesis | None = None

    def compute(self, submitted_s: float, clock: Callable[[], float]) -> AudioChunk | None:
        """Compute the next block; the first call also runs the frontend and the encoder.

        Returns:
            Audio, or None when nothing (more) is heard.
        """
        started_s = clock()
        self._account.note_wait(started_s - submitted_s)
        if self._synthesis is None:
            self._phonemes = self._voice.frontend.phonemes(self.due.segment.text)
            self._account.stages.frontend_ms += 1000.0 * (clock() - started_s)
            if self._phonemes is None or not self._phonemes.tokens:
                return None
            self._synthesis = new_synthesis(
                self._engine,
                self._voice.manifest,
                self._phonemes,
                self._style,
                times=self._account.stages,
                clock=clock,
            )
        chunk = self._synthesis.advance()
        return chunk if chunk is not None and chunk.samples.size else None

    def events(self, chunk: AudioChunk | None) -> Iterable[Event]:
        """Say what `compute` returned; the segment is announced with its first audio."""
        self.done = chunk is None or chunk.last
        if chunk is None:
            return
        segment = self.due.segment
        if chunk.start_sample == 0:
            self._account.note_segment(self.due.received_s)
            yield SegmentStarted(segment, self.start_sample)
            if words := self._word_times():
                yield WordsTimed(segment.index, words)
        self._account.note_audio(chunk.samples)
        start_sample = self.start_sample + chunk.start_sample
        yield AudioReady(chunk.samples, start_sample, segment.index, chunk.last, cached=False)

    def _word_times(self) -> tuple[WordTime, ...]:
        assert self._phonemes is not None  # there is audio
        assert self._synthesis is not None
        starts = self._synthesis.token_start_samples + self.start_sample
        segment = self.due.segment
        return tuple(
            WordTime(
                text=word.text,
                start_sample=int(starts[word.token_start]),
                end_sample=int(starts[word.token_end]),
                char_start=segment.char_start + word.char_start,
                char_end=segment.char_start + word.char_end,
            )
            for word in self._phonemes.words
        )
