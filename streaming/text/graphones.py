"""Guess how an English word sounds from its letters, for words that no dictionary has.

Input   a word of a-z
Output  ARPAbet symbols with stress digits, one of them the primary stress, not yet cut into syllables
State   the model, read once per process by `load`, only read afterwards; a bounded memo of words
Unaware of dictionaries, capitals and whether anybody would read the word at all.

Letters and sounds are one sequence of graphones (Bisani & Ney, 2008): one or two letters with none to two
phones, `ph F`, `x K S`, `e -`. The model tells how likely a graphone is after those before it, with back-off;
the best sequence whose letters are the word is found by a beam search from left to right. `training/g2p.py`
makes it.
"""

from __future__ import annotations

import io
import lzma
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

COST_STEPS = 8  # costs are whole eighths of a nat: finer ones read no word better
END, START = 0, 1  # graphones without letters, which every model has first
_FILE = "graphones.npz.xz"
_BEAM = 24  # paths that are followed at each letter
_BEAM_COST = (
    6 * COST_STEPS
)  # … if they are not this much worse than the best: twice both gains 0.2 % of the words
_VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())

_Path = tuple[int, "_Path | None", int]  # its cost, the path that it continues, its last graphone


@dataclass(frozen=True, slots=True)
class GraphoneModel:
    """N-grams as a tree: a node is a sequence of graphones, its children are what was seen after it.

    Nodes are ordered by length, then by parent, then by graphone. Graphones are ordered by their letters.

    Attributes:
        letters: Of each graphone.
        sounds: ARPAbet symbols of each graphone.
        n_primary: How many of them have the primary stress.
        of_letter: A letter -> the range of the graphones that begin with it.
        graphone: The last of each node's sequence.
        cost: Of that graphone after those before it, in steps.
        backoff: What it costs to forget the first graphone of the sequence, in steps.
        first_child: Of each node, and one more for the end of the last.
        shorter: The node without the first graphone.
        context: The longest end of the sequence that has children.
    """

    letters: tuple[str, ...]
    sounds: tuple[tuple[str, ...], ...]
    n_primary: tuple[int, ...]
    of_letter: dict[str, tuple[int, int]]
    graphone: array[int]
    cost: array[int]
    backoff: array[int]
    first_child: array[int]
    shorter: array[int]
    context: array[int]

    @classmethod
    def unpacked(cls, packed: bytes) -> GraphoneModel:
        """Read what `training.graphone_counts` wrote."""
        with np.load(io.BytesIO(lzma.decompress(packed)), allow_pickle=False) as arrays:
            pairs = [line.partition(" ") for line in arrays["graphones"].tobytes().decode().split("\n")]
            n_children = arrays["n_children"].astype(np.int32)
            ends = 1 + np.cumsum(n_children, dtype=np.int32)
            starts = ends - n_children
            parent = np.repeat(np.arange(len(n_children), dtype=np.int32), n_children)
            graphone = _undone_differences(arrays["graphone_steps"].astype(np.int32), starts, parent)
            shorter = _shorter(parent, graphone, arrays["level_sizes"], len(pairs))
            letters = tuple(pair[0] for pair in pairs)
            return cls(
                letters=letters,
                sounds=tuple(tuple(pair[2].split()) for pair in pairs),
                n_primary=tuple(pair[2].count("1") for pair in pairs),
                of_letter=_ranges(letters),
                graphone=array("H", graphone.astype(np.uint16).tobytes()),
                cost=array("B", arrays["cost"].tobytes()),
                backoff=array("b", arrays["backoff"].tobytes()),
                first_child=array("i", np.append(starts, ends[-1]).tobytes()),
                shorter=array("i", shorter.tobytes()),
                context=array("i", _contexts(shorter, n_children, arrays["level_sizes"]).tobytes()),
            )

    def sound_out(self, word: str) -> list[str]:
        """Return the likeliest symbols of a word of a-z; time and memory grow with its length, not faster."""
        columns: list[dict[tuple[int, int], _Path]] = [{} for _ in range(len(word) + 1)]
        columns[0][self._child(0, START), 0] = (0, None, START)
        for at, letter in enumerate(word):
            paths = sorted(columns[at].items(), key=_cost_of)[:_BEAM]
            for (node, n_primary), path in paths:
                if path[0] > paths[0][1][0] + _BEAM_COST:
                    break
                for graphone, cost, following in self._following(node, self.of_letter[letter]):
                    spelling, stresses = self.letters[graphone], n_primary + self.n_primary[graphone]
                    if stresses > 1 or not word.startswith(spelling, at):
                        continue
                    column = columns[at + len(spelling)]
                    if (known := column.get((following, stresses))) is None or known[0] > path[0] + cost:
                        column[following, stresses] = (path[0] + cost, path, graphone)
        return self._sounds_of(self._best(columns[-1]))

    def _following(self, node: int, graphones: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
        """Yield the graphones of a range after a context, their costs, and the contexts they lead to."""
        seen: set[int] = set()
        backoff = 0
        while True:
            end = self.first_child[node + 1]
            child = bisect_left(self.graphone, graphones[0], self.first_child[node], end)
            while child < end and (graphone := self.graphone[child]) < graphones[1]:
                if graphone not in seen:
                    seen.add(graphone)
                    yield graphone, backoff + self.cost[child], self.context[child]
                child += 1
            if not node:
                return
            backoff += self.backoff[node]
            node = self.shorter[node]

    def _best(self, column: dict[tuple[int, int], _Path]) -> _Path:
        """Return the best whole path, with a primary stress if there is one."""
        endings: list[tuple[bool, int, _Path]] = []
        for (node, n_primary), path in column.items():
            _, cost, _ = next(self._following(node, (END, END + 1)))
            endings.append((not n_primary, path[0] + cost, path))
        return min(endings, key=lambda ending: ending[:2])[2]

    def _sounds_of(self, path: _Path | None) -> list[str]:
        pieces: list[tuple[str, ...]] = []
        while path is not None:
            pieces.append(self.sounds[path[2]])
            path = path[1]
        return [sound for piece in reversed(pieces) for sound in piece]

    def _child(self, node: int, graphone: int) -> int:
        return bisect_left(self.graphone, graphone, self.first_child[node], self.first_child[node + 1])


def load() -> None:
    """Read the model (0.2 s, 15 MB); does nothing the second time."""
    _shipped_model()


@lru_cache(maxsize=4096)
def sound_out(word: str) -> tuple[str, ...]:
    """Return the ARPAbet symbols of a word of a-z, with exactly one primary stress. Thread-safe."""
    sounds = _shipped_model().sound_out(word)
    if any(sound.endswith("1") for sound in sounds):
        return tuple(sounds)
    vowels = [index for index, sound in enumerate(sounds) if sound.rstrip("012") in _VOWELS]
    if not vowels:  # nothing that can be spoken by itself: hm, pst
        return ("AH1", *sounds)
    sounds[vowels[0]] = f"{sounds[vowels[0]].rstrip('012')}1"
    return tuple(sounds)


@cache
def _shipped_model() -> GraphoneModel:
    return GraphoneModel.unpacked(files("streaming.text").joinpath("data", _FILE).read_bytes())


def _cost_of(entry: tuple[tuple[int, int], _Path]) -> int:
    return entry[1][0]


def _ranges(letters: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    ranges: dict[str, tuple[int, int]] = {}
    for index, spelling in enumerate(letters):
        if index > START:
            ranges[spelling[0]] = (ranges.get(spelling[0], (index, 0))[0], index + 1)
    return ranges


def _undone_differences(
    steps: NDArray[np.int32], starts: NDArray[np.int32], parent: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return the graphone of each node from its distance to the sibling before it; the root has none."""
    sums = np.concatenate([np.zeros(1, np.int32), np.cumsum(steps, dtype=np.int32)])
    graphone = np.zeros(len(steps) + 1, np.int32)
    graphone[1:] = sums[1:] - sums[starts[parent] - 1]
    return graphone


def _shorter(
    parent: NDArray[np.int32], graphone: NDArray[np.int32], level_sizes: NDArray[np.int64], n_graphones: int
) -> NDArray[np.int32]:
    """Return for each node the one without its first graphone: a child of the parent's shorter one."""
    shorter = np.zeros(len(graphone), np.int32)
    keys = np.full(len(graphone), -1, np.int64)  # ascending, as the nodes are
    keys[1:] = parent * np.int64(n_graphones) + graphone[1:]
    begin, end = 1, 1 + int(level_sizes[0])
    for size in level_sizes[1:]:
        begin, end = end, end + int(size)
        wanted = shorter[parent[begin - 1 : end - 1]] * np.int64(n_graphones) + graphone[begin:end]
        shorter[begin:end] = np.searchsorted(keys, wanted)
    return shorter


def _contexts(
    shorter: NDArray[np.int32], n_children: NDArray[np.int32], level_sizes: NDArray[np.int64]
) -> NDArray[np.int32]:
    context = np.where(n_children > 0, np.arange(len(n_children), dtype=np.int32), np.int32(-1))
    begin, end = 0, 1
    for size in level_sizes:
        begin, end = end, end + int(size)
        own = context[begin:end]
        context[begin:end] = np.where(own < 0, context[shorter[begin:end]], own)
    return context
