"""Train and measure the model that chooses the readings of characters.

    python -m training.polyphones --natural news.txt        # measure on labelled sentences left out
    python -m training.polyphones --natural news.txt --out streaming/text/data/readings.jsonl.xz  # what ships

Input   training/data/polyphones/*.tsv, labelled sentences; natural text
Output  shares of right readings on the terminal; with --out, the model's file
State   none; both are the same on every run

Each character has a log-linear model with a penalty on the squares of its weights (Berger et al., 1996). In
the labelled sentences rare readings are as common as the others. How common they are in life is learnt from
natural text: first with the readings that the rules give it, at a low weight; then with those that the model
which came of it chooses, at a higher one.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from streaming.text.reading_model import CharacterModel
from training.reading_examples import Example, ExampleReader, natural_sentences

SENTENCES = Path(__file__).parent / "data" / "polyphones"
_N_PARTS = 5
_MIN_COUNT = 2  # examples that must show a feature
_PENALTY = 0.5
_RULES = "bf"  # what features begin with that tell what the rules say
_RULES_SCALE = 4.0  # these cost so much less than what is seen
_DOUBT = 0.5  # votes that the rules' reading has in advance
_STEPS = 60
_NATURAL_EXAMPLES = 600  # of each character
_NATURAL_WEIGHTS = (0.1, 0.3)
_SMALLEST_VOTE = 0.02


def trained(examples: Sequence[Example]) -> dict[str, CharacterModel]:
    """Fit a model for every character whose labels are two readings or more."""
    labels: defaultdict[str, set[str]] = defaultdict(set)
    by_char: defaultdict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_char[example.char].append(example)
        if example.is_labelled:
            labels[example.char].add(example.label)
    return {
        char: _fitted([example for example in by_char[char] if example.label in readings], sorted(readings))
        for char, readings in labels.items()
        if len(readings) > 1
    }


def _fitted(examples: Sequence[Example], readings: Sequence[str]) -> CharacterModel:
    counts = Counter(feature for example in examples for feature in set(example.features))
    names = sorted(feature for feature, count in counts.items() if count >= _MIN_COUNT)
    seen = _matrix(examples, {feature: index for index, feature in enumerate(names)})
    wanted = torch.tensor([readings.index(example.label) for example in examples])
    weight = torch.tensor([example.weight for example in examples], dtype=torch.float64)
    votes = torch.zeros(len(names), len(readings), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(readings), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([votes, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        scores = torch.sparse.mm(seen, votes) + bias
        misfit = torch.nn.functional.cross_entropy(scores, wanted, reduction="none") @ weight
        total = misfit + _PENALTY * (votes.square().sum() + 1e-3 * bias.square().sum())
        total.backward()
        return total

    optimizer.step(loss)
    rows = {f"b{reading}": [0.0] * len(readings) for reading in readings}
    for feature, row in zip(names, votes.tolist(), strict=True):
        rows[feature] = [_scale(feature) * vote for vote in row]
    for index, reading in enumerate(readings):
        rows[f"b{reading}"][index] += _DOUBT
    kept = {
        feature: tuple(round(vote, 2) for vote in row)
        for feature, row in rows.items()
        if max(row) - min(row) >= _SMALLEST_VOTE
    }
    return CharacterModel(tuple(readings), kept, tuple(round(value, 2) for value in bias.tolist()))


def _matrix(examples: Sequence[Example], columns: Mapping[str, int]) -> Tensor:
    places = [
        (row, columns[feature], _scale(feature))
        for row, example in enumerate(examples)
        for feature in dict.fromkeys(example.features)
        if feature in columns
    ]
    rows, at, values = zip(*places, strict=True)
    size = (len(examples), len(columns))
    return torch.sparse_coo_tensor(
        torch.tensor([rows, at]), torch.tensor(values, dtype=torch.float64), size, check_invariants=True
    ).coalesce()


def _scale(feature: str) -> float:
    return _RULES_SCALE if feature[0] in _RULES else 1.0


def trained_with_natural(
    examples: Sequence[Example], natural: Sequence[Example]
) -> dict[str, CharacterModel]:
    """Fit models to labelled sentences and to how common readings are in natural ones."""
    first = trained([*examples, *(replace(example, weight=_NATURAL_WEIGHTS[0]) for example in natural)])
    relabelled = [
        replace(example, label=chosen(first, example), weight=_NATURAL_WEIGHTS[1]) for example in natural
    ]
    return trained([*examples, *relabelled])


def packed(models: Mapping[str, CharacterModel]) -> bytes:
    """Return the file that `ReadingModel.unpacked` reads."""
    lines = (
        json.dumps([char, model.readings, model.bias, model.votes], ensure_ascii=False, separators=(",", ":"))
        for char, model in sorted(models.items())
    )
    return lzma.compress("\n".join(lines).encode())  # a higher preset costs the server 64 MB while it reads


def chosen(models: Mapping[str, CharacterModel], example: Example) -> str:
    """Return the reading that the models give an example, or the rules' where they have nothing to say."""
    model = models.get(example.char)
    if model is None or example.by_rules not in model.readings:
        return example.by_rules
    return model.choose(iter(example.features))


def left_out(examples: Sequence[Example], natural: Sequence[Example]) -> Iterator[tuple[Example, str]]:
    """Yield every example with the reading that it gets from models which have not seen its sentence."""
    parts: list[list[Example]] = [[] for _ in range(_N_PARTS)]
    for example in examples:
        parts[zlib.crc32(example.sentence.encode()) % _N_PARTS].append(example)
    for part in parts:
        models = trained_with_natural(
            [example for other in parts if other is not part for example in other], natural
        )
        for example in part:
            yield example, chosen(models, example)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.polyphones", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, help="train on all sentences and write the model to this file")
    parser.add_argument("--natural", type=Path, nargs="+", required=True, metavar="FILE", help="natural text")
    parser.add_argument("--sentences", type=Path, default=SENTENCES, metavar="FOLDER", help="labelled ones")
    options = parser.parse_args(arguments)
    reader = ExampleReader()
    examples = [
        example for path in sorted(options.sentences.glob("*.tsv")) for example in reader.labelled(path)
    ]
    chars = {example.char for example in examples}
    natural = reader.natural(natural_sentences(options.natural), chars, _NATURAL_EXAMPLES)
    if options.out is not None:
        options.out.write_bytes(packed(trained_with_natural(examples, natural)))
        return 0
    found = list(left_out(examples, natural))
    n_rules = sum(example.by_rules == example.label for example, _ in found)
    n_model = sum(reading == example.label for example, reading in found)
    sys.stdout.write(
        f"{len(found)} characters in sentences left out: right by dictionaries and rules "
        f"{n_rules / len(found):.1%}, by the model {n_model / len(found):.1%}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
