from __future__ import annotations

import os
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from clients.python.text import UtteranceFeed, read_text


async def pieces(*texts: str) -> AsyncIterator[str]:
    for text in texts:
        yield text


async def utterances(max_chars: int, *texts: str) -> list[str]:
    feed = UtteranceFeed(pieces(*texts), max_chars)
    return ["".join([piece async for piece in utterance]) async for utterance in feed.utterances()]


async def test_short_text_is_one_utterance() -> None:
    assert await utterances(100, "你好。", "再见。") == ["你好。再见。"]


async def test_nothing_is_no_utterance() -> None:
    assert await utterances(100) == []


async def test_long_text_is_cut_at_the_first_sentence_end_of_the_last_quarter() -> None:
    assert await utterances(12, "一二三。四五六七八。九十。百千") == ["一二三。四五六七八。", "九十。百千"]


async def test_text_without_sentence_ends_is_cut_at_the_limit() -> None:
    assert await utterances(4, "一二三四五六七八九") == ["一二三四", "五六七八", "九"]


@given(st.lists(st.text(alphabet="ab。\n", max_size=9)), st.integers(1, 12))
async def test_no_character_is_lost_and_no_utterance_is_too_long(texts: list[str], max_chars: int) -> None:
    found = await utterances(max_chars, *texts)
    assert "".join(found) == "".join(texts)
    assert all(len(text) <= max_chars for text in found)


async def test_input_is_read_as_it_is_written_even_in_the_middle_of_a_character() -> None:
    read_end, write_end = os.pipe()
    encoded = "你好".encode()
    os.write(write_end, encoded[:4])
    reader = read_text(read_end)
    assert await anext(reader) == "你"
    os.write(write_end, encoded[4:])
    assert await anext(reader) == "好"
    os.write(write_end, b"\xe4")
    os.close(write_end)
    assert [text async for text in reader] == ["�"]
    os.close(read_end)
