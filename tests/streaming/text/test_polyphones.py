"""Characters with several readings: the set that the rules were written with, and one written after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming.text.explanation import pinyin_of
from streaming.text.frontend import Frontend
from streaming.text.polyphones import readings_in_context
from streaming.text.symbols import SymbolTables

DATA = Path(__file__).parents[2] / "data" / "text"
LEAST = 0.97


def labelled(name: str) -> Iterator[tuple[str, int, str]]:
    """Yield sentence, place of the character, reading."""
    for line in (DATA / name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            marked, pinyin = line.split("\t")
            yield marked.replace("[", "").replace("]", ""), marked.index("["), pinyin


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    return Frontend(SymbolTables())


def reading(frontend: Frontend, text: str, place: int) -> str:
    for word in frontend.spoken_words(text):
        if word.char_start <= place < word.char_end:
            return (pinyin_of(word.syllables) or [])[place - word.char_start]
    return ""


def is_right(found: str, pinyin: str) -> bool:
    """A third tone may have risen before another one."""
    return found == pinyin or (pinyin[-1] == "3" and found == f"{pinyin[:-1]}2")


@pytest.mark.parametrize(("name", "at_least"), [("polyphones.tsv", 500), ("polyphones_held_out.tsv", 150)])
def test_polyphones_are_read_as_labelled(frontend: Frontend, name: str, at_least: int) -> None:
    cases = list(labelled(name))
    assert len(cases) >= at_least
    wrong = [case for case in cases if not is_right(reading(frontend, *case[:2]), case[2])]
    assert len(wrong) <= (1.0 - LEAST) * len(cases), wrong


def test_the_sets_share_no_sentence_and_cover_a_hundred_characters() -> None:
    sets = [list(labelled(name)) for name in ("polyphones.tsv", "polyphones_held_out.tsv")]
    assert not {text for text, _, _ in sets[0]} & {text for text, _, _ in sets[1]}
    assert len({text[place] for text, place, _ in sets[0]}) >= 100


@pytest.mark.parametrize(
    ("text", "place", "pinyin"),
    [
        ("单老师来了", 0, "shan4"),
        ("单位来了", 0, "dan1"),
        ("他姓仇", 2, "qiu2"),
        ("报仇", 1, "chou2"),
        ("解女士请进", 0, "xie4"),
        ("解老师的问题", 0, "xie4"),
        ("孩子长高了", 2, "zhang3"),
        ("路很长", 2, "chang2"),
        ("发展很快", 0, "fa1"),
    ],
)
def test_neighbours_decide(frontend: Frontend, text: str, place: int, pinyin: str) -> None:
    assert is_right(reading(frontend, text, place), pinyin)


def test_a_run_without_any_of_the_characters_asks_for_nothing() -> None:
    assert list(readings_in_context("今天天气")) == []
