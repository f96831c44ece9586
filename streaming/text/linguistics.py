"""Lay out spoken words as the token sequence that a Sambert voice reads.

Input   SpokenWord, in order: syllables, break level, where the word stands in the text
Output  Phonemes: tokens, ids and word spans
State   none
Unaware of how words were pronounced or cut: Mandarin and English look the same from here.

The layout is that of the KAN-TTS training data: every phone carries its syllable's tone, its place in the
syllable and its place in the word; one pause token with the break level stands after every word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streaming.errors import UnspeakableTextError
from streaming.text.syllables import Syllable, english_syllables, mandarin_syllable
from streaming.text.symbols import SymbolTables
from streaming.types import Phonemes, WordSpan

NO_BREAK = 0
WORD_BREAK = 1
MINOR_BREAK = 2
MAJOR_BREAK = 3
SENTENCE_BREAK = 4


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word with its pronunciation.

    Attributes:
        text: As it is spoken (normalised), for word timings and logs.
        char_start: Offset into the segment's original text.
        char_end: End offset, exclusive.
        syllables: In order; never empty.
        break_level: Pause after the word: 0 none, 1 word, 2 minor phrase, 3 major phrase, 4 sentence.
    """

    text: str
    char_start: int
    char_end: int
    syllables: tuple[Syllable, ...]
    break_level: int = WORD_BREAK

    @property
    def n_syllables(self) -> int:
        """Number of syllables, the measure of prosodic length."""
        return len(self.syllables)


def spoken_word(
    text: str,
    pinyin: Sequence[str],
    break_level: int = WORD_BREAK,
    char_start: int = 0,
    char_end: int | None = None,
) -> SpokenWord:
    """Make a Mandarin word from pinyin such as `["bei3", "jing1"]`; tones are surface tones.

    Raises:
        UnspeakableTextError: A syllable is malformed or does not exist.
    """
    end = char_start + len(text) if char_end is None else char_end
    return SpokenWord(text, char_start, end, tuple(mandarin_syllable(item) for item in pinyin), break_level)


def spoken_word_en(
    text: str, arpabet: str, break_level: int = WORD_BREAK, char_start: int = 0, char_end: int | None = None
) -> SpokenWord:
    """Make an English word from ARPAbet such as `W AY1 . F AY0`.

    Raises:
        UnspeakableTextError: A symbol is not ARPAbet.
    """
    end = char_start + len(text) if char_end is None else char_end
    return SpokenWord(text, char_start, end, english_syllables(arpabet), break_level)


def to_phonemes(words: Sequence[SpokenWord], tables: SymbolTables) -> Phonemes:
    """Lay out the words of one segment; the last word's break is always #4.

    Returns:
        Phonemes with ids [n_tokens, 4] int64 and no EOS.

    Raises:
        UnspeakableTextError: There is no word, a break level is not 0 to 4, or the voice lacks a symbol.
    """
    if not words:
        raise UnspeakableTextError("there is no word to speak")
    tokens: list[str] = []
    spans: list[WordSpan] = []
    for index, word in enumerate(words):
        start = len(tokens)
        tokens.extend(_phone_tokens(word))
        phones = " ".join(phone for syllable in word.syllables for phone in syllable.phones)
        spans.append(WordSpan(word.text, word.char_start, word.char_end, start, len(tokens), phones))
        level = SENTENCE_BREAK if index == len(words) - 1 else word.break_level
        tokens.extend(_pause_tokens(level))
    return Phonemes(tuple(tokens), tables.encode(tokens), tuple(spans))


def _phone_tokens(word: SpokenWord) -> Iterator[str]:
    """Yield the tokens of a word's phones.

    Only the word's very first and last phone keep word_begin and word_end: a syllable in between, and the
    inner phones of the outer syllables, are word_middle.
    """
    n_phones = sum(len(syllable.phones) for syllable in word.syllables)
    position = 0
    for syllable in word.syllables:
        for index, phone in enumerate(syllable.phones):
            flag = "s_" + _place(index, len(syllable.phones))
            segment = "word_" + _place(position, n_phones)
            yield f"{phone}${syllable.tone_name}${flag}${segment}"
            position += 1


def _place(index: int, length: int) -> str:
    if length == 1:
        return "both"
    if index == 0:
        return "begin"
    return "end" if index == length - 1 else "middle"


def _pause_tokens(level: int) -> list[str]:
    if not NO_BREAK <= level <= SENTENCE_BREAK:
        raise UnspeakableTextError(f"break level {level} is not 0 to 4")
    return [f"#{level}$tone_none$s_none$word_none"] if level else []
