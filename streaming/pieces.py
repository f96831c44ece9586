"""From appended text to what is spoken next, whether it is plain or SSML.

Input   text as it is appended; the policy and style of an utterance
Output  Said and Pause, in order
State   that of the reader behind
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from streaming.events import TextPolicy
from streaming.text.plain import PlainReader
from streaming.text.ssml import Piece, SsmlReader
from streaming.types import Style


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


def reader_of(policy: TextPolicy, style: Style, check: Callable[[Style], None]) -> TextReader:
    """Return the reader of an utterance; `check` refuses styles that its voice cannot speak in."""
    if policy.ssml:
        return SsmlReader(style, policy.segments, check)
    return PlainReader(style, policy.segments)
