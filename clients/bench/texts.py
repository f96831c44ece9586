"""The texts of a run: a built-in set or a file, each time with its slots filled anew.

Input   the name of a set or a file, a seed
Output  an endless sequence of texts, all distinct as far as the set reaches
State   none: text number n is always the same
It does not know when they are spoken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from clients.bench.slots import VARIANTS, fill, has_slots
from clients.bench.texts_en import TEXTS_EN
from clients.bench.texts_mixed import TEXTS_MIXED
from clients.bench.texts_zh import TEXTS_ZH

BUILT_IN: Mapping[str, tuple[str, ...]] = {"zh": TEXTS_ZH, "en": TEXTS_EN, "mixed": TEXTS_MIXED}


class TextError(Exception):
    """There are no texts."""


@dataclass(frozen=True, slots=True)
class TextSet:
    """Templates, in rounds: every round says each of them once, in an order of its own."""

    name: str
    templates: tuple[str, ...]
    seed: int

    @property
    def n_distinct(self) -> int:
        """Return how many texts there are before one comes back."""
        return sum(VARIANTS if has_slots(template) else 1 for template in self.templates)

    def text(self, number: int) -> str:
        """Return text `number`, from 0."""
        cycle, place = divmod(number, len(self.templates))
        order = list(range(len(self.templates)))
        Random(f"{self.seed}/order/{cycle}").shuffle(order)
        # Another seed begins elsewhere, so that a second run says something else than the first.
        first = Random(f"{self.seed}/variant").randrange(VARIANTS)
        return fill(self.templates[order[place]], (first + cycle) % VARIANTS)


def load_texts(source: str, seed: int) -> TextSet:
    """Return the built-in set of that name, or the lines of that file.

    Raises:
        TextError: The file cannot be read, or nothing is in it.
    """
    if source in BUILT_IN:
        return TextSet(source, BUILT_IN[source], seed)
    try:
        lines = Path(source).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TextError(f"cannot read {source}: {error}") from error
    texts = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if not texts:
        raise TextError(f"{source} has no texts: one per line; blank lines and lines with # are skipped")
    return TextSet(Path(source).name, texts, seed)
