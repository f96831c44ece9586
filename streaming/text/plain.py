"""Read text in which every character is meant to be spoken, all in one style; the twin of SsmlReader.

Input   text as it is appended
Output  Said, in order
State   the segmenter's; the text after the last segment
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from streaming.text.aligned import AlignedText
from streaming.text.segmenter import Segmenter, SegmentPolicy
from streaming.text.ssml import Said
from streaming.types import Segment, Style

LINE_END = re.compile(r"\r\n|\r|\n")


class PlainReader:
    """Text in which every character is meant to be read, all in one style."""

    def __init__(self, style: Style, policy: SegmentPolicy) -> None:
        self._segmenter, self._style = Segmenter(policy), style
        self._rest, self._rest_start = "", 0  # the text after the last segment; where it starts

    def push(self, delta: str) -> Sequence[Said]:
        """Take more text; return what is now certain."""
        self._rest += delta
        return self._said(self._segmenter.push(delta))

    def flush(self) -> Sequence[Said]:
        """Return what is held back; more may be pushed."""
        return self._said(self._segmenter.flush())

    end = flush

    def _said(self, segments: Sequence[Segment]) -> Sequence[Said]:
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
