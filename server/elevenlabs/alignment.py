"""When each character of a text is heard, from when its words are.

Input   the text as it is appended; segments and word times of an utterance
Output  Alignment, piece by piece
State   how many characters and samples the pieces so far cover
It does not know audio bytes, sockets or messages.

The pieces tile the text and the time: joined they have every character once, in order, and each begins where
the one before ended. The characters of a word share its time evenly; those between two words (punctuation,
white space, words that are not spoken) share the time between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from streaming.events import SegmentStarted, WordsTimed, WordTime


@dataclass(frozen=True, slots=True)
class Alignment:
    """Consecutive characters with the sample at which each begins and ends, counted from the utterance's.

    `start_sample` is where the piece begins: not after the first character does.
    """

    chars: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    start_sample: int

    def in_ms(self, rate: int) -> dict[str, list[str] | list[int]]:
        """Return what WebSockets say: whole milliseconds, counted from the start of the piece."""
        begins = [(sample - self.start_sample) * 1000 // rate for sample in self.starts]
        ends = [(sample - self.start_sample) * 1000 // rate for sample in self.ends]
        durations = [end - begin for begin, end in zip(begins, ends, strict=True)]
        return {"chars": list(self.chars), "charStartTimesMs": begins, "charDurationsMs": durations}

    def in_seconds(self, rate: int) -> dict[str, list[str] | list[float]]:
        """Return what HTTP says: seconds, counted from the start of the utterance."""
        return {
            "characters": list(self.chars),
            "character_start_times_seconds": [round(sample / rate, 4) for sample in self.starts],
            "character_end_times_seconds": [round(sample / rate, 4) for sample in self.ends],
        }


def joined(first: Alignment | None, second: Alignment | None) -> Alignment | None:
    """Return two consecutive pieces as one."""
    if first is None or second is None:
        return first or second
    return Alignment(
        first.chars + second.chars,
        first.starts + second.starts,
        first.ends + second.ends,
        first.start_sample,
    )


@dataclass(slots=True)
class _Group:
    """Words that stand in the same place of the text: `12` may be two."""

    char_start: int
    char_end: int
    start_sample: int
    end_sample: int


class Aligner:
    """Aligns one utterance."""

    def __init__(self) -> None:
        self._text = ""
        self._n_chars = 0  # that are covered
        self._sample = 0  # up to which time is covered
        self._segment_end = 0

    def append(self, text: str) -> None:
        """Take text, as the utterance does."""
        self._text += text

    def segment(self, started: SegmentStarted) -> None:
        """Take the segment whose words come next."""
        self._segment_end = started.segment.char_end

    def words(self, timed: WordsTimed) -> Alignment | None:
        """Return the piece up to the end of a segment, with the white space that is known to follow."""
        end = self._segment_end
        while end < len(self._text) and self._text[end].isspace():
            end += 1
        return self._piece(end, timed.words, timed.end_sample)

    def rest(self, end_sample: int) -> Alignment | None:
        """Return the piece up to the end of text and time; None if no character is left."""
        return self._piece(len(self._text), (), end_sample)

    def _piece(self, char_end: int, words: Iterable[WordTime], end_sample: int) -> Alignment | None:
        first, start_sample = self._n_chars, self._sample
        if char_end <= first:
            return None  # the time goes to the next piece
        edges: list[tuple[int, int]] = []
        char, sample = first, start_sample
        for group in _groups(words, first, char_end, start_sample):
            edges += _shared(group.char_start - char, sample, group.start_sample)
            edges += _shared(group.char_end - group.char_start, group.start_sample, group.end_sample)
            char, sample = group.char_end, group.end_sample
        edges += _shared(char_end - char, sample, max(sample, end_sample))
        self._n_chars, self._sample = char_end, max(sample, end_sample)
        return Alignment(
            self._text[first:char_end],
            tuple(start for start, _ in edges),
            tuple(end for _, end in edges),
            start_sample,
        )


def _groups(words: Iterable[WordTime], first: int, last: int, sample: int) -> list[_Group]:
    """Return the words in order, without overlap in text or time."""
    groups: list[_Group] = []
    for word in words:
        char_start, char_end = max(word.char_start, first), min(word.char_end, last)
        if char_end <= char_start:
            continue  # it stands nowhere
        start_sample = max(word.start_sample, sample)
        sample = max(word.end_sample, start_sample)
        if groups and char_start < groups[-1].char_end:
            groups[-1].char_end = max(groups[-1].char_end, char_end)
            groups[-1].end_sample = sample
        else:
            groups.append(_Group(char_start, char_end, start_sample, sample))
    return groups


def _shared(n_chars: int, start: int, end: int) -> list[tuple[int, int]]:
    """Return the edges of characters that share a time evenly."""
    points = [start + (end - start) * index // n_chars for index in range(n_chars + 1)] if n_chars else []
    return list(pairwise(points))
