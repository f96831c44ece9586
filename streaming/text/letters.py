"""Guess the sound of an English word from its letters, for words no dictionary has.

Input   a lower-case word of a-z
Output  ARPAbet symbols with stress digits, not yet cut into syllables; names of single letters
State   none
Unaware of dictionaries. The rules are a small set in the manner of the NRL letter-to-sound rules (Elovitz et
al., 1976): at each place the longest spelling that matches, with a word border where the rule asks for one.
"""

from __future__ import annotations

import re

LETTER_NAMES = {
    "a": "EY1", "b": "B IY1", "c": "S IY1", "d": "D IY1", "e": "IY1", "f": "EH1 F", "g": "JH IY1",
    "h": "EY1 CH", "i": "AY1", "j": "JH EY1", "k": "K EY1", "l": "EH1 L", "m": "EH1 M", "n": "EH1 N",
    "o": "OW1", "p": "P IY1", "q": "K Y UW1", "r": "AA1 R", "s": "EH1 S", "t": "T IY1", "u": "Y UW1",
    "v": "V IY1", "w": "D AH1 . B AH0 L . Y UW0", "x": "EH1 K S", "y": "W AY1", "z": "Z IY1",
}  # fmt: skip

# Spelling -> sounds; `^` binds to the start of the word, `$` to its end.
_RULES = {
    "^kn": "N", "^gn": "N", "^wr": "R", "^ps": "S", "^x": "Z", "^wh": "W", "^y": "Y", "^rh": "R",
    "^mc": "M AH K", "tion": "SH AH N", "sion": "ZH AH N", "ssion": "SH AH N", "cian": "SH AH N",
    "tial": "SH AH L", "cial": "SH AH L", "cious": "SH AH S", "tious": "SH AH S", "ture$": "CH ER",
    "sure$": "ZH ER", "ous$": "AH S", "eigh": "EY", "igh": "AY", "ough": "AO", "augh": "AO", "tch": "CH",
    "sch": "S K", "dge": "JH", "ck": "K", "zh": "JH", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F",
    "gh": "G", "qu": "K W", "ng": "NG", "nk": "NG K", "x": "K S", "mb$": "M", "ce": "S", "ci": "S IH",
    "cy": "S IY", "ge$": "JH", "gi": "JH IH", "gy": "JH IY", "air": "EH R", "are$": "EH R", "ear": "IH R",
    "eer": "IH R", "ier": "IH R", "oor": "AO R", "our": "AO R", "ire$": "AY ER", "ure": "Y UH R",
    "ore$": "AO R", "ar": "AA R", "er": "ER", "ir": "ER", "or": "AO R", "ur": "ER", "ee": "IY", "ea": "IY",
    "oo": "UW", "ou": "AW", "ow$": "OW", "ow": "AW", "oa": "OW", "oe$": "OW", "ai": "EY", "ay": "EY",
    "oi": "OY", "oy": "OY", "au": "AO", "aw": "AO", "ie": "IY", "ei": "EY", "ey": "IY", "ew": "UW",
    "ue": "UW", "ui": "UW", "eu": "Y UW", "io": "IY OW", "ia": "IY AH", "eo": "IY OW", "le$": "AH L",
    "es$": "IH Z", "ed$": "D", "a$": "AH", "e$": "", "i$": "IY", "o$": "OW", "u$": "UW", "y$": "IY",
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH",
    "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T",
    "u": "AH", "v": "V", "w": "W", "y": "IH", "z": "Z",
}  # fmt: skip
_LONGEST = max(len(spelling.strip("^$")) for spelling in _RULES)
_LONG_VOWELS = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW", "y": "AY"}
_UNREADABLE = re.compile(r"[^aeiouy]{5}")
_VOWEL_LETTERS = frozenset("aeiouy")
_VOWEL_SOUNDS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())


def is_readable(word: str) -> bool:
    """Tell whether a word can be read: one without a vowel, or with five consonants in a row, is spelled."""
    vowels = "aeiouy" if len(word) > 3 else "aeiou"
    return any(char in vowels for char in word) and not _UNREADABLE.search(word)


def sound_out(word: str) -> list[str]:
    """Return ARPAbet symbols for a word that is readable, the first vowel stressed."""
    sounds: list[str] = []
    position = 0
    while position < len(word):
        spelling, sound = _rule_at(word, position)
        sounds += sound.split()
        position += len(spelling)
    return _with_stress(sounds or LETTER_NAMES[word[0]].replace(" .", "").replace("1", "").split())


def _rule_at(word: str, position: int) -> tuple[str, str]:
    """Return the spelling that matches at a position, and its sounds."""
    letter = word[position]
    if position and letter == word[position - 1] and letter not in _VOWEL_LETTERS:
        return letter, ""  # doubled consonants sound once
    if _is_magic_e(word, position):
        return letter, _LONG_VOWELS[letter]
    for length in range(min(_LONGEST, len(word) - position), 0, -1):
        spelling = word[position : position + length]
        starts, ends = position == 0, position + length == len(word)
        for pattern, fits in ((f"^{spelling}", starts), (f"{spelling}$", ends), (spelling, True)):
            if fits and pattern in _RULES and not (pattern == "e$" and position <= 1):
                return spelling, _RULES[pattern]
    return letter, ""


def _is_magic_e(word: str, position: int) -> bool:
    """A single vowel, one consonant and a final e: the vowel is long (make, code)."""
    return (
        position == len(word) - 3
        and word[position] in _VOWEL_LETTERS
        and word[position + 1] not in _VOWEL_LETTERS | {"r", "w", "x"}
        and word[-1] == "e"
        and (position == 0 or word[position - 1] not in _VOWEL_LETTERS)
    )


def _with_stress(sounds: list[str]) -> list[str]:
    stressed: list[str] = []
    stress = "1"
    for sound in sounds:
        if sound in _VOWEL_SOUNDS:
            stressed.append(sound + stress)
            stress = "0"
        else:
            stressed.append(sound)
    return stressed
