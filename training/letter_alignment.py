"""Align the letters of words with their phones: pairs of one or two letters and none to two phones.

Input   words with their ARPAbet symbols
Output  for each word that can be aligned its pairs, in order; joined together they give both sides back
State   none; the same words give the same pairs
Unaware of what is learnt from the pairs.

Expectation-maximisation over all ways to cut a word (Jiampojamarn et al., 2007), all words of the same two
lengths at once. Stress does not count: `AE0` and `AE1` are the same sound of the same letter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pair = tuple[str, str]  # letters, and ARPAbet symbols parted by spaces

_MOVES = ((1, 0), (1, 1), (1, 2), (2, 1))  # letters and phones that one pair may hold
_ITERATIONS = 8  # afterwards the likelihood grows by less than 0.2 % each
_N_LETTERS = 26


@dataclass(frozen=True, slots=True)
class _Lattices:
    """All words of n letters and m phones: what each pair in each place would be.

    Attributes:
        words: In the order of the columns.
        pairs: Place (letters and phones before it) and move -> index of the pair, [n_words].
        n_letters: Of each word.
        n_phones: Of each word.
    """

    words: list[str]
    pairs: dict[tuple[int, int, int, int], NDArray[np.int64]]
    n_letters: int
    n_phones: int


def align(words: Mapping[str, Sequence[str]]) -> dict[str, list[Pair]]:
    """Return the likeliest pairs of each word of a-z; those with too many phones are left out."""
    phones = sorted({symbol.rstrip("012") for symbols in words.values() for symbol in symbols})
    n_pairs = (_N_LETTERS + _N_LETTERS**2) * (1 + len(phones) + len(phones) ** 2)
    lattices = _lattices(words, {phone: index for index, phone in enumerate(phones)})
    weights = np.ones(n_pairs)
    for _ in range(_ITERATIONS):
        counts = np.zeros(n_pairs)
        for lattice in lattices:
            _add_expected(counts, lattice, weights)
        weights = counts / counts.sum()
    with np.errstate(divide="ignore"):
        scores = np.log(weights)
    aligned: dict[str, list[Pair]] = {}
    for lattice in lattices:
        aligned |= _best_pairs(lattice, scores, words)
    return aligned


def _lattices(words: Mapping[str, Sequence[str]], phone_index: Mapping[str, int]) -> list[_Lattices]:
    groups: dict[tuple[int, int], list[str]] = {}
    for word, symbols in words.items():
        if len(symbols) <= 2 * len(word):
            groups.setdefault((len(word), len(symbols)), []).append(word)
    lattices: list[_Lattices] = []
    for (n_letters, n_phones), group in groups.items():
        letters = np.array([[ord(letter) - ord("a") for letter in word] for word in group])
        sounds = np.array([[phone_index[symbol.rstrip("012")] for symbol in words[word]] for word in group])
        pairs = {
            (at, spoken, *move): _pair_index(
                letters[:, at : at + move[0]], sounds[:, spoken : spoken + move[1]], len(phone_index)
            )
            for at in range(n_letters)
            for spoken in range(n_phones + 1)
            for move in _MOVES
            if at + move[0] <= n_letters and spoken + move[1] <= n_phones
        }
        lattices.append(_Lattices(group, pairs, n_letters, n_phones))
    return lattices


def _pair_index(letters: NDArray[np.int64], sounds: NDArray[np.int64], n_phones: int) -> NDArray[np.int64]:
    """Return the indices of pairs, given letters [n_words, 1 or 2] and phones [n_words, 0 to 2]."""
    of_letters = letters[:, 0]
    if letters.shape[1] == 2:
        of_letters = _N_LETTERS * (1 + letters[:, 0]) + letters[:, 1]
    of_sounds = np.zeros(len(letters), np.int64)
    if sounds.shape[1] == 1:
        of_sounds = 1 + sounds[:, 0]
    elif sounds.shape[1] == 2:
        of_sounds = 1 + n_phones * (1 + sounds[:, 0]) + sounds[:, 1]
    return of_letters * (1 + n_phones + n_phones**2) + of_sounds


def _add_expected(counts: NDArray[np.float64], lattice: _Lattices, weights: NDArray[np.float64]) -> None:
    """Add to `counts` how often each pair is expected in these words: forward and backward sums."""
    shape = (lattice.n_letters + 1, lattice.n_phones + 1, len(lattice.words))
    before, after = np.zeros(shape), np.zeros(shape)
    before[0, 0] = after[-1, -1] = 1.0
    for (at, spoken, n_letters, n_phones), pair in lattice.pairs.items():
        before[at + n_letters, spoken + n_phones] += before[at, spoken] * weights[pair]
    for (at, spoken, n_letters, n_phones), pair in reversed(lattice.pairs.items()):
        after[at, spoken] += after[at + n_letters, spoken + n_phones] * weights[pair]
    total = before[-1, -1]
    share = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    for (at, spoken, n_letters, n_phones), pair in lattice.pairs.items():
        through = before[at, spoken] * weights[pair] * after[at + n_letters, spoken + n_phones]
        np.add.at(counts, pair, through * share)


def _best_pairs(
    lattice: _Lattices, scores: NDArray[np.float64], words: Mapping[str, Sequence[str]]
) -> dict[str, list[Pair]]:
    shape = (lattice.n_letters + 1, lattice.n_phones + 1, len(lattice.words))
    best, last_move = np.full(shape, -np.inf), np.zeros(shape, np.int64)
    best[0, 0] = 0.0
    for (at, spoken, n_letters, n_phones), pair in lattice.pairs.items():
        end = (at + n_letters, spoken + n_phones)
        score = best[at, spoken] + scores[pair]
        last_move[end] = np.where(score > best[end], _MOVES.index((n_letters, n_phones)), last_move[end])
        best[end] = np.maximum(best[end], score)
    found: dict[str, list[Pair]] = {}
    for column, word in enumerate(lattice.words):
        if best[-1, -1, column] > -np.inf:
            found[word] = _traced(last_move[..., column], word, words[word])
    return found


def _traced(last_move: NDArray[np.int64], word: str, symbols: Sequence[str]) -> list[Pair]:
    """Return the pairs of one word from its last moves [n_letters + 1, n_phones + 1], end to start."""
    at, spoken = len(word), len(symbols)
    pairs: list[Pair] = []
    while at or spoken:
        n_letters, n_phones = _MOVES[last_move[at, spoken]]
        pairs.append((word[at - n_letters : at], " ".join(symbols[spoken - n_phones : spoken])))
        at, spoken = at - n_letters, spoken - n_phones
    return pairs[::-1]
