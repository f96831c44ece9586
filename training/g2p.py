"""Train and measure the model that reads English words which the dictionary lacks.

    python -m training.g2p                                               # measure on words left out
    python -m training.g2p --out streaming/text/data/graphones.npz.xz    # the model that ships, of all words

Input   the CMU dictionary in streaming/text/data
Output  word and phone error rates on the terminal; with --out, the model's file
State   none; both are the same on every run

A word is left out by a hash of its first five letters, so that its inflections go with it. Variants are not
used.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from streaming.text.english import EnglishLexicon
from streaming.text.graphones import GraphoneModel
from training.graphone_counts import packed_model
from training.letter_alignment import align
from training.recogniser import edit_distance

_PREFIX = 5  # letters
_HELD_OUT = 18  # thousandths of the prefixes


def dictionary() -> dict[str, list[str]]:
    """Words of two or more letters a-z, and their symbols."""
    lexicon = EnglishLexicon()
    lexicon.warm_up()
    return {
        word: symbols.split()
        for word, symbols in lexicon.entries().items()
        if len(word) > 1 and word.isascii() and word.isalpha()
    }


def is_held_out(word: str) -> bool:
    """Tell whether a word is among those that are measured with."""
    digest = hashlib.sha256(word[:_PREFIX].encode()).digest()
    return int.from_bytes(digest[:4], "big") % 1000 < _HELD_OUT


def error_rates(
    found: Mapping[str, Sequence[str]], expected: Mapping[str, Sequence[str]]
) -> tuple[float, float]:
    """Return the shares of words that have an error, and of phones that are wrong, missing or too many."""
    distances = [edit_distance(found[word], symbols) for word, symbols in expected.items()]
    n_phones = sum(map(len, expected.values()))
    return sum(map(bool, distances)) / len(distances), sum(distances) / n_phones


def unstressed(words: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the words without stress digits."""
    return {word: [symbol.rstrip("012") for symbol in symbols] for word, symbols in words.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.g2p", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, help="train on all words and write the model to this file")
    options = parser.parse_args(arguments)
    words = dictionary()
    if options.out is not None:
        options.out.write_bytes(packed_model(list(align(words).values())))
        return 0
    expected = {word: symbols for word, symbols in words.items() if is_held_out(word)}
    aligned = align({word: symbols for word, symbols in words.items() if word not in expected})
    packed = packed_model(list(aligned.values()))
    model = GraphoneModel.unpacked(packed)
    begun_s = time.perf_counter()
    found = {word: model.sound_out(word) for word in expected}
    ms = 1000.0 * (time.perf_counter() - begun_s) / len(expected)
    report = [
        f"{len(aligned)} words learnt, {len(expected)} words read, {len(packed)} bytes, {ms:.2f} ms a word"
    ]
    for name, rates in (
        ("with stress", error_rates(found, expected)),
        ("without", error_rates(unstressed(found), unstressed(expected))),
    ):
        report.append(f"{name}: {rates[0]:.1%} of the words wrong, {rates[1]:.1%} of the phones")
    sys.stdout.write("\n".join(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
