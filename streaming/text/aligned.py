"""Text that remembers where every character came from, while rewriting rules change it.

Input   the segment's original text
Output  rewritten text, and for each of its characters the span of the original it stands for
State   none: every rewrite returns a new value
Unaware of languages and of what the rules mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class AlignedText:
    """Rewritten text with origins.

    Attributes:
        text: The text as it is now.
        starts: For each character of `text`, where its origin starts in the original text.
        ends: For each character of `text`, where its origin ends (exclusive); never before its start.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> AlignedText:
        """Start from the original text: every character stands for itself."""
        return cls(text, tuple(range(len(text))), tuple(range(1, len(text) + 1)))

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original that `text[start:end]` (not empty) stands for."""
        return min(self.starts[start:end]), max(self.ends[start:end])

    def __getitem__(self, span: slice) -> AlignedText:
        return AlignedText(self.text[span], self.starts[span], self.ends[span])

    def __add__(self, other: AlignedText) -> AlignedText:
        return AlignedText(self.text + other.text, self.starts + other.starts, self.ends + other.ends)

    def map_chars(self, replacement: Callable[[str], str]) -> AlignedText:
        """Replace each character by `replacement(character)`, which may be empty or several characters."""
        pieces = [replacement(char) for char in self.text]
        text = "".join(pieces)
        if text == self.text:
            return self
        return AlignedText(
            text,
            tuple(start for piece, start in zip(pieces, self.starts, strict=True) for _ in piece),
            tuple(end for piece, end in zip(pieces, self.ends, strict=True) for _ in piece),
        )

    def sub(
        self,
        pattern: re.Pattern[str],
        replacement: Callable[[re.Match[str]], str] | str,
        group: int | str = 0,
    ) -> AlignedText:
        """Replace each match, or one group of it; every new character stands for all that it replaces."""
        parts: list[AlignedText] = []
        done = 0
        for match in pattern.finditer(self.text):
            new = replacement if isinstance(replacement, str) else replacement(match)
            first, last = match.span(group)
            if last <= first or new == match[group]:
                continue
            start, end = self.origin(first, last)
            parts += [self[done:first], AlignedText(new, (start,) * len(new), (end,) * len(new))]
            done = last
        return self if not done else _join([*parts, self[done:]])

    def keep(self, pattern: re.Pattern[str], group: int = 1) -> AlignedText:
        """Replace each match by one of its groups (nothing if it took no part), which keeps its alignment."""
        parts: list[AlignedText] = []
        done = 0
        for match in pattern.finditer(self.text):
            start, end = match.span(group)
            parts += [self[done : match.start()], self[max(start, 0) : max(end, 0)]]
            done = match.end()
        return self if not parts else _join([*parts, self[done:]])

    def realign(self, text: str) -> AlignedText:
        """Put `text`, a rewrite of ours by a foreign normaliser, in our place.

        Unchanged runs keep their alignment; the characters of a changed run all stand for what it replaced,
        and inserted ones for the character before them.
        """
        if text == self.text:
            return self
        starts: list[int] = []
        ends: list[int] = []
        for kind, old, old_end, new, new_end in SequenceMatcher(None, self.text, text, False).get_opcodes():
            if kind == "equal":
                starts += self.starts[old:old_end]
                ends += self.ends[old:old_end]
                continue
            if old == old_end:  # inserted: borrow a neighbour's place
                old, old_end = (old - 1, old) if old else (0, 1)
            start, end = self.origin(old, old_end) if self.text else (0, 0)
            starts += [start] * (new_end - new)
            ends += [end] * (new_end - new)
        return AlignedText(text, tuple(starts), tuple(ends))


def _join(parts: list[AlignedText]) -> AlignedText:
    return AlignedText(
        "".join(part.text for part in parts),
        tuple(start for part in parts for start in part.starts),
        tuple(end for part in parts for end in part.ends),
    )
