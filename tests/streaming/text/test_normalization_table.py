"""The table of what is written and what is said, in tests/data/text/normalization.tsv."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.text.normalizer import Normalizer

TABLE = Path(__file__).parents[2] / "data" / "text" / "normalization.tsv"
CASES = [
    tuple(line.split("\t"))
    for line in TABLE.read_text("utf-8").splitlines()
    if "\t" in line and not line.startswith("# What")
]


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(CASES) >= 300
    assert len({written for written, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(("written", "said"), CASES)
def test_it_is_said_as_the_table_has_it(written: str, said: str) -> None:
    assert Normalizer().normalize(written).text == said
