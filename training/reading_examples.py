"""Characters in sentences, as the model of readings sees them.

Input   files of labelled sentences, or natural text; the frontend's normaliser and reader
Output  Example
State   the frontend's dictionaries

A labelled sentence has characters in brackets, and their readings behind a tab: `他在银[行]上班。 hang2`.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from streaming.errors import UnspeakableTextError
from streaming.text.aligned import AlignedText
from streaming.text.frontend import RUN
from streaming.text.mandarin import MandarinReader
from streaming.text.normalizer import Normalizer
from streaming.text.numerals import number_words
from streaming.text.reading_model import Seen, features
from streaming.text.syllables import split_tone

_SENTENCE = re.compile(r"[^。！？!?\n]{4,80}[。！？!?]?")
_TAGS = re.compile(r"/[A-Za-z]+\s*|[\[\]{}]")  # of the words in a tagged corpus


@dataclass(frozen=True, slots=True)
class Example:
    """One character in a sentence.

    Attributes:
        sentence: Without brackets.
        char: The character.
        label: The reading that it has, spelled as the frontend spells it.
        by_rules: The reading that dictionaries and rules give it.
        features: What is seen around it.
        is_labelled: Whether somebody has written the label.
        weight: How much it counts.
    """

    sentence: str
    char: str
    label: str
    by_rules: str
    features: tuple[str, ...]
    is_labelled: bool
    weight: float = 1.0


def labelled(path: Path) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Yield the sentences of a file without brackets, with the places and readings of what was in them.

    Raises:
        ValueError: A line has not as many readings as brackets.
    """
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            marked, pinyin = line.split("\t")
            places = [match.start() - 2 * index for index, match in enumerate(re.finditer(r"\[", marked))]
            yield re.sub(r"[\[\]]", "", marked), list(zip(places, map(_spelled, pinyin.split()), strict=True))


def natural_sentences(paths: Sequence[Path]) -> list[str]:
    """Return the sentences of some texts in a shuffled order that is the same on every run."""
    texts = (_TAGS.sub("", path.read_text("utf-8")) for path in paths)
    sentences = {match[0].replace(" ", "") for text in texts for match in _SENTENCE.finditer(text)}
    return sorted(sentences, key=lambda sentence: (zlib.crc32(sentence.encode()), sentence))


class ExampleReader:
    """Reads sentences as the frontend does, without the model of readings."""

    def __init__(self) -> None:
        self._normalizer = Normalizer()
        self._reader = MandarinReader(lambda: None)
        self._normalizer.warm_up()
        self._reader.warm_up()

    def labelled(self, path: Path) -> list[Example]:
        """Return the examples of a file of labelled sentences.

        A character that normalisation adds to the sentence or takes from it hides its like: it is left out.
        """
        found: list[Example] = []
        for sentence, labels in labelled(path):
            by_char: defaultdict[str, list[Example]] = defaultdict(list)
            for example in self._every(sentence):
                by_char[example.char].append(example)
            for at, label in labels:
                alike = by_char[sentence[at]]
                if len(alike) == sentence.count(sentence[at]):
                    example = alike[sentence[:at].count(sentence[at])]
                    found.append(replace(example, label=label, is_labelled=True))
        return found

    def natural(self, sentences: Sequence[str], chars: Collection[str], at_most: int) -> list[Example]:
        """Return so many examples of each character at most, with the readings that the rules give them."""
        counts: Counter[str] = Counter()
        found: list[Example] = []
        wanted = set(chars)
        for sentence in sentences:
            if not wanted:
                break
            if wanted.isdisjoint(sentence):
                continue
            try:
                examples = list(self._every(sentence))
            except UnspeakableTextError:
                continue
            for example in examples:
                if example.char in wanted:
                    found.append(example)
                    counts[example.char] += 1
                    if counts[example.char] == at_most:
                        wanted.remove(example.char)
        return found

    def _every(self, sentence: str) -> Iterator[Example]:
        for seen, n_before in self._runs(sentence):
            text = "".join(seen.words)
            place = 0
            for number, word in enumerate(seen.words):
                for within, char in enumerate(word):
                    if place >= n_before:
                        by_rules = seen.readings[place]
                        shown = tuple(features(seen, text, place, number, within))
                        yield Example(sentence, char, by_rules, by_rules, shown, is_labelled=False)
                    place += 1

    def _runs(self, sentence: str) -> Iterator[tuple[Seen, int]]:
        text = self._normalizer.normalize(AlignedText.of(sentence))
        latin, end = "", 0
        for match in RUN.finditer(text.text):
            if match.lastgroup == "hanzi":
                before = latin if end == match.start() else ""
                run = text[match.start() : match.end()]
                yield self._reader.seen(run.text, number_words(run), before), len(before)
            latin, end = match[0] if match.lastgroup == "latin" else "", match.end()


def _spelled(pinyin: str) -> str:
    base, tone = split_tone(pinyin)
    return f"{base}{tone}"
