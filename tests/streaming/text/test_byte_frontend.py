from __future__ import annotations

import numpy as np
import pytest

from streaming.text.byte_frontend import ByteFrontend


def test_tokens_are_the_bytes_of_the_text():
    phonemes = ByteFrontend().phonemes("你好!")
    assert phonemes is not None
    assert phonemes.ids[:, 0].tolist() == list("你好!".encode())
    assert phonemes.ids.dtype == np.int64
    assert phonemes.tokens[0] == str("你".encode()[0])


@pytest.mark.parametrize(("text", "last"), [("hi", "."), ("hi.", "."), ("hi?", "?"), ("你好。", ".")])
def test_a_text_without_an_ascii_sentence_end_gets_a_full_stop(text: str, last: str):
    phonemes = ByteFrontend().phonemes(text)
    assert phonemes is not None
    assert phonemes.ids[-1, 0] == ord(last)


def test_spans_are_words_and_single_hanzi_at_their_bytes():
    text = "  it's 你好 ok7 "
    phonemes = ByteFrontend().phonemes(text)
    assert phonemes is not None
    content = bytes(phonemes.ids[:, 0].tolist())
    assert [word.text for word in phonemes.words] == ["it's", "你", "好", "ok7"]
    for word in phonemes.words:
        assert text[word.char_start : word.char_end] == word.text
        assert content[word.token_start : word.token_end].decode() == word.text


@pytest.mark.parametrize("text", ["", "  ", "...", "——！"])
def test_nothing_but_punctuation_is_not_spoken(text: str):
    assert ByteFrontend().phonemes(text) is None


def test_half_a_surrogate_pair_does_not_fail():
    phonemes = ByteFrontend().phonemes("a\ud83d")
    assert phonemes is not None
    assert bytes(phonemes.ids[:, 0].tolist()) == b"a?"
