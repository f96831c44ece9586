"""From appended text to what is spoken next, whether it is plain or SSML.

Input   text as it is appended; the policy and style of an utterance
Output  Said and Pause, in order
State   that of the reader behind
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from streaming.events import TextPolicy
from streaming.text.aligned import AlignedText
from streaming.text.segmenter import Segmenter
from streaming.text.ssml import Piece, Said, SsmlReader
from streaming.types import Segment, Style

LINE_END = re.compile(r"\r\n|\r|\n")


class TextReader(Protocol):
    """Turns appended text into pieces; a RequestError says what is wrong with it."""

    def push(self, delta: str) -> Sequence[Piece]:
        """Take more text; return what is now certain."""
        ...

    def flush(self) -> Sequence[Piece]:
        """Return what is held back; more may be pushed."""
        ...

    def end(self) -> Sequence[Piece]:
        """Return the rest."""
        ...


class PlainReader:
    """Text in which every character is meant to be read, all in one style."""

    def __init__(self, policy: TextPolicy, style: Style) -> None:
        self._segmenter, self._style = Segmenter(policy.segments), style
        self._rest, self._rest_start = "", 0  # the text after the last segment; where it starts

    def push(self, delta: str) -> Sequence[Piece]:
        """See TextReader."""
        self._rest += delta
        return self._said(self._segmenter.push(delta))

    def flush(self) -> Sequence[Piece]:
        """See TextReader."""
        return self._said(self._segmenter.flush())

    end = flush

    def _said(self, segments: Sequence[Segment]) -> Sequence[Piece]:
        said, end = [], self._rest_start
        for segment in segments:
            between = self._rest[end - self._rest_start : segment.char_start - self._rest_start]
            n_lines = len(LINE_END.findall(between))
            said.append(Said(segment, _in_place(segment), self._style, n_lines))
            end = segment.char_end
        self._rest, self._rest_start = self._rest[end - self._rest_start :], end
        return said


def _in_place(segment: Segment) -> AlignedText:
    """Return a segment's text, each character where the segment says."""
    places = range(segment.char_start, segment.char_start + len(segment.text))
    return AlignedText(segment.text, tuple(places), tuple(place + 1 for place in places))


def reader_of(policy: TextPolicy, style: Style, check: Callable[[Style], None]) -> TextReader:
    """Return the reader of an utterance; `check` refuses styles that its voice cannot speak in."""
    if policy.ssml:
        return SsmlReader(style, policy.segments, check)
    return PlainReader(policy, style)
