"""Text as UTF-8 bytes, for voices that learned to read bytes.

Input   the text of one segment, as it was written
Output  Phonemes whose tokens are bytes
State   none
Unaware of languages: what a byte sounds like is the network's matter. Numbers are not spelled out.
"""

from __future__ import annotations

import re

import numpy as np

from streaming.text.cleaning import is_hanzi
from streaming.types import Phonemes, WordSpan

SENTENCE_ENDS = frozenset(b"!.?")  # the networks expect one of these as the last byte
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class ByteFrontend:
    """Tokens are the bytes of the text, a full stop added where it ends without one. Thread-safe."""

    def phonemes(self, text: str) -> Phonemes | None:
        """Return one token per byte, ids [n_tokens, 1]; None if there is nothing but punctuation.

        A byte's id is its value. The spans are Hanzi one by one, and other words as they stand between
        spaces and punctuation.
        """
        start = len(text) - len(text.lstrip())
        spoken = text.strip()
        words = [(start + a, start + b) for a, b in _words(spoken)]
        if not words:
            return None
        content = spoken.encode("utf-8", errors="replace")
        if content[-1] not in SENTENCE_ENDS:
            content += b"."
        ends = np.cumsum([0, *(len(char.encode("utf-8", errors="replace")) for char in spoken)])
        spans = tuple(WordSpan(text[a:b], a, b, int(ends[a - start]), int(ends[b - start])) for a, b in words)
        ids = np.frombuffer(content, np.uint8).astype(np.int64)[:, None]
        return Phonemes(tuple(str(byte) for byte in content), ids, spans)


def _words(text: str) -> list[tuple[int, int]]:
    words: list[tuple[int, int]] = []
    for match in _WORD.finditer(text):
        begin = match.start()
        for position in range(match.start(), match.end()):
            if is_hanzi(text[position]):
                if begin < position:
                    words.append((begin, position))
                words.append((position, position + 1))
                begin = position + 1
        if begin < match.end():
            words.append((begin, match.end()))
    return words
