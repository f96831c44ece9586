"""What will be spoken of a text, and why: segments, what they are normalised to, words and their sounds.

Input   a text; a voice's frontend; the policy that cuts texts
Output  plain values, ready for JSON
State   none
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from streaming.errors import UnspeakableTextError
from streaming.text.aligned import AlignedText
from streaming.text.lexicon import Lexicon
from streaming.text.linguistics import SpokenWord
from streaming.text.segmenter import Segmenter, SegmentPolicy
from streaming.text.syllables import Syllable, split_tone
from streaming.types import Phonemes

ER = "r5"  # 儿 that colours the syllable before it, as dictionaries write it
MANDARIN_TONES = frozenset(f"tone{tone}" for tone in range(1, 6))


@runtime_checkable
class WordSource(Protocol):
    """A frontend that knows the words it speaks."""

    def explained(self, text: str) -> tuple[str, list[SpokenWord]]:
        """Return the text in words, and the words as they are spoken."""
        ...


def explain(
    text: str, frontend: Any, policy: SegmentPolicy | None = None, lexicon: Lexicon | None = None
) -> list[dict[str, Any]]:
    """Cut a text as if it came at once, and explain each segment.

    Args:
        text: As it was written.
        frontend: Of a voice: a WordSource; any other is asked for phonemes alone.
        policy: How texts are cut.
        lexicon: Words with readings of their own.

    Returns:
        Per segment `text`, `char_start`, `char_end`, `normalized` and `words`; an `error` where it cannot be
        spoken. A word has its `text` as spoken, the `char_start` and `char_end` of what was written, `pinyin`
        (one entry per Hanzi, surface tones, 5 neutral; None for other words), `phones`, and the `break` after
        it, 0 to 4. Offsets count characters (code points) of the whole text.
    """
    segmenter = Segmenter(policy)
    return [
        {
            "text": segment.text,
            "char_start": segment.char_start,
            "char_end": segment.char_end,
            **_explained(segment.text, segment.char_start, frontend, lexicon or Lexicon()),
        }
        for segment in [*segmenter.push(text), *segmenter.flush()]
    ]


def _explained(text: str, offset: int, frontend: Any, lexicon: Lexicon) -> dict[str, Any]:
    try:
        if not isinstance(frontend, WordSource):
            return {"normalized": text, "words": _words_of(frontend.phonemes(text), offset)}
        marked = lexicon.marked(text)
        normalized, words = frontend.explained(marked.text)
    except UnspeakableTextError as error:
        return {"normalized": text, "words": [], "error": str(error)}
    return {"normalized": normalized, "words": [_word(word, marked, offset) for word in words]}


def _word(word: SpokenWord, marked: AlignedText, offset: int) -> dict[str, Any]:
    char_start, char_end = marked.origin(word.char_start, word.char_end)
    return {
        "text": word.text,
        "char_start": offset + char_start,
        "char_end": offset + char_end,
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


def _words_of(phonemes: Phonemes | None, offset: int) -> list[dict[str, Any]]:
    """Return what a frontend without readings knows: which tokens each word became."""
    if phonemes is None:
        return []
    return [
        {
            "text": span.text,
            "char_start": offset + span.char_start,
            "char_end": offset + span.char_end,
            "pinyin": None,
            "phones": list(phonemes.tokens[span.token_start : span.token_end]),
        }
        for span in phonemes.words
    ]
