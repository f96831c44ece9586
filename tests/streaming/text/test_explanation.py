"""What is told about a text: offsets into what was written, readings as they are spoken."""

from __future__ import annotations

from typing import Any

import pytest

from streaming.text.byte_frontend import ByteFrontend
from streaming.text.explanation import explain
from streaming.text.frontend import Frontend
from streaming.text.segmenter import SegmentPolicy
from streaming.text.symbols import SymbolTables


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    return Frontend(SymbolTables())


def words(text: str, frontend: Frontend) -> list[dict[str, Any]]:
    return [word for segment in explain(text, frontend) for word in segment["words"]]


def pinyin(text: str, frontend: Frontend) -> list[str]:
    return [entry for word in words(text, frontend) for entry in word["pinyin"] or ["-"]]


def test_segments_and_words_point_at_what_was_written(frontend: Frontend) -> None:
    text = "  他有12个苹果。\nRTX 4090很快！"
    segments = explain(text, frontend)
    assert [segment["text"] for segment in segments] == ["他有12个苹果。", "RTX 4090很快！"]
    for segment in segments:
        assert text[segment["char_start"] : segment["char_end"]] == segment["text"]
    written = {word["text"]: text[word["char_start"] : word["char_end"]] for word in words(text, frontend)}
    assert written["十二个"] == "12个"
    assert written["四零九零"] == "4090"
    assert segments[0]["normalized"] == "他有十二个苹果。"


def test_readings_are_those_that_are_spoken(frontend: Frontend) -> None:
    assert pinyin("银行行长不去重庆。", frontend) == [
        "yin2",
        "hang2",
        "hang2",
        "zhang3",
        "bu2",
        "qu4",
        "chong2",
        "qing4",
    ]
    assert pinyin("你好，一个女儿。", frontend) == ["ni2", "hao3", "yi2", "ge4", "nv3", "er2"]


def test_there_is_one_entry_for_every_hanzi_even_of_a_coloured_syllable(frontend: Frontend) -> None:
    (word,) = words("花儿", frontend)
    assert word["text"] == "花儿"
    assert word["pinyin"] == ["hua1", "r5"]
    (word,) = words("儿歌", frontend)
    assert word["pinyin"] == ["er2", "ge1"]


def test_english_words_have_phones_and_no_pinyin(frontend: Frontend) -> None:
    word = words("用GPU", frontend)[-1]
    assert word["pinyin"] is None
    assert word["phones"]


def test_the_last_word_ends_the_sentence(frontend: Frontend) -> None:
    levels = [word["break"] for word in words("你好，世界。", frontend)]
    assert levels[-1] == 4
    assert levels[0] >= 2


def test_what_cannot_be_read_says_why_and_the_rest_is_told(frontend: Frontend) -> None:
    first, second = explain("我爱Москва。你好。", frontend)
    assert "no reading for" in first["error"]
    assert first["words"] == []
    assert second["words"]


def test_nothing_to_say_is_no_word(frontend: Frontend) -> None:
    assert explain("", frontend) == []
    assert [segment["words"] for segment in explain("……", frontend)] == [[]]


def test_texts_are_cut_as_the_policy_says(frontend: Frontend) -> None:
    text = "今天天气非常好，我们一起去公园散步吧。"
    assert len(explain(text, frontend, SegmentPolicy(first_min_chars=40))) == 1
    assert len(explain(text, frontend)) == 2


def test_a_frontend_without_words_tells_its_tokens() -> None:
    (segment,) = explain("好。", ByteFrontend())
    assert segment["words"] == [] or segment["words"][0]["pinyin"] is None
