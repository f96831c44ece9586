from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from streaming.text.aligned import AlignedText


def origins(aligned: AlignedText, original: str) -> list[tuple[str, str]]:
    spans = zip(aligned.text, aligned.starts, aligned.ends, strict=True)
    return [(char, original[start:end]) for char, start, end in spans]


def test_unchanged_text_stands_for_itself() -> None:
    assert origins(AlignedText.of("你好"), "你好") == [("你", "你"), ("好", "好")]


def test_a_substitution_stands_for_the_whole_match() -> None:
    aligned = AlignedText.of("a50b").sub(re.compile(r"\d+"), "五十")
    assert origins(aligned, "a50b") == [("a", "a"), ("五", "50"), ("十", "50"), ("b", "b")]


def test_substitutions_compose() -> None:
    aligned = AlignedText.of("x12y").sub(re.compile("1"), "abc").sub(re.compile("bc2"), "Z")
    assert origins(aligned, "x12y") == [("x", "x"), ("a", "1"), ("Z", "12"), ("y", "y")]


def test_keep_leaves_the_group_aligned() -> None:
    aligned = AlignedText.of("看[链接](http://a)吧").keep(re.compile(r"\[([^]]*)\]\([^)]*\)"))
    assert aligned.text == "看链接吧"
    assert aligned.origin(1, 3) == (2, 4)


def test_keep_drops_a_match_whose_group_took_no_part() -> None:
    assert AlignedText.of("a-b").keep(re.compile(r"-(x)?")).text == "ab"


def test_map_chars_may_drop_and_lengthen() -> None:
    aligned = AlignedText.of("abc").map_chars(lambda char: {"a": "", "b": "xy"}.get(char, char))
    assert origins(aligned, "abc") == [("x", "b"), ("y", "b"), ("c", "c")]


def test_realign_maps_rewritten_runs_to_what_they_replaced() -> None:
    aligned = AlignedText.of("零下5℃吗").realign("零下五摄氏度吗")
    assert origins(aligned, "零下5℃吗")[2:] == [(char, "5℃") for char in "五摄氏度"] + [("吗", "吗")]


def test_realign_places_inserted_text_at_its_neighbour() -> None:
    assert origins(AlignedText.of("ab").realign("abX"), "ab")[-1] == ("X", "b")
    assert origins(AlignedText.of("ab").realign("Xab"), "ab")[0] == ("X", "a")


def test_realign_of_nothing_stays_in_range() -> None:
    assert AlignedText.of("").realign("abc").starts == (0, 0, 0)


def test_origin_spans_all_characters() -> None:
    assert AlignedText.of("abcd").origin(1, 3) == (1, 3)


@given(st.text("ab12", max_size=12), st.text("ab12", max_size=12))
def test_realigned_characters_keep_order_and_range(old: str, new: str) -> None:
    aligned = AlignedText.of(old).realign(new)
    assert aligned.text == new
    assert len(aligned.starts) == len(aligned.ends) == len(new)
    assert list(aligned.starts) == sorted(aligned.starts)
    assert all(0 <= start <= end <= len(old) for start, end in zip(aligned.starts, aligned.ends, strict=True))
