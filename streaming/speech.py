"""One segment of an utterance, from its text to events.

Input   a segment, a voice, a style
Output  the steps that compute its blocks; the events that announce the segment's audio
State   the reader of the segment's audio; where the segment starts in the utterance
Not here: when the next block is computed, what becomes of it, and who else hears the same segment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import numpy as np

from streaming.account import Account
from streaming.events import AudioReady, Event, SegmentStarted, WordsTimed, WordTime
from streaming.frontends import reads_marks
from streaming.loaded_voice import LoadedVoice
from streaming.manifest import VoiceManifest
from streaming.scheduling.cache import Hurry, SegmentCache
from streaming.scheduling.finisher import Finisher
from streaming.scheduling.segments import SegmentKey
from streaming.synthesis.family import Synthesis, new_synthesis
from streaming.synthesis.steps import HostCall, Steps
from streaming.text.aligned import AlignedText
from streaming.text.lexicon import Lexicon
from streaming.text.pauses import Gap
from streaming.text.ssml import Said
from streaming.types import AudioChunk, FloatArray, IntArray, Segment, Style, WordSpan


@dataclass(frozen=True, slots=True)
class Due:
    """A segment to speak, and when the server had its text."""

    said: Said
    received_s: float

    @property
    def segment(self) -> Segment:
        """Its text, and its place in the utterance's."""
        return self.said.segment


class Cancelled(Exception):  # noqa: N818 -- not an error
    """Ends the event stream of a cancelled utterance."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """How the segments of an utterance are spoken, and where those are kept that were."""

    voice: LoadedVoice
    style: Style
    cache: SegmentCache
    clock: Callable[[], float]
    lexicon: Lexicon = field(default_factory=Lexicon)

    def marked(self, text: str) -> AlignedText:
        """Return what is spoken of a segment's text: the same, with the lexicon's words marked."""
        takes_readings = reads_marks(self.voice.frontend)
        return self.lexicon.marked(text) if takes_readings else AlignedText.of(text)

    def key(self, text: str) -> SegmentKey:
        """Return what the audio of `text` depends on; equal sounds may be named differently."""
        manifest = self.voice.manifest
        return SegmentKey(manifest.name, self.voice.content, text, canonical_style(manifest, self.style))


class SegmentWork:
    """Says how to compute one segment, block by block, in one thread at a time."""

    def __init__(self, text: str, speaker: Speaker) -> None:
        """Take what is spoken and how; nothing is computed yet."""
        self.words: tuple[WordSpan, ...] = ()
        self._text = text
        self._speaker = speaker
        self._synthesis: Synthesis | None = None

    @property
    def token_start_samples(self) -> IntArray:
        """First sample of each token and the end: [n_tokens + 1] int64; known with the first audio."""
        assert self._synthesis is not None  # there is audio
        return self._synthesis.token_start_samples

    def steps(self) -> Steps[AudioChunk | None]:
        """Say what to compute for the next block; the first time also the frontend and the encoder.

        Returns:
            Audio, or None when nothing (more) is heard.

        Raises:
            UnspeakableTextError: The voice cannot pronounce the text.
            SynthesisError: A network's result is not a number.
        """
        synthesis = self._synthesis or (yield from self._begun())
        chunk = None if synthesis is None else (yield from synthesis.steps())
        return chunk if chunk is not None and chunk.samples.size else None

    def _begun(self) -> Steps[Synthesis | None]:
        voice = self._speaker.voice
        phonemes = yield HostCall(lambda: voice.frontend.phonemes(self._text), "frontend_ms")
        if phonemes is None or not phonemes.tokens:
            return None
        self.words = phonemes.words
        self._synthesis = new_synthesis(voice.engine, voice.manifest, phonemes, self._speaker.style)
        return self._synthesis


class Speech:
    """One segment on its way from text to audio. Its steps are driven by worker threads."""

    def __init__(self, due: Due, speaker: Speaker, account: Account, gap: Gap) -> None:
        """Begin to listen to the segment; `close` ends that.

        Args:
            due: What to speak.
            speaker: How.
            account: Of the utterance; the segment follows what it has counted so far.
            gap: Has met the segment; tells the silence that it begins with, if it has speech.
        """
        self.due = due
        self.start_sample = account.samples
        self.done = False
        self._account = account
        self._gap = gap
        self._silence: FloatArray = np.zeros(0, np.float32)
        self._voice = speaker.voice
        speaker = replace(speaker, style=due.said.style)
        self._marked = speaker.marked(due.segment.text)
        text = self._marked.text
        self._reader = speaker.cache.open(speaker.key(text), lambda: SegmentWork(text, speaker))

    @property
    def ready(self) -> bool:
        """Whether `events` can go on without anything being computed."""
        return self._reader.ready

    @property
    def n_computed(self) -> int:
        """Blocks that were computed at this utterance's expense."""
        return self._reader.n_computed

    @property
    def abandoned(self) -> bool:
        """Whether neither this utterance nor another listens any more."""
        return self._reader.abandoned

    @property
    def loading(self) -> Future[None] | None:
        """The read from a disk that is under way; done when it ends. Cannot be cancelled."""
        return self._reader.loading

    def stop_loading(self) -> None:
        """Have the segment computed instead, if it is still being read."""
        self._reader.stop_loading()

    def join(self, deadline_s: float) -> Future[None] | None:
        """Return the block of another utterance that computes what comes next, if there is one.

        It is told that it is needed by `deadline_s`.
        """
        return self._reader.join(deadline_s)

    def steps(self, hurry: Hurry) -> Steps[Future[None] | None]:
        """Have the next block computed, unless it is there or is being computed for another utterance.

        Returns:
            The other utterance's block, to be waited for; None when this speech is `ready`.

        Raises:
            UnspeakableTextError: The voice cannot pronounce the segment.
            SynthesisError: A network failed.
        """
        return self._reader.steps(hurry)

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
        segment, cached = self.due.segment, self._reader.n_computed == 0
        samples = chunk.samples
        start_sample = self.start_sample + self._silence.size + chunk.start_sample
        if chunk.start_sample == 0:
            self._silence = np.zeros(
                self._voice.manifest.sample_rate * self._gap.pass_ms() // 1000, np.float32
            )
            samples = np.concatenate([self._silence, samples])
            self._account.note_segment(self.due.received_s)
            yield SegmentStarted(segment, self.start_sample)
            starts = self._token_starts()
            if words := self._word_times(starts):
                yield WordsTimed(segment.index, words, int(starts[-1]))
        self._account.note_audio(samples)
        if chunk.last and cached:
            self._account.cached_segments += 1
        yield AudioReady(samples, start_sample, segment.index, chunk.last, cached)

    def close(self) -> None:
        """Stop listening; what nobody listens to is computed no further. Idempotent."""
        self._reader.close()

    def leave(self, finisher: Finisher | None) -> None:
        """Stop listening before the end; what was begun may be finished for the next who asks."""
        if finisher is None:
            self._reader.close()
        else:
            finisher.take(self._reader, self._voice.engine, self._voice.max_rows)

    def _token_starts(self) -> IntArray:
        """Return the first sample of each token and the end, in the utterance: [n_tokens + 1] int64."""
        return self._reader.token_start_samples + self.start_sample + self._silence.size

    def _word_times(self, starts: IntArray) -> tuple[WordTime, ...]:
        source = self.due.said.source
        times: list[WordTime] = []
        for word in self._reader.words:
            char_start, char_end = source.origin(*self._marked.origin(word.char_start, word.char_end))
            times.append(
                WordTime(
                    text=word.text,
                    start_sample=int(starts[word.token_start]),
                    end_sample=int(starts[word.token_end]),
                    char_start=char_start,
                    char_end=char_end,
                    phones=_phone_times(word, starts),
                )
            )
        return tuple(times)


def _phone_times(word: WordSpan, starts: IntArray) -> tuple[tuple[str, int, int], ...]:
    phones = word.phones.split()
    places = range(word.token_start, word.token_start + len(phones))
    return tuple(
        (phone, int(starts[place]), int(starts[place + 1]))
        for phone, place in zip(phones, places, strict=True)
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
