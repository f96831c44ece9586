"""What will be spoken of a text, and why: segments, what they are normalised to, words and their sounds.

Input   a text; a voice's frontend; the policy that cuts texts
Output  plain values, ready for JSON
State   none
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from streaming.errors import UnspeakableTextError
from streaming.text.aligned import AlignedText
from streaming.text.lexicon import Lexicon
from streaming.text.linguistics import SpokenWord
from streaming.text.plain import PlainReader
from streaming.text.segmenter import SegmentPolicy
from streaming.text.ssml import Said, SsmlReader
from streaming.text.syllables import Syllable, split_tone
from streaming.types import Phonemes, Segment, Style

ER = "r5"  # 儿 that colours the syllable before it, as dictionaries write it
MANDARIN_TONES = frozenset(f"tone{tone}" for tone in range(1, 6))


@runtime_checkable
class WordSource(Protocol):
    """A frontend that knows the words it speaks."""

    def explained(self, text: str) -> tuple[str, list[SpokenWord]]:
        """Return the text in words, and the words as they are spoken."""
        ...


def explain(
    text: str,
    frontend: Any,
    policy: SegmentPolicy | None = None,
    lexicon: Lexicon | None = None,
    *,
    ssml: bool = False,
) -> list[dict[str, Any]]:
    """Cut a text as if it came at once, and explain each segment.

    Args:
        text: As it was written.
        frontend: Of a voice: a WordSource; any other is asked for phonemes alone.
        policy: How texts are cut.
        lexicon: Words with readings of their own.
        ssml: Whether the text is SSML.

    Returns:
        Per segment `text`, `char_start`, `char_end`, `normalized` and `words`; an `error` where it cannot be
        spoken. A word has its `text` as spoken, the `char_start` and `char_end` of what was written, `pinyin`
        (one entry per Hanzi, surface tones, 5 neutral; None for other words), `phones`, and the `break` after
        it, 0 to 4. Offsets count characters (code points) of the whole text.

    Raises:
        SsmlError: The text is not SSML as it is understood here.
    """
    return [
        {
            "text": segment.text,
            "char_start": segment.char_start,
            "char_end": segment.char_end,
            **_explained(segment.text, source, frontend, lexicon or Lexicon()),
        }
        for segment, source in _segments(text, policy or SegmentPolicy(), ssml)
    ]


def _segments(text: str, policy: SegmentPolicy, ssml: bool) -> Iterator[tuple[Segment, AlignedText]]:
    """Yield the segments, each with the place of its characters in the text."""
    reader = (SsmlReader if ssml else PlainReader)(Style(), policy)
    for piece in [*reader.push(text), *reader.end()]:
        if isinstance(piece, Said):
            yield piece.segment, piece.source


def _explained(text: str, source: AlignedText, frontend: Any, lexicon: Lexicon) -> dict[str, Any]:
    try:
        if not isinstance(frontend, WordSource):
            return {"normalized": text, "words": _words_of(frontend.phonemes(text), source)}
        marked = lexicon.marked(text)
        normalized, words = frontend.explained(marked.text)
    except UnspeakableTextError as error:
        return {"normalized": text, "words": [], "error": str(error)}
    return {"normalized": normalized, "words": [_word(word, marked, source) for word in words]}


def _word(word: SpokenWord, marked: AlignedText, source: AlignedText) -> dict[str, Any]:
    char_start, char_end = source.origin(*marked.origin(word.char_start, word.char_end))
    return {
        "text": word.text,
        "char_start": char_start,
        "char_end": char_end,
        "pinyin": pinyin_of(word.syllables),
        "phones": [phone for syllable in word.syllables for phone in syllable.phones],
        "break": word.break_level,
    }


def pinyin_of(syllables: tuple[Syllable, ...]) -> list[str] | None:
    """Return one entry per Hanzi; None if a syllable is not Mandarin."""
    found: list[str] = []
    for syllable in syllables:
        if syllable.tone_name not in MANDARIN_TONES or " " in syllable.spelling:
            return None
        try:
            base, tone = split_tone(syllable.spelling)
        except UnspeakableTextError:
            return None
        coloured = base.endswith("r") and base != "er"
        found.append(f"{_written(base.removesuffix('r') if coloured else base)}{tone}")
        found += [ER] * coloured
    return found


def _written(base: str) -> str:
    """Return a syllable as it is usually written: u after j, q, x and y, v for what else sounds like ü."""
    return base.replace("v", "u") if base[0] in "jqxy" else base


def _words_of(phonemes: Phonemes | None, source: AlignedText) -> list[dict[str, Any]]:
    """Return what a frontend without readings knows: which tokens each word became."""
    if phonemes is None:
        return []
    places = [source.origin(span.char_start, span.char_end) for span in phonemes.words]
    return [
        {
            "text": span.text,
            "char_start": char_start,
            "char_end": char_end,
            "pinyin": None,
            "phones": list(phonemes.tokens[span.token_start : span.token_end]),
        }
        for span, (char_start, char_end) in zip(phonemes.words, places, strict=True)
    ]
