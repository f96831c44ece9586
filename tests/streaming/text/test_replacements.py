from __future__ import annotations

import tracemalloc

import pytest

from streaming.errors import TextTooLongError
from streaming.text.replacements import Replacer

WORDS = {"今天": "金天", "ab": "x", "abcd": "y", "bcc": "z", "aa": "b"}


def replaced(pieces: list[str], words: dict[str, str] = WORDS) -> str:
    replacer = Replacer(words, 100)
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
    replacer = Replacer(WORDS, 100)
    assert replacer.push("你好今") == "你好"
    assert replacer.push("天") == "金天"
    assert replacer.flush() == ""


def test_a_flush_completes_what_was_begun() -> None:
    replacer = Replacer(WORDS, 100)
    assert replacer.push("今") == ""
    assert replacer.flush() == "今"
    assert replacer.push("天") == "天"


def test_without_words_nothing_changes() -> None:
    assert replaced(["今天", ""], {}) == "今天"
    assert replaced(["今天"], {"": "x"}) == "今天"


def test_what_comes_out_is_bounded_over_all_pieces() -> None:
    replacer = Replacer({"a": "xx"}, 5)
    assert replacer.push("aa") == "xxxx"
    with pytest.raises(TextTooLongError, match="6 characters; the limit is 5"):
        replacer.push("a")


def test_the_end_counts_too() -> None:
    replacer = Replacer({"ab": "b"}, 3)
    assert replacer.push("xyza") == "xyz"
    with pytest.raises(TextTooLongError):
        replacer.flush()


def test_no_more_is_built_than_may_come_out() -> None:
    words = {"a": "x" * 256}
    replacer = Replacer(words, 1000)
    with pytest.raises(TextTooLongError) as refusal:
        replacer.push("a" * 10_000_000)
    assert refusal.value.found_chars <= 1000 + 256


def test_many_long_words_that_begin_alike_are_kept_once() -> None:
    words = {"a" * 60_000 + str(number): "x" for number in range(10)}
    tracemalloc.start()
    try:
        replacer = Replacer(words, 1_000_000)
        assert replacer.push("a" * 60_000) == ""
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1_000_000
    assert replacer.push("3") == "x"
