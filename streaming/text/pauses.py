"""Decide how long to be silent between two segments.

Input   the segments in order, with what stands between them in the text; breaks that the text asks for
Output  milliseconds of silence before a segment
State   the end of the segment before, and the silence that is owed
Unaware of audio: every voice ends a segment with some silence of its own, to which this is added.
"""

from __future__ import annotations

from dataclasses import dataclass

from streaming.text.ssml import Said

SENTENCE_ENDS = frozenset("。！？!?.…｡")
INNER_MARKS = frozenset("，、；：,;:—-")
PARAGRAPH_LINES = 2  # line ends: a blank line


@dataclass(frozen=True, slots=True)
class Pauses:
    """Silence between segments besides the voice's own (ms, at speed 1), by what stands between them."""

    sentence_ms: int = 0
    paragraph_ms: int = 0

    def between(self, before: str, n_lines: int) -> int:
        """Return the silence after a segment.

        Args:
            before: Its text.
            n_lines: Line ends between it and the next one.
        """
        if n_lines >= PARAGRAPH_LINES:
            return self.paragraph_ms
        return self.sentence_ms if n_lines or _ends_sentence(before) else 0


class Gap:
    """Follows an utterance from segment to segment; belongs to one task."""

    def __init__(self, pauses: Pauses) -> None:
        """Begin before the first segment, where no silence is owed."""
        self._pauses = pauses
        self._before = ""
        self._owed_ms: float | None = None

    def meet(self, said: Said) -> None:
        """Take the next segment. Whether it is heard shows later: an emoji alone is not."""
        ms = self._pauses.between(self._before, said.lines_before) / said.style.speed
        self._before = said.segment.text
        if self._owed_ms is not None:
            self._owed_ms = max(self._owed_ms, ms)

    def pass_ms(self) -> int:
        """Return the silence before the segment that was met last, now that it is about to be heard."""
        owed_ms, self._owed_ms = self._owed_ms or 0.0, 0.0
        return round(owed_ms)

    def break_off(self) -> None:
        """The text asked for a pause of its own here: it takes the place of ours."""
        self._owed_ms = None


def _ends_sentence(text: str) -> bool:
    """Tell whether the last mark of a text ends a sentence; quotes, brackets and emoji may follow it."""
    for char in reversed(text):
        if char in SENTENCE_ENDS:
            return True
        if char.isalnum() or char in INNER_MARKS:
            return False
    return False
