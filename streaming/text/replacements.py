"""Put other words in place of given ones, in text that is still being written.

Input   text deltas, cut anywhere; words with what is said instead
Output  the text with the words replaced
State   the end of the text, while it may be the beginning of a word
Where several words begin at a place, the longest wins. What was put in is not looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


class Replacer:
    """Replaces words of a stream: push and flush."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = {word: instead for word, instead in words.items() if word}
        longest_first = sorted(self._words, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if self._words else None
        self._beginnings = {word[:size] for word in self._words for size in range(1, len(word))}
        self._max_held = max(map(len, self._words), default=1) - 1
        self._held = ""

    def push(self, text: str) -> str:
        """Take more text; return what is certain."""
        return self._replaced(self._held + text, is_end=False)

    def flush(self) -> str:
        """Return the rest; what comes later does not complete a word of it."""
        return self._replaced(self._held, is_end=True)

    def _replaced(self, text: str, *, is_end: bool) -> str:
        done: list[str] = []
        at = 0
        while True:
            certain = len(text) if is_end else self._certain_until(text, at)
            match = self._pattern.search(text, at) if self._pattern else None
            if match is None or match.start() >= certain:
                self._held = text[certain:]
                return "".join([*done, text[at:certain]])
            done += text[at : match.start()], self._words[match[0]]
            at = match.end()

    def _certain_until(self, text: str, at: int) -> int:
        """Return where, from `at` on, the first end of the text stands that more text may make a word."""
        for start in range(max(at, len(text) - self._max_held), len(text)):
            if text[start:] in self._beginnings:
                return start
        return len(text)
