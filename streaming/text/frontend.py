"""From a segment's text to the phonemes that a voice speaks.

Input   the text of one segment, as it was written
Output  Phonemes (tokens, ids, word spans), or the spoken words before they are laid out
State   dictionaries, read once by `warm_up`; nothing of any text
Unaware of voices beyond their symbol tables, of segments' order and of streams.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from streaming.errors import UnspeakableTextError
from streaming.text.aligned import AlignedText
from streaming.text.cleaning import FIRST_PLACE, LAST_PLACE, is_hanzi
from streaming.text.english import EnglishLexicon
from streaming.text.lexicon import Given, take_marks
from streaming.text.linguistics import MINOR_BREAK, SpokenWord, to_phonemes
from streaming.text.mandarin import MandarinReader
from streaming.text.normalizer import Normalizer, is_english
from streaming.text.numerals import number_words
from streaming.text.prosody import ProsodicWord, break_levels, mark_level
from streaming.text.sandhi import Reading, Word, surface_tones
from streaming.text.syllables import NEUTRAL_TONE, Syllable, english_syllables, mandarin_syllable
from streaming.text.symbols import SymbolTables
from streaming.types import Phonemes

RUN = re.compile(
    r"(?P<given>[\ue000-\ue3ff])"
    r"|(?P<hanzi>[㐀-䶿一-鿿〇\U00020000-\U0003ffff]+)"
    r"|(?P<latin>[A-Za-z]+(?:['’][A-Za-z]+)*)"
)
# Words that lean on the word before them: they are spoken, and timed, as one with it.
_CLITICS = frozenset("的地得了着著吗嗎呢吧啊呀嘛啦哇们們么麼呗唄")


@dataclass(slots=True)
class _Unit:
    """A spoken word in the making: Mandarin (lexical words, readings) or English (syllables)."""

    start: int
    end: int
    mandarin: tuple[Word, ...] = ()
    english: tuple[Syllable, ...] = ()
    text: str = ""
    mark: int = 0
    break_level: int = 0
    is_given: bool = False  # read as somebody asked for, whatever stands around it

    @property
    def n_syllables(self) -> int:
        return len(self.english) or sum(map(len, self.mandarin))

    @property
    def head(self) -> str:
        """The word without the particles that lean on it."""
        return "".join(reading.hanzi for reading in self.mandarin[0]) if self.mandarin else self.text.lower()


class Frontend:
    """Text frontend of one voice. Thread-safe: any number of threads may call any method.

    `warm_up` loads the dictionaries (about 1 s); without it the first call does. There is no lock: threads
    that race to it load the same dictionaries twice and then share one copy.
    """

    def __init__(self, tables: SymbolTables) -> None:
        self._tables = tables
        self._normalizer = Normalizer()
        self._mandarin = MandarinReader()
        self._english = EnglishLexicon()
        self._warm = False

    def warm_up(self) -> None:
        """Load dictionaries and rules; does nothing the second time."""
        if not self._warm:
            self._normalizer.warm_up()
            self._mandarin.warm_up()
            self._english.warm_up()
            self._warm = True

    def phonemes(self, text: str) -> Phonemes | None:
        """Return the phonemes of one segment, or None if nothing in it is speakable (punctuation, emoji).

        Raises:
            UnspeakableTextError: A character has no reading (kana, Hangul, Cyrillic, ...), or the voice lacks
                a symbol; the message names it.
        """
        words = self.spoken_words(text)
        return to_phonemes(words, self._tables) if words else None

    def spoken_words(self, text: str) -> list[SpokenWord]:
        """Return the words of one segment with surface tones and break levels; [] if nothing is speakable.

        Raises:
            UnspeakableTextError: As `phonemes`.
        """
        return self.explained(text)[1]

    def explained(self, text: str) -> tuple[str, list[SpokenWord]]:
        """Return what a segment is normalised to, and its words as `spoken_words`.

        Raises:
            UnspeakableTextError: As `phonemes`.
        """
        self.warm_up()
        marked, given = take_marks(AlignedText.of(text))
        aligned = self._normalizer.normalize(marked)
        units = self._units(aligned, text, given)
        kinds = [self._mandarin.kind(unit.head) for unit in units]
        levels = break_levels(
            [
                ProsodicWord(unit.text, unit.n_syllables, unit.mark, kind)
                for unit, kind in zip(units, kinds, strict=True)
            ]
        )
        for unit, level in zip(units, levels, strict=True):
            unit.break_level = level
        self._apply_sandhi(units)
        return _legible(aligned.text, given), [_spoken(unit, aligned) for unit in units]

    def _units(self, aligned: AlignedText, written: str, given: Sequence[Given]) -> list[_Unit]:
        units: list[_Unit] = []
        text = aligned.text
        in_english = is_english(text)
        done = 0
        for match in RUN.finditer(text):
            between = text[done : match.start()]
            _refuse_letters(between)
            if units:
                units[-1].mark = _mark(
                    between, written[aligned.ends[done - 1] - 1], written[aligned.starts[match.start()]]
                )
            if match.lastgroup == "given":
                units.append(_given_unit(match.start(), given[ord(match[0]) - ord(FIRST_PLACE)]))
            elif match.lastgroup == "hanzi":
                before = units[-1].text if units and not between else ""
                units += self._mandarin_units(match.start(), aligned[match.start() : match.end()], before)
            else:
                units += self._english_units(match, in_english=in_english)
            done = match.end()
        _refuse_letters(text[done:])
        return units

    def _mandarin_units(self, offset: int, run: AlignedText, before: str) -> list[_Unit]:
        units: list[_Unit] = []
        for word in self._mandarin.read(run.text, number_words(run), before):
            start = offset + word.start
            end = start + len(word.text)
            is_particle = word.readings[0].tone == NEUTRAL_TONE  # 得 is a verb in 我得走
            if units and is_particle and word.text in _CLITICS:
                host = units[-1]
                host.mandarin, host.text, host.end = (
                    (*host.mandarin, word.readings),
                    host.text + word.text,
                    end,
                )
            else:
                units.append(_Unit(start, end, mandarin=(word.readings,), text=word.text))
        return units

    def _english_units(self, match: re.Match[str], *, in_english: bool) -> list[_Unit]:
        units: list[_Unit] = []
        if in_english and match[0] == "a":  # an article there, a letter in Chinese
            return [_Unit(match.start(), match.end(), english=english_syllables("AH0"), text="a")]
        for part in self._english.pronounce(match[0].replace("’", "'")):
            start = match.start() + part.start
            end = start + len(part.text)
            units.append(_Unit(start, end, english=english_syllables(part.arpabet), text=part.text))
        return units

    def _apply_sandhi(self, units: Sequence[_Unit]) -> None:
        """Give surface tones to every stretch of Mandarin words that no #2 or Latin word interrupts."""
        phrase: list[_Unit] = []
        for unit in units:
            if unit.mandarin:
                phrase.append(unit)
            if not unit.mandarin or unit.break_level >= MINOR_BREAK:
                self._surface(phrase)
                phrase = []
        self._surface(phrase)

    def _surface(self, phrase: Sequence[_Unit]) -> None:
        spoken = iter(
            surface_tones([word for unit in phrase for word in unit.mandarin], self._mandarin.is_word)
        )
        for unit in phrase:
            surface = tuple(next(spoken) for _ in unit.mandarin)
            unit.mandarin = unit.mandarin if unit.is_given else surface


def _given_unit(start: int, given: Given) -> _Unit:
    """Return a word with the reading that was given; tones around it follow it if it is Hanzi."""
    if given.is_mandarin:
        pairs = zip(given.word, given.syllables, strict=True)
        word = tuple(Reading(hanzi, syllable.spelling) for hanzi, syllable in pairs)
        return _Unit(start, start + 1, mandarin=(word,), text=given.word, is_given=True)
    return _Unit(start, start + 1, english=given.syllables, text=given.word, is_given=True)


def _legible(text: str, given: Sequence[Given]) -> str:
    """Return the text with the words in their places."""
    return "".join(
        given[ord(char) - ord(FIRST_PLACE)].word if FIRST_PLACE <= char <= LAST_PLACE else char
        for char in text
    )


def _spoken(unit: _Unit, aligned: AlignedText) -> SpokenWord:
    readings = [reading for word in unit.mandarin for reading in word]
    syllables = unit.english or tuple(mandarin_syllable(reading.pinyin) for reading in readings)
    char_start, char_end = aligned.origin(unit.start, unit.end)
    return SpokenWord(unit.text, char_start, char_end, syllables, unit.break_level)


def _mark(between: str, before: str, after: str) -> int:
    """Return the break asked for between two runs; between written Hanzi white space is a pause."""
    level = mark_level(between)
    spaced = between.isspace() and is_hanzi(before) and is_hanzi(after)
    return max(level, MINOR_BREAK) if spaced else level


def _refuse_letters(between: str) -> None:
    """Refuse letters of scripts without a reading; everything else between words is punctuation.

    Raises:
        UnspeakableTextError: Names the character.
    """
    for char in between:
        if not char.isascii() and unicodedata.category(char)[0] == "L":
            name = unicodedata.name(char, "unnamed")
            raise UnspeakableTextError(f"no reading for {char!r} (U+{ord(char):04X} {name})")
