"""Mandarin tone sandhi: citation tones in, surface tones out.

Input   the words of one prosodic phrase; every syllable with the character it is written with
Output  the same words with the tones that are heard
State   none
Unaware of the dictionary (the caller may pass a word test) and of phones.

The voice is trained on surface tones, so all of this happens before symbols are made. Rules: neutral-tone
particles, 一 and 不, then third-tone sandhi (Chao 1968; Duanmu 2007, ch. 11) inside words first and across
words after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from streaming.text.syllables import NEUTRAL_TONE

_DIGITS = frozenset("零〇一二三四五六七八九十两幺0123456789")
_UNITS = frozenset("百千万亿")
_COUNTED = frozenset("百千万亿两")
# After these 一 names a number (第一, 初一); before these it names a rank (一月, 一楼, 一号).
_ORDINAL_BEFORE = frozenset("第初")
_ORDINAL_AFTER = frozenset("月号楼班级流期")
_FIGURE_JOINTS = frozenset("点比加减乘除")
_PARTICLES = frozenset("的了吗呢吧嘛么呀啊哇啦呗们着")
_WEAK_READINGS = {"的": "de5", "了": "le5", "着": "zhe5"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One syllable: the character(s) it is written with and its pinyin, `Reading("花儿", "huar1")`."""

    hanzi: str
    pinyin: str

    @property
    def tone(self) -> int:
        """Tone 1 to 4, 5 neutral."""
        return int(self.pinyin[-1])

    def with_tone(self, tone: int) -> Reading:
        """Return the same syllable in another tone."""
        return self if tone == self.tone else replace(self, pinyin=f"{self.pinyin[:-1]}{tone}")


Word = tuple[Reading, ...]


def surface_tones(words: Sequence[Word], is_word: Callable[[str], bool] = lambda _: False) -> list[Word]:
    """Return the words of one prosodic phrase with surface tones.

    Args:
        words: Words in order, with citation tones (5 for lexical neutral tones).
        is_word: Tells whether characters form a word; it decides how a word of three third tones is built
            (小|老虎 3 2 3, 展览|馆 2 2 3).
    """
    if not words:
        return []
    flat = [reading for word in words for reading in word]
    ends = _word_ends(words)
    flat = _neutral_particles(flat, ends)
    flat = _yi_and_bu(flat, ends)
    spoken = _regroup(flat, ends)
    return _third_tones_across([_third_tones_inside(word, is_word) for word in spoken])


def _word_ends(words: Sequence[Word]) -> list[int]:
    ends: list[int] = []
    for word in words:
        ends.append((ends[-1] if ends else 0) + len(word))
    return ends


def _regroup(flat: Sequence[Reading], ends: Sequence[int]) -> list[Word]:
    starts = [0, *ends[:-1]]
    return [tuple(flat[start:end]) for start, end in zip(starts, ends, strict=True)]


def _neutral_particles(flat: list[Reading], ends: Sequence[int]) -> list[Reading]:
    """Neutral tone of particles that are words by themselves; inside words the dictionary has it."""
    spoken = list(flat)
    starts = [0, *ends[:-1]]
    for start, end in zip(starts, ends, strict=True):
        if end - start != 1 or start == 0:
            continue
        reading = flat[start]
        if reading.hanzi in _PARTICLES:
            weak = _WEAK_READINGS.get(reading.hanzi, reading.pinyin)
            if reading.pinyin[:-1] == weak[:-1]:  # not where it is a verb: 明了 liao3, 睡着 zhao2
                spoken[start] = replace(reading, pinyin=weak).with_tone(NEUTRAL_TONE)
    return spoken


def _yi_and_bu(flat: list[Reading], ends: Sequence[int]) -> list[Reading]:
    last_of_word = {end - 1 for start, end in zip([0, *ends[:-1]], ends, strict=True) if end - start > 1}
    spoken = list(flat)
    for index, reading in enumerate(flat):
        before = flat[index - 1] if index else None
        after = flat[index + 1] if index + 1 < len(flat) else None
        if reading.hanzi == "一":
            is_figure = _is_figure(flat, index)
            tone = 1 if is_figure else _yi_tone(before, after, index in last_of_word)
            spoken[index] = reading.with_tone(tone)
        elif reading.hanzi == "不" and reading.tone != NEUTRAL_TONE:
            spoken[index] = reading.with_tone(_bu_tone(before, after))
    return spoken


def _is_figure(flat: Sequence[Reading], index: int) -> bool:
    """Tell whether 一 is one side of a decimal, a proportion or a sum: 一点二, 三比一; not 一点一点."""

    def hanzi(at: int) -> str:
        return flat[at].hanzi if 0 <= at < len(flat) else ""

    if hanzi(index + 1) in _FIGURE_JOINTS and hanzi(index + 2) in _DIGITS:
        return hanzi(index + 3) != hanzi(index + 1)
    joined = hanzi(index - 1) in _FIGURE_JOINTS and hanzi(index - 2) in _DIGITS
    return joined and hanzi(index + 1) not in {*_UNITS, hanzi(index - 1)}


def _yi_tone(before: Reading | None, after: Reading | None, ends_word: bool) -> int:
    if after is None:
        return 1
    counted = after.hanzi in _UNITS
    if before is not None and before.hanzi == after.hanzi and before.hanzi not in _DIGITS:
        return NEUTRAL_TONE  # 看一看
    if (
        before is not None
        and (before.hanzi in _ORDINAL_BEFORE or before.hanzi in _DIGITS | _UNITS)
        and not counted
    ):
        return 1
    if before is not None and before.hanzi == "月" and after.hanzi == "日":
        return 1
    if after.hanzi in _ORDINAL_AFTER or (after.hanzi in _DIGITS and after.hanzi not in _COUNTED):
        return 1
    if ends_word:
        return 1  # 统一, 唯一, 星期一
    return 2 if after.tone == 4 or after.hanzi == "个" else 4


def _bu_tone(before: Reading | None, after: Reading | None) -> int:
    if after is None:
        return 4
    if before is not None and before.hanzi == after.hanzi:
        return NEUTRAL_TONE  # 好不好
    return 2 if after.tone == 4 else 4


def _third_tones_inside(word: Word, is_word: Callable[[str], bool]) -> Word:
    """Apply 3-3 inside a word: the last of a run keeps its third tone, the others rise.

    In a run of three whose last two syllables are a word and whose first two are not, the first stays low:
    小老虎.
    """
    spoken = list(word)
    index = 0
    while index < len(word):
        end = index
        while end < len(word) and word[end].tone == 3:
            end += 1
        for position in range(index, end - 1):
            spoken[position] = word[position].with_tone(2)
        if end - index == 3 and _first_stands_alone(word[index:end], is_word):
            spoken[index] = word[index]
        index = max(end, index + 1)
    return tuple(spoken)


def _first_stands_alone(run: Word, is_word: Callable[[str], bool]) -> bool:
    hanzi = [reading.hanzi for reading in run]
    return is_word("".join(hanzi[1:])) and not is_word("".join(hanzi[:2]))


def _third_tones_across(words: list[Word]) -> list[Word]:
    """Apply 3-3 across word borders, left to right, on what the words' own sandhi left."""
    spoken = list(words)
    for index in range(len(words) - 1):
        word, following = spoken[index], spoken[index + 1]
        if word and following and word[-1].tone == 3 and following[0].tone == 3:
            spoken[index] = (*word[:-1], word[-1].with_tone(2))
    return spoken
