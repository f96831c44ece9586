from __future__ import annotations

import string
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.text import graphones
from streaming.text.graphones import sound_out
from streaming.text.syllables import english_syllables

graphones.load()


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("blick", "B L IH1 K"),
        ("knop", "N AA1 P"),
        ("phlation", "F L EY1 SH AH0 N"),
        ("wugging", "W AH1 G IH0 NG"),
        ("trundlesome", "T R AH1 N D AH0 L S AH0 M"),
        ("microplastic", "M AY2 K R OW0 P L AE1 S T IH0 K"),
        ("unfriendable", "AH0 N F R EH1 N D AH0 B AH0 L"),
    ],
)
def test_words_no_dictionary_has_are_read_as_their_spelling_asks(word: str, sounds: str) -> None:
    assert " ".join(sound_out(word)) == sounds


@given(st.text(string.ascii_lowercase, min_size=1, max_size=14))
def test_every_word_gets_arpabet_with_one_primary_stress(word: str) -> None:
    sounds = sound_out(word)
    assert english_syllables(" ".join(sounds))
    assert sum(sound.endswith("1") for sound in sounds) == 1


def test_a_word_of_absurd_length_is_read_to_its_end() -> None:
    sounds = sound_out("bonanza" * 100)
    assert 600 <= len(sounds) <= 800
    assert sum(sound.endswith("1") for sound in sounds) == 1


def test_threads_read_the_same() -> None:
    words = ["grofting", "plimsy", "trostle", "brunded"] * 8
    sound_out.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(sound_out, words)) == [sound_out(word) for word in words]


def test_the_memo_is_bounded() -> None:
    assert sound_out.cache_info().maxsize == 4096
