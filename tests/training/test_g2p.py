from __future__ import annotations

import pytest

from training.g2p import dictionary, error_rates, is_held_out, unstressed


def test_words_with_the_same_first_five_letters_are_left_out_together() -> None:
    assert {is_held_out(word) for word in ("zebra", "zebras", "zebraic")} in ({True}, {False})


def test_one_word_in_fifty_or_so_is_left_out() -> None:
    words = dictionary()
    assert 0.01 < sum(map(is_held_out, words)) / len(words) < 0.025
    assert all(word.isalpha() and word.islower() for word in words)


def test_error_rates_count_words_and_phones() -> None:
    expected = {"cat": ["K", "AE1", "T"], "a": ["AH0"]}
    assert error_rates(expected, expected) == (0.0, 0.0)
    found = {"cat": ["K", "AE0", "T"], "a": ["AH0"]}
    assert error_rates(found, expected) == (0.5, pytest.approx(0.25))
    assert error_rates(unstressed(found), unstressed(expected)) == (0.0, 0.0)
