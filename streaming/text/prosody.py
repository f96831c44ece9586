"""Decide how long to pause after each spoken word: break levels #1 to #4.

Input   for each word its text, its syllables, its kind, and the break its punctuation asks for
Output  a break level per word
State   none
Unaware of pronunciation and tokens.

Punctuation decides first. A phrase that it leaves longer than MAX_UNCUT_SYLLABLES is parted by #2 where that
costs least: each border costs what the kinds of its two words make it cost, each run what it is too short or
too long. The rule is deterministic, looks at one phrase, and is the same for training and speaking.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from streaming.text.linguistics import MAJOR_BREAK, MINOR_BREAK, SENTENCE_BREAK, WORD_BREAK

MAX_UNCUT_SYLLABLES = 9  # read Mandarin has 5 to 9 syllables between perceived pauses
MAX_RUN_SYLLABLES = 11  # of several words; nobody speaks more without a pause
_BEST_RUN_SYLLABLES = (4, 8)  # runs of this length cost nothing
_SHORT_COST = 1.5  # for each syllable less
_LONG_COST = 0.5  # for each syllable more, squared
_BORDER_COSTS = (-1.5, 0.0, 1.0, 3.5, 8.0)  # great, good, may be, bad, wrong

_MARKS = {
    **dict.fromkeys("，、；：,;:…—\n", MAJOR_BREAK),
    **dict.fromkeys("。！？!?.", MAJOR_BREAK),
    **dict.fromkeys("()（）[]【】〔〕《》〈〉「」『』{}|\t", MINOR_BREAK),
}
# How good a pause is between a word of one kind (line) and one of another (column), 0 great to 4 wrong. The
# kinds are those of parts_of_speech; words that end with a particle: D 的, H 地, L 了 着 过, E 得, Y others.
_BORDERS = """
   n r h m q t f v w g a d s p c k e u
n  3 0 1 2 4 1 4 1 1 3 2 1 1 1 0 2 4 4
r  3 3 2 3 4 2 4 3 4 3 3 2 3 2 1 3 4 4
h  4 4 4 4 4 3 4 4 4 4 4 4 4 4 2 4 4 4
m  4 1 2 4 4 2 4 2 2 4 4 3 2 2 0 2 4 4
q  4 1 2 4 4 2 4 2 2 4 4 3 2 2 0 2 4 4
t  1 0 1 1 4 3 4 1 1 1 1 1 1 0 1 2 4 4
f  1 0 0 3 4 3 4 0 1 1 1 0 1 0 1 2 4 4
v  2 3 2 2 4 2 4 2 3 2 3 2 2 1 0 3 4 4
w  4 4 3 4 4 3 4 4 4 4 4 4 4 3 1 4 4 4
g  4 2 2 2 4 2 4 2 3 3 3 2 2 1 0 2 4 4
a  4 1 2 3 4 2 4 3 3 3 3 1 1 1 0 2 4 4
d  3 3 3 3 4 3 4 3 3 3 3 3 3 2 2 4 4 4
s  4 4 4 4 4 4 4 4 4 4 4 4 4 4 3 4 4 4
p  4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4
c  3 3 3 3 4 3 4 3 3 3 3 3 3 3 2 4 4 4
k  4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4
e  2 1 2 2 4 2 4 2 2 2 2 1 1 1 0 3 4 4
u  2 2 2 2 4 2 4 2 2 2 2 2 2 1 0 3 4 4
D  2 3 2 2 4 2 4 3 4 3 2 3 4 3 1 3 4 4
H  3 3 3 3 4 3 4 2 3 2 3 2 3 2 2 4 4 4
L  2 0 2 2 4 1 4 1 1 2 2 0 0 0 0 3 4 4
E  2 2 2 2 4 2 4 2 3 2 2 2 3 2 2 4 4 4
Y  0 0 0 0 4 0 4 0 0 0 0 0 0 0 0 2 4 4
"""
_OF_PARTICLE = {
    "的": "D", "地": "H", "了": "L", "着": "L", "著": "L", "过": "L", "得": "E",
    **dict.fromkeys("吗嗎呢吧啊呀嘛啦哇呗唄", "Y"),
}  # fmt: skip
_SHORT_OF_SYLLABLES = 5  # a modifier with 的 and its noun that are no longer stay together


def _border_table() -> dict[tuple[str, str], float]:
    head, *lines = _BORDERS.strip().splitlines()
    return {
        (line[0], right): _BORDER_COSTS[int(cost)]
        for line in lines
        for right, cost in zip(head.split(), line[1:].split(), strict=True)
    }


_COSTS = _border_table()


@dataclass(frozen=True, slots=True)
class ProsodicWord:
    """What the rule needs to know of a word.

    Attributes:
        text: With its particles.
        n_syllables: Of the whole.
        mark: The break that the punctuation after it asks for, or 0.
        kind: Of the word without its particles, see parts_of_speech.
    """

    text: str
    n_syllables: int
    mark: int
    kind: str = "n"

    @property
    def end_kind(self) -> str:
        """Kind of what it ends with: the particle, if there is one."""
        has_particle = len(self.text) > 1 or self.kind == "u"
        return _OF_PARTICLE.get(self.text[-1], self.kind) if has_particle else self.kind


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
    """Return the indices of the words of one phrase after which a #2 is put: the cheapest way to part it."""
    if sum(word.n_syllables for word in words) <= MAX_UNCUT_SYLLABLES:
        return []
    costs = [0.0]  # of the words before each place, parted
    run_starts = [0]
    for end in range(1, len(words) + 1):
        border = _border_cost(words[end - 1], words[end]) if end < len(words) else 0.0
        best, best_start, length = math.inf, end - 1, 0
        for start in range(end - 1, -1, -1):
            length += words[start].n_syllables
            if length > MAX_RUN_SYLLABLES and start < end - 1:
                break
            cost = costs[start] + _run_cost(length) + border
            if cost < best:
                best, best_start = cost, start
        costs.append(best)
        run_starts.append(best_start)
    borders: list[int] = []
    end = len(words)
    while (end := run_starts[end]) > 0:
        borders.append(end - 1)
    return borders[::-1]


def _run_cost(n_syllables: int) -> float:
    shortest, longest = _BEST_RUN_SYLLABLES
    too_long = max(0, n_syllables - longest)
    return _SHORT_COST * max(0, shortest - n_syllables) + _LONG_COST * too_long**2


def _border_cost(left: ProsodicWord, right: ProsodicWord) -> float:
    end_kind = left.end_kind
    if end_kind == "D" and left.n_syllables + right.n_syllables <= _SHORT_OF_SYLLABLES:
        return _BORDER_COSTS[-1]
    return _COSTS[end_kind, right.kind]
