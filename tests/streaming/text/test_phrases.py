from __future__ import annotations

import pytest
from pypinyin.phrases_dict import phrases_dict

from streaming.text.cleaning import is_hanzi
from streaming.text.mandarin import MandarinReader
from streaming.text.phrases import PHRASES
from streaming.text.syllables import is_syllable, split_tone


@pytest.fixture(scope="module")
def reader() -> MandarinReader:
    warm = MandarinReader()
    warm.warm_up()
    return warm


def test_every_phrase_has_one_syllable_per_character() -> None:
    for phrase, readings in PHRASES.items():
        assert len(phrase) == len(readings) >= 2
        assert all(map(is_hanzi, phrase))
        for pinyin in readings:
            base, tone = split_tone(pinyin)
            assert is_syllable(base), (phrase, pinyin)
            assert 1 <= tone <= 5


def test_phrases_that_the_word_dictionary_lacks_are_cut_as_words(reader: MandarinReader) -> None:
    for run in ("酥炸", "甄嬛传", "三冠王", "倒时差", "参鸡汤"):
        assert [word.text for word in reader.read(run)] == [run]


def test_common_neighbours_are_not_drawn_together(reader: MandarinReader) -> None:
    """为王 is a phrase, but 为王先生 is not about a king."""
    assert [word.text for word in reader.read("为王先生")] == ["为", "王先生"]


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("分子", "fen1 zi3"),
        ("秘书长", "mi4 shu1 zhang3"),
        ("切换", "qie1 huan4"),
        ("内蒙古", "nei4 meng3 gu3"),
    ],
)
def test_they_win_over_the_phrase_dictionary(reader: MandarinReader, phrase: str, expected: str) -> None:
    assert phrase in phrases_dict or reader.is_word(phrase)
    assert " ".join(one.pinyin for word in reader.read(phrase) for one in word.readings) == expected
