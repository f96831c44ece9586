from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.text.prosody import MAX_RUN_SYLLABLES, ProsodicWord, break_levels, mark_level


def levels(text: str) -> str:
    """Break levels of words written as `今天t|天气，|好a`: Hanzi, kind (n if none is written), marks."""
    words = []
    for item in text.split("|"):
        hanzi, kind, marks = re.fullmatch(r"([一-鿿]+)([a-z]?)(.*)", item).groups()  # type: ignore[union-attr]
        words.append(ProsodicWord(hanzi, len(hanzi), mark_level(marks), kind or "n"))
    return "".join(map(str, break_levels(words)))


@pytest.mark.parametrize(
    ("between", "level"),
    [
        ("", 0),
        (" ", 0),
        ("，", 3),
        ("、", 3),
        ("；", 3),
        ("：", 3),
        ("。", 3),
        ("……", 3),
        ("——", 3),
        ("\n", 3),
        ("（", 2),
        ("》", 2),
        ("“", 1),
        ("-", 1),
        ("，“", 3),
    ],
)
def test_punctuation_asks_for_its_break(between: str, level: int) -> None:
    assert mark_level(between) == level


def test_words_part_with_1_and_the_sentence_ends_with_4() -> None:
    assert levels("今天|天气|好") == "114"
    assert levels("你好，|世界。") == "34"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("研究|人员|最近t|发表了v|一篇m|重要a|论文", "1121114"),  # time | verb
        ("专家|提醒v|市民|不要d|在p|高温|天气|里f|长时间d|运动v", "1121111214"),  # place |
        ("因为c|路上|堵车v|所以c|我r|迟到了v|十分钟m", "1121114"),  # | conjunction
        ("他们r|公司|和k|我们r|学校|一直d|在p|合作v", "11112114"),  # never beside and
        ("新来的v|同事|非常d|热情地a|帮助了v|我们r", "121214"),  # the modifier keeps its noun
        ("您r|能s|再s|说w|一遍e|这个h|词w|的u|意思|吗u", "1111211114"),  # what was said | this
    ],
)
def test_a_long_phrase_is_parted_where_the_kinds_of_its_words_allow(words: str, expected: str) -> None:
    assert levels(words) == expected


@pytest.mark.parametrize("kind", "nrhmqtfvwgadspckeu")
def test_no_pause_follows_a_preposition_or_precedes_a_place_word(kind: str) -> None:
    assert levels(f"一二三|四五p|六七{kind}|八九十")[1] == "1"
    assert levels(f"一二三|四五{kind}|六七f|八九十")[1] == "1"


def test_a_short_phrase_is_not_cut() -> None:
    assert levels("一二三|四五六d|七八九c") == "114"


def test_no_words_have_no_breaks() -> None:
    assert break_levels([]) == []


@given(st.lists(st.integers(1, 4), min_size=1, max_size=40))
def test_no_run_without_pause_is_much_longer_than_the_limit(lengths: list[int]) -> None:
    words = [ProsodicWord("字" * length, length, 0) for length in lengths]
    found = break_levels(words)
    assert found[-1] == 4
    assert set(found[:-1]) <= {1, 2}
    run = 0
    for length, level in zip(lengths, found, strict=True):
        run += length
        if level > 1:
            assert run <= MAX_RUN_SYLLABLES
            run = 0
