"""Choose the reading of a character by what stands around it, as learnt from labelled sentences.

Input   the words of a run, the readings that dictionaries and rules give them
Output  readings of single characters
State   the model, read once per process by `load`, only read afterwards
Unaware of how words are cut and of the dictionaries.

A log-linear model for each character: what is seen around it (the features) votes for its readings, and the
reading that the rules give is one of the things seen. `training/polyphones.py` makes it.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_FILE = "readings.jsonl.xz"
_REACH = 6  # characters to either side
_START, _END = "^", "$"


@dataclass(frozen=True, slots=True)
class Seen:
    """A run as the model sees it.

    Attributes:
        words: Its words; the first may be what stands before the run.
        readings: The reading of every character by dictionaries and rules.
        free: Whether no phrase of the dictionary holds the character.
        kind: Tells what kind of word a word is, see parts_of_speech.
        is_word: Tells whether the dictionary has a word.
    """

    words: Sequence[str]
    readings: Sequence[str]
    free: Sequence[bool]
    kind: Callable[[str], str]
    is_word: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class CharacterModel:
    """What is known of one character.

    Attributes:
        readings: Those it is chosen from.
        votes: A feature -> a weight for each reading.
        bias: A weight for each reading.
    """

    readings: tuple[str, ...]
    votes: Mapping[str, tuple[float, ...]]
    bias: tuple[float, ...]

    def choose(self, features: Iterator[str]) -> str:
        """Return the reading with the most votes."""
        totals = list(self.bias)
        for feature in features:
            votes = self.votes.get(feature)
            if votes is not None:
                for index, vote in enumerate(votes):
                    totals[index] += vote
        return self.readings[max(range(len(totals)), key=totals.__getitem__)]


class ReadingModel:
    """The models of all characters that have one. Thread-safe."""

    def __init__(self, characters: Mapping[str, CharacterModel]) -> None:
        self.characters = characters

    @classmethod
    def unpacked(cls, packed: bytes) -> ReadingModel:
        """Read what `training.polyphones` wrote."""
        rows: dict[tuple[float, ...], tuple[float, ...]] = {}  # most are the same few: one object for each
        characters: dict[str, CharacterModel] = {}
        for line in lzma.decompress(packed).decode().splitlines():
            char, readings, bias, votes = json.loads(line)
            for feature, row in votes.items():
                votes[feature] = rows.setdefault(tuple(row), tuple(row))
            characters[char] = CharacterModel(tuple(readings), votes, tuple(bias))
        return cls(characters)

    def readings(self, seen: Seen) -> Iterator[tuple[int, str]]:
        """Yield the places of characters that have a model, and their readings.

        A reading by the rules that the model has never heard of stays: it is of a word, 困难 nan5.
        """
        text = "".join(seen.words)
        if self.characters.keys().isdisjoint(text):
            return
        place = 0
        for number, word in enumerate(seen.words):
            for within, char in enumerate(word):
                model = self.characters.get(char)
                if model is not None and seen.readings[place] in model.readings:
                    yield place, model.choose(features(seen, text, place, number, within))
                place += 1


def features(seen: Seen, text: str, place: int, number: int, within: int) -> Iterator[str]:
    """Yield what is seen around a character.

    Args:
        seen: The run.
        text: Its characters.
        place: Of the character in the text.
        number: Of its word.
        within: Its place in the word.
    """
    reading = seen.readings[place]
    yield f"b{reading}"
    yield f"f{int(seen.free[place])}{reading}"
    yield from _characters(seen, text, place)
    yield from _words(seen, number, within)


def _characters(seen: Seen, text: str, place: int) -> Iterator[str]:
    padded = f"{_START * 3}{text}{_END * 3}"
    left = padded[place : place + 3]
    right = padded[place + 4 : place + 7]
    char = text[place]
    yield f"l{left[2]}"
    yield f"m{left[1]}"
    yield f"L{left[1:]}"
    yield f"M{left}"
    yield f"r{right[0]}"
    yield f"q{right[1]}"
    yield f"R{right[:2]}"
    yield f"Q{right}"
    yield f"a{left[2]}{right[0]}"
    yield f"c{_kind(seen, left[2])}"
    yield f"d{_kind(seen, right[0])}"
    yield f"i{int(seen.is_word(left[2] + char))}"
    yield f"j{int(seen.is_word(char + right[0]))}"
    for near in text[max(place - _REACH, 0) : place]:
        yield f"<{near}"
    for near in text[place + 1 : place + 1 + _REACH]:
        yield f">{near}"


def _words(seen: Seen, number: int, within: int) -> Iterator[str]:
    words = (_START, _START, *seen.words[max(number - 2, 0) : number + 3], _END, _END)
    at = min(number, 2) + 2
    before, word, after = words[at - 1 : at + 2]
    shape = f"{len(word)}{within}"
    before_kind, after_kind = _kind(seen, before), _kind(seen, after)
    yield f"w{within}{word}"
    yield f"s{shape}"
    yield f"k{within}{seen.kind(word)}"
    yield f"x{before}"
    yield f"y{after}"
    yield f"X{before_kind}{shape}"
    yield f"Y{after_kind}{shape}"
    yield f"Z{before_kind}{after_kind}"
    yield f"U{_kind(seen, words[at - 2])}{before_kind}"
    yield f"V{after_kind}{_kind(seen, words[at + 2])}"


def _kind(seen: Seen, word: str) -> str:
    return word if word in (_START, _END) else seen.kind(word)


@cache
def load() -> ReadingModel:
    """Read the model that ships, once per process (0.1 s, 10 MB)."""
    return ReadingModel.unpacked((files("streaming.text") / "data" / _FILE).read_bytes())
