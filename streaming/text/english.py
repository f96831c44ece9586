"""Pronounce Latin words: dictionary, letters, or a guess by a model; never silence.

Input   one Latin token: a word, an acronym, a CamelCase name, with or without apostrophe
Output  its parts with ARPAbet cut into syllables (`W AY1 . F AY0`)
State   the CMU dictionary and the model, read once per process by `warm_up`, only read afterwards
Unaware of sentences, numbers and symbol ids.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from types import MappingProxyType

from streaming.text import graphones
from streaming.text.english_names import NAMES
from streaming.text.letters import LETTER_NAMES, is_readable

_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z']*|[a-z']+")
_LETTERS_AT_ONCE = 3  # a spelled-out token is spoken in groups, so that words stay short
_SHORTEST_PART = 5  # letters of each word of a compound; where one is shorter the model is right more often

# Written in capitals these are still words; other short words in capitals are acronyms (IT, US, AM).
_SHOUTED = frozenset(
    """
    a i the and you for not are but all can any new old big yes no now out one two who why how get let say see
    top hot red ok hi oh my we he she so to do go be by of on or if in is at as an me up
    """.split()
)

_VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
# Consonants that may begin a syllable, written together with `-`.
_ONSETS = frozenset(
    onset.replace("-", " ")
    for onset in """
    B CH D DH F G HH JH K L M N P R S SH T TH V W Y Z ZH B-L B-R B-Y D-R D-W D-Y F-L F-R F-Y G-L G-R G-W G-Y
    HH-W HH-Y K-L K-R K-W K-Y L-Y M-Y N-Y P-L P-R P-W P-Y S-F S-K S-L S-M S-N S-P S-T S-W SH-L SH-M SH-N SH-R
    SH-W T-R T-W T-Y TH-R TH-W V-Y S-K-L S-K-R S-K-W S-K-Y S-P-L S-P-R S-P-Y S-T-R S-T-Y
    """.split()
)


@dataclass(frozen=True, slots=True)
class SpelledWord:
    """One spoken part of a Latin token, with the place it has in the token.

    Attributes:
        text: The letters of the part.
        start: Offset of the part in the token.
        arpabet: Symbols with stress digits, syllables parted by ` . `.
    """

    text: str
    start: int
    arpabet: str


class EnglishLexicon:
    """Pronounces Latin tokens. Thread-safe once warm; `warm_up` may be called more than once."""

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}

    def warm_up(self) -> None:
        """Read the CMU dictionary and the model of spelling (0.3 s)."""
        if not self._entries:
            graphones.load()
            self._entries = _dictionary()

    def entries(self) -> Mapping[str, str]:
        """Words of the dictionary with their ARPAbet symbols; empty before `warm_up`."""
        return MappingProxyType(self._entries)

    def pronounce(self, token: str) -> list[SpelledWord]:
        """Return the spoken parts of a token of ASCII letters and apostrophes; never none for a letter.

        In order: a whole word of the dictionary; an acronym, letter by letter; the parts of a CamelCase name;
        two dictionary words written together; a guess by the model.
        """
        word = token.strip("'")
        if not word:
            return []
        start = token.find(word)
        whole = self._whole(word)
        if whole is not None:
            return [SpelledWord(word, start, whole)]
        if word[-2:].lower() == "'s":
            return _possessive(self.pronounce(word[:-2]), word[-2:], start)
        if word.isupper():
            return _spell_out(word, start)
        parts = [part for part in _CAMEL.finditer(word) if part[0].strip("'")]
        return [spelled for part in parts for spelled in self._part(part[0], start + part.start())]

    def _part(self, word: str, start: int) -> list[SpelledWord]:
        plain = word.replace("'", "")
        arpabet = self._whole(plain) or self._compound(plain.lower())
        if arpabet is not None:
            return [SpelledWord(word, start, arpabet)]
        if plain.isupper() or not is_readable(plain.lower()):
            return _spell_out(word, start)
        return [SpelledWord(word, start, syllabify(graphones.sound_out(plain.lower())))]

    def _whole(self, word: str) -> str | None:
        """Return the word as the dictionary has it, unless its capitals say that it is an acronym."""
        lower = word.lower()
        if len(word) == 1:
            return LETTER_NAMES[lower]
        if word.isupper() and len(word) <= 3 and lower not in _SHOUTED and lower not in NAMES:
            return None
        if lower in NAMES:
            return NAMES[lower]
        arpabet, letters = self._looked_up(lower), _letters(lower)
        # The dictionary stresses the last letter of HTML only; spelled letters are all alike here.
        return letters if arpabet is not None and _unstressed(arpabet) == _unstressed(letters) else arpabet

    def _looked_up(self, lower: str) -> str | None:
        entry = self._entries.get(lower)
        return None if entry is None else syllabify(entry.split())

    def _compound(self, lower: str) -> str | None:
        """Two dictionary words of some length written together; the longest first word wins."""
        for cut in range(len(lower) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
            if lower[cut - 1] == lower[cut]:
                continue  # the letter is doubled by an ending: embed, embeddings
            first, second = self._looked_up(lower[:cut]), self._looked_up(lower[cut:])
            if first is not None and second is not None:
                return f"{first} . {second.replace('1', '2')}"
        return None


def syllabify(symbols: Sequence[str]) -> str:
    """Cut ARPAbet symbols into syllables by maximal onset: the longest consonant run English allows."""
    nuclei = [index for index, symbol in enumerate(symbols) if symbol.rstrip("012") in _VOWELS]
    cuts: list[int] = []
    for vowel, following in pairwise(nuclei):
        cut = following
        while cut - 1 > vowel and " ".join(symbols[cut - 1 : following]) in _ONSETS:
            cut -= 1
        cuts.append(cut)
    pieces = [symbols[start:end] for start, end in zip([0, *cuts], [*cuts, len(symbols)], strict=True)]
    return " . ".join(" ".join(piece) for piece in pieces)


def _possessive(parts: list[SpelledWord], ending: str, start: int) -> list[SpelledWord]:
    """Put the ending 's on the last part, as S, Z or IH0 Z by the sound before it."""
    last = parts[-1]
    sound = last.arpabet.split()[-1]
    if sound in {"S", "Z", "SH", "ZH", "CH", "JH"}:
        arpabet = syllabify([*last.arpabet.replace(" .", "").split(), "IH0", "Z"])
    else:
        arpabet = f"{last.arpabet} {'S' if sound in {'P', 'T', 'K', 'F', 'TH'} else 'Z'}"
    moved = [SpelledWord(part.text, start + part.start, part.arpabet) for part in parts[:-1]]
    return [*moved, SpelledWord(last.text + ending, start + last.start, arpabet)]


def _unstressed(arpabet: str) -> list[str]:
    return [symbol.rstrip("012") for symbol in arpabet.split() if symbol != "."]


def _letters(word: str) -> str:
    return " . ".join(LETTER_NAMES[char] for char in word.lower() if char in LETTER_NAMES)


def _spell_out(word: str, start: int) -> list[SpelledWord]:
    step = len(word) if len(word) <= _LETTERS_AT_ONCE + 1 else _LETTERS_AT_ONCE
    groups = ((offset, word[offset : offset + step]) for offset in range(0, len(word), step))
    return [
        SpelledWord(group, start + offset, _letters(group)) for offset, group in groups if group.strip("'")
    ]


@cache
def _dictionary() -> dict[str, str]:
    """Return word -> first pronunciation of the CMU dictionary, comments dropped."""
    entries: dict[str, str] = {}
    packed = files("streaming.text").joinpath("data", "cmudict.dict.gz").read_bytes()
    for line in gzip.decompress(packed).decode("utf-8").splitlines():
        word, _, symbols = line.partition(" ")
        entries.setdefault(word, symbols.partition("#")[0].rstrip())
    return entries
