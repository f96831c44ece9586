"""Train and measure the model that chooses the readings of characters.

    python -m training.polyphones                                        # measure on sentences left out
    python -m training.polyphones --out streaming/text/data/readings.json.xz     # the model that ships, of all

Input   training/data/polyphones/*.tsv: sentences with characters in brackets, and their readings
Output  shares of right readings on the terminal; with --out, the model's file
State   none; both are the same on every run

Each character has a log-linear model with a penalty on the squares of its weights (Berger et al., 1996). A
sentence is left out by a hash of its characters.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from streaming.text.aligned import AlignedText
from streaming.text.mandarin import MandarinReader
from streaming.text.normalizer import Normalizer
from streaming.text.numerals import number_words
from streaming.text.reading_model import CharacterModel, Seen, features
from streaming.text.syllables import split_tone

SENTENCES = Path(__file__).parent / "data" / "polyphones"
_N_PARTS = 5
_RUN = re.compile(r"(?P<before>[A-Za-z]*)(?P<hanzi>[\u3400-\u9fff〇]+)")
_MIN_COUNT = 2  # sentences that must show a feature
_PENALTY = 0.5
_RULES_SCALE = 4.0  # what the rules say costs this much less than what is seen
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Example:
    """One character in a sentence.

    Attributes:
        sentence: Without brackets.
        place: Of the character in it.
        char: The character.
        label: The reading that it has.
        by_rules: The reading that dictionaries and rules give it.
        features: What is seen around it.
    """

    sentence: str
    place: int
    char: str
    label: str
    by_rules: str
    features: tuple[str, ...]


def labelled(path: Path) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Yield the sentences of a file without brackets, with the places and readings of what was in them."""
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            marked, pinyin = line.split("\t")
            places = [match.start() - 2 * index for index, match in enumerate(re.finditer(r"\[", marked))]
            yield re.sub(r"[\[\]]", "", marked), list(zip(places, map(spelled, pinyin.split()), strict=True))


def spelled(pinyin: str) -> str:
    """Return a reading as the frontend spells it: ü as v everywhere."""
    base, tone = split_tone(pinyin)
    return f"{base}{tone}"


class ExampleReader:
    """Reads labelled sentences as the frontend would."""

    def __init__(self) -> None:
        self._normalizer = Normalizer()
        self._reader = MandarinReader()
        self._normalizer.warm_up()
        self._reader.warm_up()

    def read(self, path: Path) -> list[Example]:
        """Return the examples of a file. Characters that normalisation adds or takes away hide their like."""
        return [example for sentence, labels in labelled(path) for example in self._examples(sentence, labels)]

    def _examples(self, sentence: str, labels: Sequence[tuple[int, str]]) -> Iterator[Example]:
        runs = list(self._runs(sentence))
        places: defaultdict[str, list[tuple[Seen, int, int, int]]] = defaultdict(list)
        for seen, n_before in runs:
            place = 0
            for number, word in enumerate(seen.words):
                for within, char in enumerate(word):
                    if place >= n_before:
                        places[char].append((seen, place, number, within))
                    place += 1
        for at, label in labels:
            char = sentence[at]
            if sentence.count(char) != len(places[char]):
                continue
            seen, place, number, within = places[char][sentence[:at].count(char)]
            shown = tuple(features(seen, "".join(seen.words), place, number, within))
            yield Example(sentence, at, char, label, seen.readings[place], shown)

    def _runs(self, sentence: str) -> Iterator[tuple[Seen, int]]:
        text = self._normalizer.normalize(AlignedText.of(sentence))
        for match in _RUN.finditer(text.text):
            run = text[match.start("hanzi") : match.end("hanzi")]
            yield self._reader.seen(run.text, number_words(run), match["before"]), len(match["before"])


def trained(examples: Sequence[Example]) -> dict[str, CharacterModel]:
    """Fit a model for every character that has two readings among the examples."""
    by_char: defaultdict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_char[example.char].append(example)
    return {
        char: _fitted(own) for char, own in by_char.items() if len({example.label for example in own}) > 1
    }


def _fitted(examples: Sequence[Example]) -> CharacterModel:
    counts = Counter(feature for example in examples for feature in set(example.features))
    names = sorted(feature for feature, count in counts.items() if count >= _MIN_COUNT)
    column = {feature: index for index, feature in enumerate(names)}
    readings = sorted({example.label for example in examples})
    seen = torch.zeros(len(examples), len(names), dtype=torch.float64)
    for row, example in enumerate(examples):
        for feature in example.features:
            if feature in column:
                seen[row, column[feature]] = _scale(feature)
    wanted = torch.tensor([readings.index(example.label) for example in examples])
    weights = torch.zeros(len(names), len(readings), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(readings), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        misfit = torch.nn.functional.cross_entropy(seen @ weights + bias, wanted, reduction="sum")
        total = misfit + _PENALTY * (weights.square().sum() + 1e-3 * bias.square().sum())
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call,arg-type]
    votes = {
        feature: tuple(round(_scale(feature) * vote, 2) for vote in row)
        for feature, row in zip(names, weights.tolist(), strict=True)
    }
    kept = {feature: row for feature, row in votes.items() if max(row) - min(row) >= 0.02}
    return CharacterModel(tuple(readings), kept, tuple(round(value, 2) for value in bias.tolist()))


def _scale(feature: str) -> float:
    return _RULES_SCALE if feature[0] in "bf" else 1.0


def packed(models: Mapping[str, CharacterModel]) -> bytes:
    """Return the file that `ReadingModel.unpacked` reads."""
    entries = {
        char: {"readings": model.readings, "bias": model.bias, "votes": model.votes}
        for char, model in sorted(models.items())
    }
    return lzma.compress(json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode(), preset=9)


def chosen(models: Mapping[str, CharacterModel], example: Example) -> str:
    """Return the reading that the models give an example, or the rules' where there is none."""
    model = models.get(example.char)
    return model.choose(iter(example.features)) if model else example.by_rules


def left_out(examples: Sequence[Example]) -> Iterator[tuple[Example, str]]:
    """Yield every example with the reading that it gets from models which have not seen its sentence."""
    parts: list[list[Example]] = [[] for _ in range(_N_PARTS)]
    for example in examples:
        parts[zlib.crc32(example.sentence.encode()) % _N_PARTS].append(example)
    for part in parts:
        models = trained([example for other in parts if other is not part for example in other])
        for example in part:
            yield example, chosen(models, example)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.polyphones", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, help="train on all sentences and write the model to this file")
    parser.add_argument("--test", type=Path, nargs="*", default=[], help="files to measure the model of all sentences on")
    options = parser.parse_args(arguments)
    reader = ExampleReader()
    examples = [example for path in sorted(SENTENCES.glob("*.tsv")) for example in reader.read(path)]
    if options.out is not None or options.test:
        models = trained(examples)
        if options.out is not None:
            options.out.write_bytes(packed(models))
        for path in options.test:
            tested = reader.read(path)
            _report(path.name, [(example, chosen(models, example)) for example in tested])
        return 0
    _report("sentences left out", list(left_out(examples)))
    return 0


def _report(name: str, found: Sequence[tuple[Example, str]]) -> None:
    n_rules = sum(example.by_rules == example.label for example, _ in found)
    n_model = sum(reading == example.label for example, reading in found)
    print(f"{name}: {len(found)} characters; right by rules {n_rules} ({n_rules / len(found):.1%}), "
          f"by the model {n_model} ({n_model / len(found):.1%})")


if __name__ == "__main__":
    sys.exit(main())
