from __future__ import annotations

import re

import pytest

from benchmarks.sentences import CITIES, DISTINCT_TEXTS, TEMPLATES, sentence


@pytest.mark.parametrize("phones", TEMPLATES)
def test_every_sentence_has_its_length_at_two_phones_a_syllable(phones: int) -> None:
    for repetition in range(DISTINCT_TEXTS):
        assert 2 * len(re.findall(r"[一-鿿]", sentence(phones, repetition))) == phones


@pytest.mark.parametrize("phones", TEMPLATES)
def test_no_two_repetitions_share_their_first_clause(phones: int) -> None:
    # "您好，" alone is too short for a segment of its own: the city comes before the next mark.
    openings = [sentence(phones, n).removeprefix("您好，") for n in range(DISTINCT_TEXTS)]
    assert len({re.split("[，。？]", text)[0] for text in openings}) == DISTINCT_TEXTS


def test_the_texts_come_back_after_the_last_city() -> None:
    assert sentence(60, DISTINCT_TEXTS) == sentence(60, 0)
    assert len(set(CITIES)) == len(CITIES)


def test_other_lengths_are_refused() -> None:
    with pytest.raises(KeyError):
        sentence(61, 0)
