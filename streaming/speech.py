"""One segment of an utterance, from its text to events.

Input   a segment, a voice, a style; calls of `compute` in worker threads
Output  the events that announce the segment's audio
State   the reader of the segment's audio; where the segment starts in the utterance
Not here: when the next block is computed, what becomes of it, and who else hears the same segment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace

from streaming.account import Account
from streaming.events import AudioReady, Event, SegmentStarted, WordsTimed, WordTime
from streaming.loaded_voice import LoadedVoice
from streaming.manifest import VoiceManifest
from streaming.scheduling.cache import Abandoned, SegmentCache, SegmentKey
from streaming.synthesis.engine import Array, Engine, NetworkName
from streaming.synthesis.family import Synthesis, new_synthesis
from streaming.types import AudioChunk, IntArray, Segment, StageTimes, Style, WordSpan


@dataclass(frozen=True, slots=True)
class Due:
    """A segment to speak, and when the server had its text."""

    segment: Segment
    received_s: float


class Cancelled(Exception):  # noqa: N818 -- not an error
    """Ends the event stream of a cancelled utterance, and work that nobody listens to."""


class GuardedEngine:
    """The shared engine, closed to one segment once nobody listens to it.

    A block is several network calls; an abandoned block ends after the call that runs.
    """

    def __init__(self, engine: Engine, abandoned: Abandoned) -> None:
        self._engine = engine
        self._abandoned = abandoned

    @property
    def name(self) -> str:
        """The shared engine's name."""
        return self._engine.name

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run one network.

        Raises:
            Cancelled: Nobody listens.
            SynthesisError: The runtime failed.
        """
        if self._abandoned():
            raise Cancelled
        return self._engine.run(network, inputs)


@dataclass(frozen=True, slots=True)
class Speaker:
    """How the segments of an utterance are spoken, and where those are kept that were."""

    voice: LoadedVoice
    style: Style
    cache: SegmentCache
    clock: Callable[[], float]

    def key(self, text: str) -> SegmentKey:
        """Return what the audio of `text` depends on; equal sounds may be named differently."""
        manifest = self.voice.manifest
        return SegmentKey(manifest.name, self.voice.content, text, canonical_style(manifest, self.style))


class SegmentWork:
    """Computes one segment. Not thread-safe, but successive calls may come from different threads."""

    def __init__(self, text: str, speaker: Speaker, abandoned: Abandoned) -> None:
        """Take what is spoken and how; nothing is computed yet."""
        self.times = StageTimes()
        self.words: tuple[WordSpan, ...] = ()
        self._text = text
        self._speaker = speaker
        self._engine = GuardedEngine(speaker.voice.engine, abandoned)
        self._synthesis: Synthesis | None = None

    @property
    def token_start_samples(self) -> IntArray:
        """First sample of each token and the end: [n_tokens + 1] int64; known with the first audio."""
        assert self._synthesis is not None  # there is audio
        return self._synthesis.token_start_samples

    def advance(self) -> AudioChunk | None:
        """Compute the next block; the first call also runs the frontend and the encoder.

        Returns:
            Audio, or None when nothing (more) is heard.

        Raises:
            UnspeakableTextError: The voice cannot pronounce the text.
            SynthesisError: A network failed.
            Cancelled: Nobody listens any more.
        """
        synthesis = self._synthesis or self._begun()
        chunk = None if synthesis is None else synthesis.advance()
        return chunk if chunk is not None and chunk.samples.size else None

    def _begun(self) -> Synthesis | None:
        voice, clock = self._speaker.voice, self._speaker.clock
        started_s = clock()
        phonemes = voice.frontend.phonemes(self._text)
        self.times.frontend_ms += 1000.0 * (clock() - started_s)
        if phonemes is None or not phonemes.tokens:
            return None
        self.words = phonemes.words
        self._synthesis = new_synthesis(
            self._engine, voice.manifest, phonemes, self._speaker.style, times=self.times, clock=clock
        )
        return self._synthesis


class Speech:
    """One segment on its way from text to audio. `compute` runs in worker threads."""

    def __init__(self, due: Due, speaker: Speaker, account: Account) -> None:
        """Begin to listen to the segment; `close` ends that."""
        self.due = due
        self.start_sample = account.samples
        self.done = False
        self._account = account
        self._clock = speaker.clock
        text = due.segment.text
        self._reader = speaker.cache.open(
            speaker.key(text), lambda abandoned: SegmentWork(text, speaker, abandoned)
        )

    @property
    def ready(self) -> bool:
        """Whether `events` can go on without anything being computed."""
        return self._reader.ready

    @property
    def under_way(self) -> Future[None] | None:
        """The call, made for another utterance, that computes what comes next."""
        return self._reader.under_way

    def compute(self, submitted_s: float) -> Future[None] | None:
        """Compute the next block, unless it is there or is being computed for another utterance.

        Returns:
            The other utterance's call, to be waited for; None when this speech is `ready`.

        Raises:
            UnspeakableTextError: The voice cannot pronounce the segment.
            SynthesisError: A network failed.
        """
        self._account.note_wait(self._clock() - submitted_s)
        return self._reader.advance(self._account.stages)

    def events(self) -> Iterable[Event]:
        """Say what comes next; call it when `ready`. The segment is announced with its first audio.

        Raises:
            UnspeakableTextError: The voice cannot pronounce the segment; another utterance found out.
            SynthesisError: A network failed in another utterance's call.
        """
        chunk = self._reader.next()
        self.done = chunk is None or chunk.last
        if chunk is None:
            return
        segment, cached = self.due.segment, not self._reader.computed
        if chunk.start_sample == 0:
            self._account.note_segment(self.due.received_s)
            yield SegmentStarted(segment, self.start_sample)
            if words := self._word_times():
                yield WordsTimed(segment.index, words)
        self._account.note_audio(chunk.samples)
        if chunk.last and cached:
            self._account.cached_segments += 1
        start_sample = self.start_sample + chunk.start_sample
        yield AudioReady(chunk.samples, start_sample, segment.index, chunk.last, cached)

    def close(self) -> None:
        """Stop listening; what nobody listens to is computed no further. Idempotent."""
        self._reader.close()

    def _word_times(self) -> tuple[WordTime, ...]:
        starts = self._reader.token_start_samples + self.start_sample
        segment = self.due.segment
        return tuple(
            WordTime(
                text=word.text,
                start_sample=int(starts[word.token_start]),
                end_sample=int(starts[word.token_end]),
                char_start=segment.char_start + word.char_start,
                char_end=segment.char_start + word.char_end,
            )
            for word in self._reader.words
        )


def canonical_style(manifest: VoiceManifest, style: Style) -> Style:
    """Return the style with the speaker and the emotion as the voice itself names them.

    Raises:
        UnknownVoiceError: The voice has no such speaker or emotion.
    """
    emotion_id = manifest.emotion_id(style.emotion)
    emotions = [name for name, number in manifest.emotions.items() if number == emotion_id]
    speaker = manifest.speakers[manifest.speaker_id(style.speaker)]
    return replace(style, speaker=speaker, emotion=emotions[0] if emotions else "")
