"""Put other words in place of given ones, in text that is still being written.

Input   text deltas, cut anywhere; words with what is said instead
Output  the text with the words replaced
State   the end of the text, while it may be the beginning of a word; how much text may still come out
Where several words begin at a place, the longest wins. What was put in is not looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping

from streaming.errors import TextTooLongError


class Replacer:
    """Replaces words of a stream: push and flush.

    A character costs one look-up per length of a word at most. No regular expression: one of many long words
    that begin alike takes longer, and `re` keeps what it has compiled.
    """

    def __init__(self, words: Mapping[str, str], max_chars: int) -> None:
        """Take words with what is said instead, and how long all text that comes out may be."""
        self._words = {word: instead for word, instead in words.items() if word}
        self._sizes: dict[str, list[int]] = {}  # of the words that begin with a character, longest first
        for size, first in sorted({(len(word), word[0]) for word in self._words}, reverse=True):
            self._sizes.setdefault(first, []).append(size)
        self._max_held = max(map(len, self._words), default=1) - 1
        self._max_chars = max_chars
        self._n_chars = 0
        self._held = ""

    def push(self, text: str) -> str:
        """Take more text; return what is certain.

        Raises:
            TextTooLongError: It becomes too long; the stream is over.
        """
        return self._replaced(self._held + text, is_end=False)

    def flush(self) -> str:
        """Return the rest; what comes later does not complete a word of it.

        Raises:
            TextTooLongError: It becomes too long; the stream is over.
        """
        return self._replaced(self._held, is_end=True)

    def _replaced(self, text: str, *, is_end: bool) -> str:
        done: list[str] = []
        copied = 0
        at = 0
        while at < len(text):
            if text[at] not in self._sizes:
                at += 1
            elif not is_end and self._may_grow(text, at):
                break
            elif (word := self._word_at(text, at)) is None:
                at += 1
            else:
                done += self._counted(text[copied:at]), self._counted(self._words[word])
                copied = at = at + len(word)
        self._held = text[at:]
        done.append(self._counted(text[copied:at]))
        return "".join(done)

    def _counted(self, text: str) -> str:
        self._n_chars += len(text)
        if self._n_chars > self._max_chars:
            raise TextTooLongError(self._n_chars, self._max_chars)
        return text

    def _word_at(self, text: str, at: int) -> str | None:
        """Return the longest word that stands at a place."""
        for size in self._sizes[text[at]]:
            if (word := text[at : at + size]) in self._words:
                return word
        return None

    def _may_grow(self, text: str, at: int) -> bool:
        """Tell whether the text from `at` to its end is the beginning of a longer word."""
        size = len(text) - at
        if size > self._max_held:
            return False
        tail = text[at:]
        return any(len(word) > size and word.startswith(tail) for word in self._words)
