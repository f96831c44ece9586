from __future__ import annotations

import pytest

from streaming.errors import UnspeakableTextError
from streaming.text.syllables import (
    PLAIN_SYLLABLES,
    english_syllables,
    is_syllable,
    mandarin_syllable,
    split_tone,
)
from streaming.text.symbols import PINYIN_PHONES


def phones(pinyin: str) -> str:
    return " ".join(mandarin_syllable(pinyin).phones)


def test_there_are_411_plain_syllables() -> None:
    assert len(PLAIN_SYLLABLES) == 411


def test_every_syllable_and_its_erhua_is_spelled_in_phones_of_the_inventory() -> None:
    erhua = [f"{plain}r" for plain in PLAIN_SYLLABLES if is_syllable(f"{plain}r")]
    assert len(erhua) >= 250
    for base in [*PLAIN_SYLLABLES, *erhua]:
        assert set(mandarin_syllable(f"{base}1").phones) <= set(PINYIN_PHONES)


@pytest.mark.parametrize(
    ("pinyin", "expected"),
    [
        ("bei3", "b_c ei_c"),
        ("xiong2", "xx_c iong_c"),
        ("zhi1", "zh_c ih_c"),
        ("zi3", "z_c ii_c"),
        ("qi4", "q_c i_c"),
        ("gui4", "g_c uei_c"),
        ("lun4", "l_c uen_c"),
        ("jiu3", "j_c iou_c"),
        ("you3", "y_c ou_c"),
        ("wu3", "w_c u_c"),
        ("yin1", "y_c in_c"),
        ("yuan2", "y_c van_c"),
        ("jue2", "j_c ve_c"),
        ("lv3", "l_c v_c"),
        ("lü3", "l_c v_c"),
        ("nu:e4", "n_c ve_c"),
        ("a1", "ga a_c"),
        ("er4", "ge er_c"),
        ("ou3", "go ou_c"),
        ("ng2", "ge en_c"),
        ("zher4", "zh_c er_c"),
        ("huar1", "h_c uar_c"),
        ("wanr2", "w_c anr_c"),
        ("zhir1", "zh_c ihr_c"),
        ("zir3", "z_c iir_c"),
        ("dianr3", "d_c ianr_c"),
        ("huir4", "h_c ueir_c"),
    ],
)
def test_pinyin_is_spelled_as_the_table_has_it(pinyin: str, expected: str) -> None:
    assert phones(pinyin) == expected


@pytest.mark.parametrize(
    ("pinyin", "expected"),
    [
        ("zher4", ("zher", 4)),
        ("ma5", ("ma", 5)),
        ("you6", ("you", 2)),
        ("dian35", ("dian", 5)),
        ("ng4", ("en", 4)),
        ("XUE2", ("xve", 2)),
        ("ju1", ("jv", 1)),
        ("you3", ("you", 3)),
        ("jiu3", ("jiu", 3)),
    ],
)
def test_split_tone_normalises_spelling_and_tone(pinyin: str, expected: tuple[str, int]) -> None:
    assert split_tone(pinyin) == expected


@pytest.mark.parametrize("pinyin", ["", "ma", "ma0", "ma7", "3", "ma12", "好3", "ma 3"])
def test_malformed_pinyin_is_refused(pinyin: str) -> None:
    with pytest.raises(UnspeakableTextError, match="not pinyin"):
        split_tone(pinyin)


@pytest.mark.parametrize("pinyin", ["bia1", "chei4", "err2", "ve4", "rr1"])
def test_syllables_that_do_not_exist_are_refused(pinyin: str) -> None:
    with pytest.raises(UnspeakableTextError, match="not a syllable of Mandarin"):
        mandarin_syllable(pinyin)


def test_the_tone_is_named_and_the_spelling_kept() -> None:
    syllable = mandarin_syllable("xue6")
    assert (syllable.tone_name, syllable.spelling) == ("tone2", "xve2")


def test_english_syllables_carry_stress_as_tone() -> None:
    first, second, third = english_syllables("HH AH0 . L OW1 . N EH2 T")
    assert first.phones == ("hh", "ah")
    assert [first.tone_name, second.tone_name, third.tone_name] == ["tone0", "tone1", "tone0"]


@pytest.mark.parametrize(
    ("arpabet", "message"),
    [("W AX1", "AX1"), ("W1 AY1", "W1"), ("W AY1 . ", "empty"), ("", "empty"), ("wei4", "wei4")],
)
def test_what_is_not_arpabet_is_refused(arpabet: str, message: str) -> None:
    with pytest.raises(UnspeakableTextError, match=message):
        english_syllables(arpabet)
