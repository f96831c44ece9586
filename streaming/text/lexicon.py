"""Pronunciations that people give: inline in a text, or for words wherever they stand.

Input   AlignedText or a segment's text; words with readings
Output  text in which these places are marked; readings of the places
State   none
Inline: `[[重|zhong4]]`, `[[Zhiyin|Z IH1 Y IH2 N]]`. A lexicon puts the same marks around its words, so that
what is spoken depends on the marked text alone. A mark whose reading cannot be read is spoken as its word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from streaming.errors import BadRequestError, UnspeakableTextError
from streaming.text.aligned import AlignedText
from streaming.text.cleaning import FIRST_PLACE, LAST_PLACE, PLACES, is_hanzi
from streaming.text.english import syllabify
from streaming.text.syllables import Syllable, english_syllables, is_syllable, mandarin_syllable, split_tone

MARK = re.compile(r"\[\[([^\[\]|\n]{1,64})\|([^\[\]|\n]{1,200})\]\]")
MAX_WORD_CHARS = 64
MAX_READING_CHARS = 200
MAX_PLACES = ord(LAST_PLACE) - ord(FIRST_PLACE) + 1
_PINYIN = re.compile(r"[a-zü:]+[1-6]")
_ARPABET = re.compile(r"[A-Z]{1,2}[0-2]?|\.")
_ALLOWED = "pinyin with tones (zhong4, hang2 zhang3) or ARPAbet (Z IH1 Y IH2 N)"


@dataclass(frozen=True, slots=True)
class Given:
    """A word with the reading that was given for it."""

    word: str
    syllables: tuple[Syllable, ...]

    @property
    def is_mandarin(self) -> bool:
        """Whether each syllable belongs to one Hanzi of the word."""
        return (
            len(self.word) == len(self.syllables)
            and all(map(is_hanzi, self.word))
            and all(" " not in syllable.spelling for syllable in self.syllables)
        )


@lru_cache(maxsize=4096)
def read_reading(reading: str) -> tuple[Syllable, ...]:
    """Return the syllables of a reading.

    Raises:
        UnspeakableTextError: It is neither pinyin with tones nor ARPAbet.
    """
    parts = reading.split()
    if parts and all(_PINYIN.fullmatch(part) for part in parts):
        for part in parts:
            if not is_syllable(split_tone(part)[0]):
                raise UnspeakableTextError(f"{part!r} is no syllable of Mandarin")
        return tuple(map(mandarin_syllable, parts))
    if parts and all(_ARPABET.fullmatch(part) for part in parts):
        return english_syllables(" ".join(parts) if "." in parts else syllabify(parts))
    raise UnspeakableTextError(f"reading: found {reading!r}; allowed is {_ALLOWED}")


def take_marks(text: AlignedText) -> tuple[AlignedText, tuple[Given, ...]]:
    """Replace every mark by one character, the n-th by `FIRST_PLACE` + n; return what stands there."""
    plain = text.sub(PLACES, "")
    given: list[Given] = []

    def place(match: re.Match[str]) -> str:
        try:
            syllables = read_reading(match[2].strip())
        except UnspeakableTextError:
            return match[1]
        if len(given) == MAX_PLACES:
            return match[1]
        given.append(Given(match[1].strip() or match[1], syllables))
        return chr(ord(FIRST_PLACE) + len(given) - 1)

    return plain.sub(MARK, place), tuple(given)


class Lexicon:
    """Words with readings of their own. Immutable."""

    def __init__(self, entries: Mapping[str, str] | None = None) -> None:
        """Take words and how they are read.

        Raises:
            BadRequestError: A word or a reading is empty or too long, or cannot be read.
        """
        self._entries = {word: " ".join(reading.split()) for word, reading in (entries or {}).items()}
        for word, reading in self._entries.items():
            _check(word, reading)
        # Latin words only where they stand alone; the longest word that begins at a place wins.
        words = sorted(self._entries, key=len, reverse=True)
        parts = (
            rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])" if word.isascii() else re.escape(word)
            for word in words
        )
        self._pattern = re.compile("|".join([MARK.pattern, *parts])) if words else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def with_more(self, entries: Mapping[str, str]) -> Lexicon:
        """Return a lexicon with more words, which win over ours.

        Raises:
            BadRequestError: As for a new lexicon.
        """
        return Lexicon({**self._entries, **entries}) if entries else self

    def marked(self, text: str) -> AlignedText:
        """Return a segment's text with our words marked; marks that stand there stay as they are."""
        aligned = AlignedText.of(text)
        return aligned.sub(self._pattern, self._mark) if self._pattern else aligned

    def _mark(self, match: re.Match[str]) -> str:
        reading = self._entries.get(match[0])
        return match[0] if reading is None else f"[[{match[0]}|{reading}]]"


def _check(word: str, reading: str) -> None:
    if not word.strip() or len(word) > MAX_WORD_CHARS or any(char in "[]|\n" for char in word):
        raise BadRequestError(
            f"lexicon: found the word {word[:MAX_WORD_CHARS]!r}; allowed are 1 to {MAX_WORD_CHARS} "
            "characters without [ ] and |"
        )
    if len(reading) > MAX_READING_CHARS:
        raise BadRequestError(
            f"lexicon: the reading of {word!r} has {len(reading)} characters; "
            f"the limit is {MAX_READING_CHARS}"
        )
    try:
        read_reading(reading)
    except UnspeakableTextError as error:
        raise BadRequestError(f"lexicon: {word!r}: {error}") from None
