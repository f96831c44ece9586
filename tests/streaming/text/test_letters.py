from __future__ import annotations

import string

import pytest

from streaming.text.letters import LETTER_NAMES, is_readable
from streaming.text.syllables import english_syllables


@pytest.mark.parametrize(
    ("word", "readable"), [("kube", True), ("xyz", False), ("grrr", False), ("asdfgh", False), ("myth", True)]
)
def test_words_nobody_can_read_are_told_apart(word: str, readable: bool) -> None:
    assert is_readable(word) is readable


def test_every_letter_has_a_name_in_arpabet() -> None:
    assert set(LETTER_NAMES) == set(string.ascii_lowercase)
    for name in LETTER_NAMES.values():
        assert english_syllables(name)
