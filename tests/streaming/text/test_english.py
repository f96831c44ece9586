from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.text.english import EnglishLexicon, syllabify
from streaming.text.english_names import NAMES as NAMES_OF_OURS
from streaming.text.syllables import english_syllables

LEXICON = EnglishLexicon()
LEXICON.warm_up()


def said(token: str) -> str:
    return " | ".join(part.arpabet for part in LEXICON.pronounce(token))


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("wifi", "W AY1 . F AY2"),
        ("WiFi", "W AY1 . F AY2"),
        ("music", "M Y UW1 . Z IH0 K"),
        ("friends", "F R EH1 N D Z"),
        ("extra", "EH1 K . S T R AH0"),
        ("don't", "D OW1 N T"),
        ("NASA", "N AE1 . S AH0"),
        ("I", "AY1"),
        ("THE", "DH AH0"),
    ],
)
def test_dictionary_words_are_read_in_syllables(token: str, expected: str) -> None:
    assert said(token) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("GPT", "JH IY1 . P IY1 . T IY1"),
        ("AI", "EY1 . AY1"),
        ("IT", "AY1 . T IY1"),
        ("HTML", "EY1 CH . T IY1 . EH1 M . EH1 L"),
        ("w", "D AH1 . B AH0 L . Y UW0"),
        ("xyz", "EH1 K S . W AY1 . Z IY1"),
    ],
)
def test_acronyms_and_unreadable_words_are_spelled(token: str, expected: str) -> None:
    assert said(token) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("DeepSeek", "D IY1 P | S IY1 K"),
        ("TensorRT", "T EH1 N . S ER0 . AA1 R . T IY1"),
        ("vLLM", "V IY1 | EH1 L . EH1 L . EH1 M"),
        ("blockchain", "B L AA1 K . CH EY1 N"),
        ("elasticsearch", "IH0 . L AE1 . S T IH0 K . S ER2 CH"),
        ("GPU's", "JH IY1 . P IY1 . Y UW1 Z"),
        ("DeepSeek's", "D IY1 P | S IY1 K S"),
        ("blosh's", "B L AA1 . SH IH0 Z"),
        ("wugging", "W AH1 . G IH0 NG"),
    ],
)
def test_names_no_dictionary_has_are_composed_or_guessed(token: str, expected: str) -> None:
    assert said(token) == expected


NAMES = Path(__file__).parents[2] / "data" / "text" / "english_names.tsv"


@pytest.mark.parametrize("line", [line for line in NAMES.read_text("utf-8").splitlines() if line[0] != "#"])
def test_names_that_people_write_are_said_as_they_say_them(line: str) -> None:
    name, allowed = line.split("\t")
    assert re.sub(r"\d| [.|]", "", said(name)) in allowed.split(" | ")


@pytest.mark.parametrize("name", NAMES_OF_OURS)
def test_our_own_names_are_arpabet_with_a_stress(name: str) -> None:
    assert name.islower()
    syllables = english_syllables(NAMES_OF_OURS[name])
    assert any(syllable.tone_name == "tone1" for syllable in syllables)


def test_parts_stand_where_they_were_written() -> None:
    assert [(part.text, part.start) for part in LEXICON.pronounce("'DeepSeek's")] == [
        ("Deep", 1),
        ("Seek's", 5),
    ]


@given(st.text(string.ascii_letters + "'", max_size=14))
def test_no_letter_is_ever_silent(token: str) -> None:
    parts = LEXICON.pronounce(token)
    assert bool(parts) == bool(token.strip("'"))
    for part in parts:
        assert token[part.start : part.start + len(part.text)] == part.text
        assert english_syllables(part.arpabet)


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ("S T R EH1 NG K TH", "S T R EH1 NG K TH"),
        ("AE1 T L AH0 S", "AE1 T . L AH0 S"),
        ("HH AE1 P IY0", "HH AE1 . P IY0"),
        ("S IH1 NG ER0", "S IH1 NG . ER0"),
        ("S", "S"),
    ],
)
def test_syllables_take_the_longest_onset_english_allows(symbols: str, expected: str) -> None:
    assert syllabify(symbols.split()) == expected
