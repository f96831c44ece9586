from __future__ import annotations

import numpy as np
import pytest

from training.recogniser import Units, edit_distance, sentence_units, token_unit
from training.train_recogniser import masked


@pytest.mark.parametrize(
    ("token", "unit"),
    [
        ("zh_c$tone1$s_begin$word_begin", "zh_c"),
        ("ong_c$tone1$s_end$word_middle", "ong_c1"),
        ("uar_c$tone5$s_end$word_end", "uar_c5"),
        ("ga$tone4$s_begin$word_begin", ""),
        ("#3$tone_none$s_none$word_none", ""),
        ("ay$tone0$s_end$word_end", "ay"),
    ],
)
def test_units_are_initials_and_finals_with_tone(token: str, unit: str) -> None:
    assert token_unit(token) == unit


def test_pauses_are_not_units() -> None:
    assert sentence_units(["n_c$tone3$s_begin$word_begin", "#4$tone_none$s_none$word_none"]) == ["n_c"]


@pytest.mark.parametrize(
    ("found", "expected", "errors"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "axc", 1), ("ac", "abc", 1), ("abbc", "abc", 1), ("", "abc", 3)],
)
def test_edit_distance_counts_substitutions_insertions_and_deletions(
    found: str, expected: str, errors: int
) -> None:
    assert edit_distance(list(found), list(expected)) == errors


def test_the_inventory_keeps_zero_for_the_blank() -> None:
    units = Units.of([["b", "a"], ["c"]])
    assert units.names == ("", "a", "b", "c")
    assert units.ids(["c", "unknown", "a"]) == [3, 1]


def test_masking_leaves_the_original_alone() -> None:
    inputs = np.ones((20, 82), np.float32)
    assert masked(inputs, np.random.default_rng(0)).shape == inputs.shape
    assert (inputs == 1).all()
