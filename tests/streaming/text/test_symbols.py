from __future__ import annotations

import pytest

from streaming.errors import UnspeakableTextError
from streaming.text.symbols import SymbolTable, SymbolTables, parse_symbol_line


def test_the_default_tables_have_the_row_counts_of_the_released_voices() -> None:
    tables = SymbolTables()
    sizes = [
        table.size
        for table in (tables.sy, tables.tone, tables.syllable_flag, tables.word_segment, tables.emotion)
    ]
    assert sizes == [147, 10, 8, 8, 36]


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("a_c", 0),
        ("y_c", 61),
        ("ga", 62),
        ("go", 64),
        ("aa", 65),
        ("zh", 103),
        ("air_c", 104),
        ("pau", 139),
        ("#1", 140),
        ("#4", 143),
    ],
)
def test_phones_have_the_ids_of_the_specification(symbol: str, expected: int) -> None:
    assert SymbolTables().sy.id(symbol) == expected


def test_pad_eos_and_mask_follow_the_symbols() -> None:
    table = SymbolTables().sy
    assert (table.pad_id, table.eos_id, table.size) == (144, 145, 147)


def test_tables_without_mask_are_one_row_smaller_and_ids_stay() -> None:
    tables = SymbolTables.from_lists(["a", "b"], ["tone1", "tone_none"], has_mask=False)
    assert (tables.sy.size, tables.tone.size, tables.emotion.size) == (8, 4, 35)
    assert tables.sy.id("#1") == 2


def test_encode_gives_one_row_of_four_ids_per_token() -> None:
    ids = SymbolTables().encode(["b_c$tone3$s_begin$word_begin", "#4$tone_none$s_none$word_none"])
    assert ids.tolist() == [[5, 4, 0, 0], [143, 1, 2, 4]]
    assert ids.dtype == "int64"


def test_encode_of_nothing_is_an_empty_table() -> None:
    assert SymbolTables().encode([]).shape == (0, 4)


@pytest.mark.parametrize(
    ("token", "named"),
    [
        ("q$tone1$s_begin$word_begin", "'q'"),
        ("a_c$tone9$s_begin$word_begin", "'tone9'"),
        ("a_c$tone1$s_start$word_begin", "'s_start'"),
        ("a_c$tone1$s_begin$word", "'word'"),
        ("a_c$tone1$s_begin", "3 fields"),
    ],
)
def test_encode_refuses_unknown_symbols_by_name(token: str, named: str) -> None:
    with pytest.raises(UnspeakableTextError, match=named):
        SymbolTables().encode([token])


def test_emotions_are_found_with_and_without_prefix() -> None:
    tables = SymbolTables()
    assert tables.emotion_id("neutral") == tables.emotion_id("emotion_neutral") == 1
    assert (tables.emotion_id("happy"), tables.emotion_id("sad")) == (5, 6)
    assert tables.emotions[:3] == ("none", "neutral", "angry")
    assert len(tables.emotions) == 33


def test_an_unknown_emotion_is_named() -> None:
    with pytest.raises(UnspeakableTextError, match="emotion_bored"):
        SymbolTables().emotion_id("bored")


def test_a_table_with_the_same_symbol_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="tone"):
        SymbolTable("tone", ("tone1", "tone1"))


def test_a_symbol_line_of_the_original_front_end_is_taken_apart() -> None:
    line = parse_symbol_line(
        "{d_c$tone3$s_begin$word_begin$emotion_sad$M7} {#4$tone_none$s_none$word_none$emotion_none$M7}"
    )
    assert line.tokens == ("d_c$tone3$s_begin$word_begin", "#4$tone_none$s_none$word_none")
    assert line.emotions == ("emotion_sad", "emotion_none")
    assert line.speakers == ("M7", "M7")


@pytest.mark.parametrize("line", ["a_c$tone1$s_both$word_both$emotion_sad$M7", "{a_c$tone1}"])
def test_a_malformed_symbol_line_is_refused(line: str) -> None:
    with pytest.raises(UnspeakableTextError, match="is not of the form"):
        parse_symbol_line(line)
