"""Decide how long to pause after each spoken word: break levels #1 to #4.

Input   for each word its text, its syllables, and the break its punctuation asks for
Output  a break level per word
State   none
Unaware of pronunciation and tokens.

Punctuation decides first. Where it leaves more than MAX_RUN_SYLLABLES without a #2, one is put at the best
word border: before a function word that opens a phrase, after one that closes it, else before the run grows
too long. The rule is deterministic, looks at one sentence, and is the same for training and speaking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streaming.text.linguistics import MAJOR_BREAK, MINOR_BREAK, SENTENCE_BREAK, WORD_BREAK

MAX_RUN_SYLLABLES = 7  # longest minor phrase in syllables; read Mandarin has 5 to 9 between perceived pauses
MIN_RUN_SYLLABLES = 3  # shorter pieces are not cut off
_SYNTAX_WEIGHT = 0.5  # a border at a function word is worth half of the longest run

_MARKS = {
    **dict.fromkeys("，、；：,;:…—\n", MAJOR_BREAK),
    **dict.fromkeys("。！？!?.", MAJOR_BREAK),
    **dict.fromkeys("()（）[]【】〔〕《》〈〉「」『』{}|\t", MINOR_BREAK),
}
_OPENS_PHRASE = frozenset(
    """
    和 与 跟 及 或 或者 以及 而 而且 但 但是 却 在 从 对 向 把 被 让 使 给 为 为了 因为 所以 如果 虽然 不过
    然后 就 才 也 都 还 又 再 将 由 以 比 按 用 当 等 可 可以 能 会 要 应该 必须 是 有 and or but in on at of
    to for from with by that which when if because is are was were
    """.split()
)
_CLOSES_PHRASE = frozenset("的地得了着过是在说到里上中下后前时")


@dataclass(frozen=True, slots=True)
class ProsodicWord:
    """What the rule needs to know of a word; `mark` is the break its punctuation asks for, or 0."""

    text: str
    n_syllables: int
    mark: int


def mark_level(between: str) -> int:
    """Return the break that the characters between two words ask for; 0 if they ask for none."""
    level = max((_MARKS.get(char, 0) for char in between), default=0)
    return level or (WORD_BREAK if between.strip() else 0)


def break_levels(words: Sequence[ProsodicWord]) -> list[int]:
    """Return a break level 1 to 4 for each word; the last is always 4."""
    levels = [max(word.mark, WORD_BREAK) for word in words]
    start = 0
    for index, level in enumerate(levels):
        if level >= MINOR_BREAK or index == len(levels) - 1:
            for border in _minor_breaks(words[start : index + 1]):
                levels[start + border] = MINOR_BREAK
            start = index + 1
    if levels:
        levels[-1] = SENTENCE_BREAK
    return levels


def _minor_breaks(words: Sequence[ProsodicWord]) -> list[int]:
    """Return the indices of the words of one phrase after which a #2 is put, so that runs stay short."""
    borders: list[int] = []
    start = 0
    remaining = sum(word.n_syllables for word in words)
    while remaining > MAX_RUN_SYLLABLES + MIN_RUN_SYLLABLES - 1:
        border = _best_border(words, start, remaining)
        if border is None:
            break
        borders.append(border)
        remaining -= sum(word.n_syllables for word in words[start : border + 1])
        start = border + 1
    return borders


def _best_border(words: Sequence[ProsodicWord], start: int, remaining: int) -> int | None:
    """Return the index of the word to pause after: the best score, the later of equals."""
    best: tuple[float, int] | None = None
    length = 0
    for index in range(start, len(words) - 1):
        length += words[index].n_syllables
        if (length > MAX_RUN_SYLLABLES and best is not None) or remaining - length < MIN_RUN_SYLLABLES:
            break
        if length < MIN_RUN_SYLLABLES:
            continue
        score = length / MAX_RUN_SYLLABLES
        score += _SYNTAX_WEIGHT * (words[index + 1].text.lower() in _OPENS_PHRASE)
        score += _SYNTAX_WEIGHT * (words[index].text[-1:] in _CLOSES_PHRASE)
        if best is None or score >= best[0]:
            best = (score, index)
    return None if best is None else best[1]
