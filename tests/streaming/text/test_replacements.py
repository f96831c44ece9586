from __future__ import annotations

import pytest

from streaming.text.replacements import Replacer

WORDS = {"今天": "金天", "ab": "x", "abcd": "y", "bcc": "z", "aa": "b"}


def replaced(pieces: list[str], words: dict[str, str] = WORDS) -> str:
    replacer = Replacer(words)
    return "".join([*map(replacer.push, pieces), replacer.flush()])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天今", "金天今"),
        ("abc", "xc"),
        ("abcd", "y"),
        ("abcc", "xcc"),
        ("aaab", "bx"),
        ("aaa", "ba"),
        ("今今天天", "今金天天"),
        ("", ""),
        ("nothing", "nothing"),
    ],
)
def test_the_first_and_longest_word_wins_however_the_text_is_cut(text: str, expected: str) -> None:
    assert replaced([text]) == expected
    assert replaced(list(text)) == expected
    for cut in range(len(text) + 1):
        assert replaced([text[:cut], text[cut:]]) == expected


def test_text_that_begins_no_word_is_not_held_back() -> None:
    replacer = Replacer(WORDS)
    assert replacer.push("你好今") == "你好"
    assert replacer.push("天") == "金天"
    assert replacer.flush() == ""


def test_a_flush_completes_what_was_begun() -> None:
    replacer = Replacer(WORDS)
    assert replacer.push("今") == ""
    assert replacer.flush() == "今"
    assert replacer.push("天") == "天"


def test_without_words_nothing_changes() -> None:
    assert replaced(["今天", ""], {}) == "今天"
    assert replaced(["今天"], {"": "x"}) == "今天"
