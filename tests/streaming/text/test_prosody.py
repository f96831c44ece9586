from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.text.prosody import MAX_RUN_SYLLABLES, ProsodicWord, break_levels, mark_level


def levels(text: str) -> str:
    """Break levels of words written as `今天|天气，|好`; marks are the characters after the Hanzi."""
    words = []
    for item in text.split("|"):
        hanzi = item.rstrip("，。！？、；：")
        words.append(ProsodicWord(hanzi, len(hanzi), mark_level(item[len(hanzi) :])))
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


def test_a_long_phrase_is_parted_before_function_words_and_after_particles() -> None:
    assert levels("研究|人员|最近|发表了|一篇|重要|论文") == "1121114"
    assert levels("我们|学校|和|他们|公司|合作") == "121114"


def test_a_short_tail_is_not_cut_off() -> None:
    assert levels("一二三|四五六|七八") == "114"


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
            assert run <= MAX_RUN_SYLLABLES + 4
            run = 0
