from __future__ import annotations

import pytest

from streaming.text.parts_of_speech import kind_of, read_table

TABLE = read_table("重要 9 a\n研究 9 vn\n看 9 v\n论文 9 n\n可以 9 c\n中国科学院 9 v\n经常 3 d\n乎 2 y\n")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("重要", "a"),
        ("研究", "g"),
        ("看", "w"),
        ("论文", "n"),
        ("可以", "d"),  # the dictionary's tag is of no use
        ("把", "p"),
        ("三十五", "m"),
        ("百分之五", "m"),
        ("三个", "m"),
        ("三季度", "t"),
        ("经常", "d"),
        ("乎", "u"),
        ("龘龘", "n"),
        ("because", "c"),
        ("Zhiyin", "n"),
    ],
)
def test_a_word_has_one_kind(word: str, kind: str) -> None:
    assert kind_of(word, TABLE) == kind


def test_nouns_and_long_names_are_not_kept() -> None:
    assert set(TABLE) == {"重要", "研究", "看", "可以", "经常", "乎"}
