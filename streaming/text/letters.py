"""Names of letters, and which words are better spelled than read.

Input   a lower-case word of a-z
Output  ARPAbet of single letters; whether a word can be read
State   none
Unaware of dictionaries.
"""

from __future__ import annotations

import re

LETTER_NAMES = {
    "a": "EY1", "b": "B IY1", "c": "S IY1", "d": "D IY1", "e": "IY1", "f": "EH1 F", "g": "JH IY1",
    "h": "EY1 CH", "i": "AY1", "j": "JH EY1", "k": "K EY1", "l": "EH1 L", "m": "EH1 M", "n": "EH1 N",
    "o": "OW1", "p": "P IY1", "q": "K Y UW1", "r": "AA1 R", "s": "EH1 S", "t": "T IY1", "u": "Y UW1",
    "v": "V IY1", "w": "D AH1 . B AH0 L . Y UW0", "x": "EH1 K S", "y": "W AY1", "z": "Z IY1",
}  # fmt: skip

_UNREADABLE = re.compile(r"[^aeiouy]{5}")


def is_readable(word: str) -> bool:
    """Tell whether a word can be read: one without a vowel, or with five consonants in a row, is spelled."""
    vowels = "aeiouy" if len(word) > 3 else "aeiou"
    return any(char in vowels for char in word) and not _UNREADABLE.search(word)
