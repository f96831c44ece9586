"""The worked examples E1-E6 of the symbol specification, id by id."""

from __future__ import annotations

import pytest

from streaming.errors import UnspeakableTextError
from streaming.text.linguistics import SpokenWord, spoken_word, spoken_word_en, to_phonemes
from streaming.text.symbols import SymbolTables

TABLES = SymbolTables()


def ids(text: str) -> list[int]:
    return [int(item) for item in text.split()]


EXAMPLES = {
    "e1": (
        [
            spoken_word("北京", ["bei3", "jing1"]),
            spoken_word("今天", ["jin1", "tian1"]),
            spoken_word("天气", ["tian1", "qi4"]),
            spoken_word("怎么样", ["zen3", "me5", "yang4"]),
        ],
        "5 10 30 26 140 30 25 43 19 140 43 19 39 17 140 58 11 33 9 61 3 143",
        "4 4 0 0 1 0 0 0 0 1 0 0 2 2 1 4 4 5 5 2 2 1",
        "0 1 0 1 2 0 1 0 1 2 0 1 0 1 2 0 1 0 1 0 1 2",
        "0 2 2 1 4 0 2 2 1 4 0 2 2 1 4 0 2 2 2 2 1 4",
    ),
    "e2": (
        [spoken_word("你好", ["ni3", "hao3"], 3), spoken_word("世界", ["shi4", "jie4"])],
        "34 17 16 4 142 42 23 30 22 143",
        "4 4 4 4 1 2 2 2 2 1",
        "0 1 0 1 2 0 1 0 1 2",
        "0 2 2 1 4 0 2 2 1 4",
    ),
    "e3": (
        [
            spoken_word("这儿的", ["zher4", "de5"]),
            spoken_word("花儿", ["huar1"], 2),
            spoken_word("真", ["zhen1"]),
            spoken_word("好看", ["hao3", "kan4"], 4),
        ],
        "59 13 8 9 140 16 130 141 59 11 140 16 4 31 2 143",
        "2 2 5 5 1 0 0 1 0 0 1 4 4 2 2 1",
        "0 1 0 1 2 0 1 2 0 1 2 0 1 0 1 2",
        "0 2 2 1 4 0 1 4 0 1 4 0 2 2 1 4",
    ),
    "e4": (
        [
            spoken_word("我", ["wo3"]),
            spoken_word("爱", ["ai4"]),
            spoken_word("吃", ["chi1"]),
            spoken_word("二两", ["er4", "liang3"], 2),
            spoken_word("鱼", ["yv2"], 4),
        ],
        "60 35 140 62 1 140 7 23 140 63 13 32 20 141 61 53 143",
        "4 4 1 2 2 1 0 0 1 2 2 4 4 1 3 3 1",
        "0 1 2 0 1 2 0 1 2 0 1 0 1 2 0 1 2",
        "0 1 4 0 1 4 0 1 4 0 2 2 1 4 0 1 4",
    ),
    "e5": (
        [
            spoken_word("打开", ["da3", "kai1"], 2),
            spoken_word_en("wifi", "W AY1 . F AY0"),
            spoken_word("设置", ["she4", "zhi4"], 4),
        ],
        "8 0 31 1 141 100 70 78 70 140 42 9 59 23 143",
        "4 4 0 0 1 0 0 6 6 1 2 2 2 2 1",
        "0 1 0 1 2 0 1 0 1 2 0 1 0 1 2",
        "0 2 2 1 4 0 2 2 1 4 0 2 2 1 4",
    ),
    "e6": (
        [
            spoken_word_en("his", "HH IH1 Z"),
            spoken_word_en("friends", "F R EH1 N D Z", 2),
            spoken_word_en("like", "L AY1 K"),
            spoken_word_en("music", "M Y UW1 . Z IH0 K", 4),
        ],
        "80 81 102 140 78 92 75 87 73 102 141 85 70 84 140 86 101 98 102 81 84 143",
        "0 0 0 1 0 0 0 0 0 0 1 0 0 0 1 0 0 0 6 6 6 1",
        "0 4 1 2 0 4 4 4 4 1 2 0 4 1 2 0 4 1 0 4 1 2",
        "0 2 1 4 0 2 2 2 2 1 4 0 2 1 4 0 2 2 2 2 1 4",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_worked_examples_give_the_reference_ids(name: str) -> None:
    words, *columns = EXAMPLES[name]
    phonemes = to_phonemes(words, TABLES)
    assert phonemes.ids.T.tolist() == [ids(column) for column in columns]
    assert phonemes.ids.dtype == "int64"


def test_e1_gives_the_reference_tokens() -> None:
    tokens = to_phonemes(EXAMPLES["e1"][0], TABLES).tokens
    assert tokens[:5] == (
        "b_c$tone3$s_begin$word_begin",
        "ei_c$tone3$s_end$word_middle",
        "j_c$tone1$s_begin$word_middle",
        "ing_c$tone1$s_end$word_end",
        "#1$tone_none$s_none$word_none",
    )
    assert tokens[-1] == "#4$tone_none$s_none$word_none"


def test_word_spans_leave_out_the_pause_token() -> None:
    words = [spoken_word("你好", ["ni3", "hao3"], 3, 0, 2), spoken_word("世界", ["shi4", "jie4"], 1, 3, 5)]
    spans = to_phonemes(words, TABLES).words
    assert [(span.text, span.char_start, span.char_end) for span in spans] == [("你好", 0, 2), ("世界", 3, 5)]
    assert [(span.token_start, span.token_end) for span in spans] == [(0, 4), (5, 9)]


def test_a_word_of_one_phone_is_both_begin_and_end() -> None:
    tokens = to_phonemes([spoken_word_en("a", "AH1")], TABLES).tokens
    assert tokens == ("ah$tone1$s_both$word_both", "#4$tone_none$s_none$word_none")


def test_break_level_0_leaves_no_pause_token() -> None:
    words = [spoken_word("我", ["wo3"], 0), spoken_word("们", ["men5"])]
    assert [token.split("$")[0] for token in to_phonemes(words, TABLES).tokens] == [
        "w_c",
        "o_c",
        "m_c",
        "en_c",
        "#4",
    ]


def test_the_last_word_ends_the_sentence_whatever_its_break_level() -> None:
    for level in (0, 1, 4):
        assert to_phonemes([spoken_word("好", ["hao3"], level)], TABLES).tokens[-1].startswith("#4$")


def test_a_break_level_out_of_range_is_refused() -> None:
    words = [spoken_word("好", ["hao3"], 5), spoken_word("好", ["hao3"])]
    with pytest.raises(UnspeakableTextError, match="break level 5"):
        to_phonemes(words, TABLES)


def test_no_word_is_refused() -> None:
    with pytest.raises(UnspeakableTextError, match="no word"):
        to_phonemes([], TABLES)


def test_a_phone_the_voice_lacks_is_named() -> None:
    tables = SymbolTables.from_lists(["n_c", "i_c"], ["tone3", "tone_none"])
    words: list[SpokenWord] = [spoken_word("你好", ["ni3", "hao3"])]
    with pytest.raises(UnspeakableTextError, match="'h_c'"):
        to_phonemes(words, tables)
