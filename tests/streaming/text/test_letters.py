from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.text.letters import LETTER_NAMES, is_readable, sound_out
from streaming.text.syllables import english_syllables


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("make", "M EY1 K"),
        ("blick", "B L IH1 K"),
        ("knop", "N AA1 P"),
        ("phation", "F AE1 SH AH0 N"),
        ("quen", "K W EH1 N"),
        ("noddle", "N AA1 D AH0 L"),
        ("stee", "S T IY1"),
        ("lamb", "L AE1 M"),
    ],
)
def test_words_are_sounded_out_by_rule(word: str, sounds: str) -> None:
    assert " ".join(sound_out(word)) == sounds


@pytest.mark.parametrize(
    ("word", "readable"), [("kube", True), ("xyz", False), ("grrr", False), ("asdfgh", False), ("myth", True)]
)
def test_words_nobody_can_read_are_told_apart(word: str, readable: bool) -> None:
    assert is_readable(word) is readable


def test_every_letter_has_a_name_in_arpabet() -> None:
    assert set(LETTER_NAMES) == set(string.ascii_lowercase)
    for name in LETTER_NAMES.values():
        assert english_syllables(name)


@given(st.text(string.ascii_lowercase, min_size=1, max_size=12))
def test_sounding_out_any_word_gives_arpabet(word: str) -> None:
    sounds = sound_out(word)
    assert english_syllables(" ".join(sounds))
