"""Surface tones of phrases whose sandhi every grammar of Mandarin agrees on."""

from __future__ import annotations

import pytest

from streaming.text.sandhi import Reading, Word, surface_tones

WORDS = frozenset({"老虎", "展览", "雨伞", "洗脸"})


def words_of(text: str) -> list[Word]:
    """Parse `我/wo3 很/hen3|好/hao3`: syllables by blank, words by bar."""
    return [
        tuple(Reading(*syllable.split("/")) for syllable in word.split())
        for word in text.split("|")
        if word.strip()
    ]


def tones(text: str) -> str:
    spoken = surface_tones(words_of(text), WORDS.__contains__)
    return " ".join(str(reading.tone) for word in spoken for reading in word)


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("你/ni3 好/hao3", "2 3"),
        ("我/wo3|很/hen3|好/hao3", "2 2 3"),
        ("展/zhan3 览/lan3 馆/guan3", "2 2 3"),
        ("小/xiao3 老/lao3 虎/hu3", "3 2 3"),
        ("小/xiao3|老/lao3 虎/hu3", "3 2 3"),
        ("你/ni3 好/hao3|美/mei3", "2 2 3"),
        ("我/wo3|想/xiang3|买/mai3|雨/yu3 伞/san3", "2 2 3 2 3"),
        ("老/lao3 师/shi1|好/hao3", "3 1 3"),
        ("姐/jie3 姐/jie5", "3 5"),
    ],
)
def test_third_tone_before_third_tone_rises(phrase: str, expected: str) -> None:
    assert tones(phrase) == expected


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("一/yi1 个/ge4|人/ren2", "2 4 2"),
        ("一/yi1 个/ge5", "2 5"),
        ("一/yi1 定/ding4", "2 4"),
        ("一/yi1|天/tian1", "4 1"),
        ("一/yi1 年/nian2", "4 2"),
        ("一/yi1 起/qi3", "4 3"),
        ("第/di4 一/yi1|名/ming2", "4 1 2"),
        ("统/tong3 一/yi1|管/guan3 理/li3", "3 1 2 3"),
        ("星/xing1 期/qi1 一/yi1", "1 1 1"),
        ("十/shi2 一/yi1|月/yue4", "2 1 4"),
        ("一/yi1|月/yue4", "1 4"),
        ("二/er4 零/ling2 一/yi1 一/yi1|年/nian2", "4 2 1 1 2"),
        ("一/yi1 百/bai3|一/yi1 十/shi2", "4 3 1 2"),
        ("一/yi1 万/wan4", "2 4"),
        ("看/kan4 一/yi1 看/kan4", "4 5 4"),
        ("一/yi4 般/ban1", "4 1"),
        ("一/yi1", "1"),
    ],
)
def test_yi_changes_by_what_follows_and_keeps_its_tone_in_numbers(phrase: str, expected: str) -> None:
    assert tones(phrase) == expected


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("不/bu4 是/shi4", "2 4"),
        ("不/bu4|对/dui4", "2 4"),
        ("不/bu4|好/hao3", "4 3"),
        ("不/bu4 行/xing2", "4 2"),
        ("我/wo3|不/bu4", "3 4"),
        ("好/hao3 不/bu4 好/hao3", "3 5 3"),
        ("对/dui4 不/bu5 起/qi3", "4 5 3"),
        ("不/bu2 吃/chi1", "4 1"),
    ],
)
def test_bu_rises_before_a_fourth_tone_only(phrase: str, expected: str) -> None:
    assert tones(phrase) == expected


@pytest.mark.parametrize(
    ("phrase", "pinyin"),
    [
        ("我/wo3|的/de5|书/shu1", "wo3 de5 shu1"),
        ("看/kan4|着/zhe5|我/wo3", "kan4 zhe5 wo3"),
        ("来/lai2|了/le5", "lai2 le5"),
        ("了/liao3 解/jie3", "liao2 jie3"),
    ],
)
def test_particles_are_neutral_only_as_words_after_others(phrase: str, pinyin: str) -> None:
    spoken = surface_tones(words_of(phrase))
    assert " ".join(reading.pinyin for word in spoken for reading in word) == pinyin


def test_words_keep_their_borders_and_characters() -> None:
    words = words_of("小/xiao3|老/lao3 虎/hu3|不/bu4|看/kan4")
    spoken = surface_tones(words)
    assert [[reading.hanzi for reading in word] for word in spoken] == [
        [reading.hanzi for reading in word] for word in words
    ]


def test_an_empty_phrase_stays_empty() -> None:
    assert surface_tones([]) == []
