"""Mouth shapes of phones."""

from __future__ import annotations

import pytest

from streaming.text.syllables import PLAIN_SYLLABLES, english_syllables, is_syllable, mandarin_syllable
from streaming.text.visemes import SILENCE, VISEMES, timed_visemes, visemes_of


def all_phones() -> set[str]:
    bases = [base for plain in PLAIN_SYLLABLES for base in (plain, f"{plain}r") if is_syllable(base)]
    mandarin = {phone for base in bases for phone in mandarin_syllable(f"{base}1").phones}
    arpabet = (
        "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH"
    )
    vowels = {phone for one in arpabet.split()[:15] for phone in english_syllables(f"{one}1")[0].phones}
    consonants = {
        phone for one in arpabet.split()[15:] for phone in english_syllables(f"{one} AH1")[0].phones
    }
    return mandarin | vowels | consonants


def test_there_are_fifteen_classes_and_every_phone_has_some() -> None:
    assert len(VISEMES) == 15
    for phone in all_phones():
        shapes = visemes_of(phone)
        assert shapes
        assert set(shapes) <= set(VISEMES) - {SILENCE}, phone


@pytest.mark.parametrize(
    ("phone", "shapes"),
    [
        ("b_c", ("PP",)), ("zh_c", ("CH",)), ("iao_c", ("ih", "aa", "oh")), ("ang_c", ("aa", "nn")),
        ("ii_c", ("ih",)), ("er_c", ("E", "RR")), ("uanr_c", ("ou", "aa", "nn", "RR")), ("v_c", ("ou",)),
        ("ay", ("aa", "ih")), ("th", ("TH",)), ("er", ("RR",)), ("?", (SILENCE,)),
    ],
)  # fmt: skip
def test_a_phone_is_one_shape_or_several(phone: str, shapes: tuple[str, ...]) -> None:
    assert visemes_of(phone) == shapes


def test_time_is_shared_equally_and_equal_neighbours_are_one() -> None:
    timed = list(timed_visemes([("m_c", 0, 90), ("iao_c", 90, 390), ("b_c", 500, 600), ("p_c", 600, 700)]))
    assert timed == [("PP", 0, 90), ("ih", 90, 190), ("aa", 190, 290), ("oh", 290, 390), ("PP", 500, 700)]
    assert list(timed_visemes([])) == []
