"""What is said of a task while it is spoken: sentences, times, characters, in both dialects.

Input   the parts of a Rendering, and the text it is made of
Output  Lines: the `output` of an event, audio, or the end
State   the sentence that is being spoken, its words, the characters that count
It does not know tasks, sockets or the envelopes around an output.

Sambert tells a sentence once, with its words, before its audio. CosyVoice tells its beginning, each piece of
its audio, and its end with the words. All times are integer milliseconds since the first sample of the task.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from server.rendering import Rendered, Sound, pieces
from streaming.events import Finished, SegmentStarted, WordsTimed, WordTime
from streaming.text.cleaning import is_hanzi
from streaming.types import Segment

MAX_PIECE_BYTES = 65536  # of one binary frame; clients take at least 1 MiB

Map = dict[str, Any]
Milliseconds = Callable[[int], int]

_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to say: an output, then its audio, each of which may be absent."""

    output: Map | None = None
    data: bytes = b""
    is_last: bool = False


class Script(Protocol):
    """Tells one task."""

    def lines(self, part: Rendered) -> Iterator[Line]:
        """Yield what a part gives to say."""
        ...

    @property
    def last_output(self) -> Map | None:
        """The output of the last event."""
        ...


class Meter:
    """Counts what a vendor would charge for, as its text is spoken."""

    def __init__(self, *, hanzi_weight: int, ssml: bool = False) -> None:
        """Count a Hanzi as `hanzi_weight` characters, any other as one; markup does not count."""
        self.n_characters = 0
        self._weight = hanzi_weight
        self._ssml = ssml
        self._waiting = ""
        self._n_spoken = 0

    def note(self, text: str) -> None:
        """Take text that will be spoken."""
        self._waiting += text

    def spoken(self, char_end: int) -> int:
        """Count the text up to `char_end` of it all; return the sum so far."""
        size = max(char_end - self._n_spoken, 0)
        self._count(self._waiting[:size])
        self._waiting, self._n_spoken = self._waiting[size:], self._n_spoken + size
        return self.n_characters

    def all_spoken(self) -> int:
        """Count all; return the sum."""
        return self.spoken(self._n_spoken + len(self._waiting))

    def _count(self, text: str) -> None:
        plain = _TAG.sub("", text) if self._ssml else text
        self.n_characters += len(plain) + (self._weight - 1) * sum(map(is_hanzi, plain))


class SambertScript:
    """Tells a task as Sambert does."""

    last_output: Map | None = None

    def __init__(self, meter: Meter, ms: Milliseconds, *, words: bool, phonemes: bool) -> None:
        self._meter = meter
        self._ms = ms
        self._words = words
        self._phonemes = phonemes
        self._start_ms = 0
        self._char_end = 0
        self._has_started = False

    def lines(self, part: Rendered) -> Iterator[Line]:
        """Yield what a part gives to say."""
        match part:
            case SegmentStarted():
                self._has_started = True
                self._start_ms = self._ms(part.start_sample)
                self._char_end = part.segment.char_end
            case WordsTimed() if self._words and part.words:
                self._meter.spoken(self._char_end)
                yield Line({"sentence": self._sentence(part.words)})
            case Sound() if self._has_started:  # a header alone is no speech
                for piece in pieces(part.data, MAX_PIECE_BYTES):
                    yield Line(data=piece)
            case Finished():
                self._meter.all_spoken()
                yield Line(is_last=True)

    def _sentence(self, words: tuple[WordTime, ...]) -> Map:
        end_ms = self._ms(words[-1].end_sample)
        return {"begin_time": self._start_ms, "end_time": end_ms, "words": [self._word(w) for w in words]}

    def _word(self, word: WordTime) -> Map:
        begin, end = self._ms(word.start_sample), self._ms(word.end_sample)
        told: Map = {"text": word.text, "begin_time": begin, "end_time": end}
        if self._phonemes:
            told["phonemes"] = [
                {"text": phone, "begin_time": self._ms(start), "end_time": self._ms(end), "tone": 0}
                for phone, start, end in word.phones
            ]
        return told


class CosyVoiceScript:
    """Tells a task as CosyVoice does."""

    def __init__(self, meter: Meter, ms: Milliseconds, *, words: bool, sound_is_whole: bool) -> None:
        """Tell of a task.

        Args:
            meter: Counts its text.
            ms: Milliseconds of a sample.
            words: Whether its words are told.
            sound_is_whole: Whether a sentence is over with its own sound: no codec that holds some back, no
                silence that SSML adds. Otherwise it ends when the next one begins.
        """
        self._meter = meter
        self._ms = ms
        self._tells_words = words
        self._sound_is_whole = sound_is_whole
        self._segment: Segment | None = None
        self._is_open = False
        self._words: list[Map] = []

    @property
    def last_output(self) -> Map:
        """The last sentence once more: old clients look for it here."""
        return {"sentence": self._sentence(self._words)}

    def lines(self, part: Rendered) -> Iterator[Line]:
        """Yield what a part gives to say."""
        match part:
            case SegmentStarted():
                yield from self._end()
                self._segment, self._is_open, self._words = part.segment, True, []
                yield Line(self._told("sentence-begin", part.segment, []))
            case WordsTimed() if self._tells_words:
                self._words = [self._word(word) for word in part.words]
            case Sound() if self._segment is not None:  # a header alone is no speech
                for piece in pieces(part.data, MAX_PIECE_BYTES):
                    sentence = self._sentence([])
                    yield Line({"type": "sentence-synthesis", "sentence": sentence}, piece)
                if part.ends_segment and self._sound_is_whole:
                    yield from self._end()
            case Finished():
                yield from self._end()
                self._meter.all_spoken()
                yield Line(is_last=True)

    def _end(self) -> Iterator[Line]:
        if self._is_open and self._segment is not None:
            self._is_open = False
            self._meter.spoken(self._segment.char_end)
            yield Line(self._told("sentence-end", self._segment, self._words))

    def _told(self, kind: str, segment: Segment, words: list[Map]) -> Map:
        return {"type": kind, "original_text": segment.text, "sentence": self._sentence(words)}

    def _sentence(self, words: list[Map]) -> Map:
        sentence: Map = {} if self._segment is None else {"index": self._segment.index}
        return {**sentence, "words": words}

    def _word(self, word: WordTime) -> Map:
        start = 0 if self._segment is None else self._segment.char_start
        return {
            "text": word.text,
            "begin_index": word.char_start - start,
            "end_index": word.char_end - start,
            "begin_time": self._ms(word.start_sample),
            "end_time": self._ms(word.end_sample),
        }
