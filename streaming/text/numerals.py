"""Cut written-out numbers into words of speakable length.

Input   a run of Hanzi, aligned with the text it was normalised from
Output  the spans of the run that are number words
State   none
Unaware of dictionaries: a word dictionary cuts 二零二六年 into 二零二 and 六年, which nobody says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from streaming.text.aligned import AlignedText

_LONGEST_NUMBER = 5  # syllables spoken in one go
_NUMBER = re.compile(
    r"(?P<denominator>[百千]分之)?"
    r"(?P<integer>负?[零一二三四五六七八九十百千万亿两幺]+"
    r"(?:分之[零一二三四五六七八九十百千万亿]+)?)"
    r"(?:(?P<decimals>点[零一二三四五六七八九]+(?![十百千]))(?P<scale>[万亿]*))?"
    r"(?P<measure>[年月日号点分秒度元个名次天岁倍米克块角只条位张层楼届级页章题](?!之))?"
)
_CARDINAL = re.compile(r"[十百千万亿]")
# A large number is said in groups that end in 亿, 万 or 千: 一百二十三万 四千 五百六十七.
_CARDINAL_GROUP = re.compile(r"[^千万亿]*[千万亿]+零?|[^千万亿]+")


def number_words(run: AlignedText) -> list[slice]:
    """Return the spans of `run.text` that are number words, ascending and apart.

    A number is a stretch of numerals that stands for other characters of the original; a single measure after
    it belongs to its last word (十一月), a 第 before it to its first. Single digits and numbers written in
    Hanzi are left to the dictionary.
    """
    words: list[slice] = []
    done = 0
    for start, end in _replaced_stretches(run):
        for match in _NUMBER.finditer(run.text, max(start, done), end + 1):
            if match.start() >= end:
                continue
            ordinal = run.text[match.start() - 1 : match.start()] == "第"
            position = done = match.start() - ordinal
            for group in _groups(match):
                done = max(done, match.start()) + len(group)
                words.append(slice(position, done))
                position = done
    return words


def _replaced_stretches(run: AlignedText) -> Iterator[tuple[int, int]]:
    """Yield the spans of two characters or more that stand for the same original characters."""
    origins = list(zip(run.starts, run.ends, strict=True))
    start = 0
    for index in range(1, len(run.text) + 1):
        if index == len(run.text) or origins[index] != origins[start]:
            if index - start > 1:
                yield start, index
            start = index


def _groups(match: re.Match[str]) -> list[str]:
    """Cut one number into words; they join to the whole match."""
    if len(match[0]) <= _LONGEST_NUMBER:
        return [match[0]]
    integer, decimals = match["integer"], match["decimals"] or ""
    groups = _CARDINAL_GROUP.findall(integer) if _CARDINAL.search(integer) else _digit_groups(integer)
    if len(groups[-1]) + len(decimals) <= _LONGEST_NUMBER:
        groups[-1] += decimals
    else:
        groups += _digit_groups(decimals)
    if match["scale"]:
        groups.append(match["scale"])
    groups[-1] += match["measure"] or ""
    return [match["denominator"], *groups] if match["denominator"] else groups


def _digit_groups(digits: str) -> list[str]:
    """Group digits said one by one: 3-4-4 for a mobile number, else threes and a rest."""
    if len(digits) == 11:
        return [digits[:3], digits[3:7], digits[7:]]
    groups: list[str] = []
    position = 0
    while len(digits) - position > _LONGEST_NUMBER - 1:
        groups.append(digits[position : position + 3])
        position += 3
    return [*groups, digits[position:]]
