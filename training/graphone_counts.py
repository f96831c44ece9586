"""Learn how likely a graphone is after those before it, and pack it for `streaming.text.graphones`.

Input   words as sequences of pairs (letters, sounds), from training.letter_alignment
Output  the packed model
State   none; the same sequences give the same bytes
Unaware of English.

An n-gram model with interpolated, modified Kneser-Ney smoothing (Chen & Goodman, 1999). N-grams that change
the likelihood of the training data by next to nothing are dropped (Seymore & Rosenfeld, 1996), but never one
that a longer one needs, as its beginning or its end.
"""

from __future__ import annotations

import io
import lzma
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.text.graphones import COST_STEPS, END, START
from training.letter_alignment import Pair

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ORDER = 6  # 8 reads no more words right
_MIN_COUNT = 5  # rarer graphones are slips of the alignment; words that have one are left out
_MIN_GAIN = 2e-7  # nats per graphone that an n-gram must be worth
_MIN_PROBABILITY = 1e-13


@dataclass(slots=True)
class _Level:
    """All n-grams of one length, in the order of their beginnings, then of their last graphones.

    Attributes:
        parent: Index of the beginning (all but the last graphone) in the level below.
        graphone: The last graphone.
        shorter: Index of the end (all but the first graphone) in the level below.
        count: How often it was seen.
        starts: Whether it begins a word.
        probability: Of the last graphone after the beginning.
        backoff: What of the probability after this n-gram is left to shorter contexts.
    """

    parent: Ints
    graphone: Ints
    shorter: Ints
    count: Ints
    starts: NDArray[np.bool_]
    probability: Floats
    backoff: Floats


def packed_model(words: Sequence[Sequence[Pair]]) -> bytes:
    """Count, smooth, prune and pack."""
    counts = Counter(pair for word in words for pair in word)
    kept = [word for word in words if all(counts[pair] >= _MIN_COUNT for pair in word)]
    graphones = [("", ""), ("^", ""), *sorted(pair for pair in counts if counts[pair] >= _MIN_COUNT)]
    index = {pair: number for number, pair in enumerate(graphones)}
    sequences = [[START, *(index[pair] for pair in word), END] for word in kept]
    levels = _counted(sequences, len(graphones))
    _smooth(levels)
    return _packed(graphones, _pruned(levels))


def _root(n_tokens: int) -> _Level:
    zero = np.zeros(1, np.int64)
    return _Level(zero, zero, zero, np.array([n_tokens]), np.zeros(1, bool), np.ones(1), np.ones(1))


def _counted(sequences: Sequence[Sequence[int]], n_graphones: int) -> list[_Level]:
    """Return the levels from the root (no graphone) to the longest; no n-gram goes past a word."""
    tokens = np.concatenate([np.array(sequence) for sequence in sequences])
    places = np.concatenate([np.arange(len(sequence)) for sequence in sequences])
    levels = [_root(len(tokens))]
    ending_here = np.zeros(len(tokens), np.int64)  # index of the n-gram that ends at each token
    for order in range(1, _ORDER + 1):
        inside = places >= order - 1
        beginning = np.roll(ending_here, 1) if order > 1 else ending_here
        keys, which, count = np.unique(
            (beginning * n_graphones + tokens)[inside], return_inverse=True, return_counts=True
        )
        shorter, starts = np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
        shorter[which], starts[which] = ending_here[inside], places[inside] == order - 1
        unknown = np.ones(len(keys))
        levels.append(
            _Level(keys // n_graphones, keys % n_graphones, shorter, count, starts, unknown, unknown.copy())
        )
        ending_here = np.full(len(tokens), -1)
        ending_here[inside] = which
    return levels


def _smooth(levels: list[_Level]) -> None:
    """Set probabilities and back-offs; shorter n-grams count in how many contexts they were seen."""
    for order in range(1, len(levels)):
        level, below = levels[order], levels[order - 1]
        count = level.count.astype(float)
        if order + 1 < len(levels):
            contexts = np.bincount(levels[order + 1].shorter, minlength=len(count))
            count = np.where(level.starts, count, contexts)
        if order == 1:
            count[START] = 0.0  # it is never predicted
        discount = _discounts(count)[np.minimum(count, 3).astype(int)]
        n_below = len(below.count)
        total = np.bincount(level.parent, count, n_below)
        below.backoff = np.divide(
            np.bincount(level.parent, discount, n_below), total, out=np.ones(n_below), where=total > 0
        )
        lower = below.probability[level.shorter] if order > 1 else 1.0 / len(count)
        own = (count - discount) / np.maximum(total, 1e-9)[level.parent]
        level.probability = own + below.backoff[level.parent] * lower


def _discounts(count: Floats) -> Floats:
    """Return what is taken off n-grams that were seen 0, 1, 2 and more times."""
    seen = [float((count == times).sum()) for times in range(5)]
    once = seen[1] / max(seen[1] + 2.0 * seen[2], 1.0)
    found = [
        times - (times + 1) * once * seen[times + 1] / max(seen[times], 1.0) if times else 0.0
        for times in range(4)
    ]
    return np.clip(found, 0.0, [0.0, 1.0, 2.0, 3.0])


def _pruned(levels: list[_Level]) -> list[_Level]:
    """Drop what is worth little, longest first, and set the back-offs anew."""
    kept = [np.ones(len(level.count), bool) for level in levels]
    for order in range(len(levels) - 1, 1, -1):
        level, below = levels[order], levels[order - 1]
        backed_off = below.backoff[level.parent] * below.probability[level.shorter]
        joint = below.count[level.parent] / levels[0].count[0] * level.probability
        kept[order] = joint * np.log(level.probability / backed_off) > _MIN_GAIN
        if order + 1 < len(levels):
            longer = levels[order + 1]
            kept[order][longer.parent[kept[order + 1]]] = True
            kept[order][longer.shorter[kept[order + 1]]] = True
    pruned = [levels[0]]
    for order in range(1, len(levels)):
        level, keep = levels[order], kept[order]
        place = np.cumsum(kept[order - 1]) - 1
        pruned.append(
            _Level(
                place[level.parent[keep]],
                level.graphone[keep],
                place[level.shorter[keep]],
                level.count[keep],
                level.starts[keep],
                level.probability[keep],
                np.ones(int(keep.sum())),
            )
        )
        _set_backoff(pruned[-2], pruned[-1], is_root=order == 1)
    return pruned


def _set_backoff(below: _Level, level: _Level, *, is_root: bool) -> None:
    """Let what the children leave be shared as the shorter context shares it."""
    n_below = len(below.count)
    taken = np.bincount(level.parent, level.probability, n_below)
    lower = np.zeros(len(level.count)) if is_root else below.probability[level.shorter]
    taken_lower = np.bincount(level.parent, lower, n_below)
    has_children = np.bincount(level.parent, minlength=n_below) > 0
    left = np.maximum(1.0 - taken, 1e-6) / np.maximum(1.0 - taken_lower, 1e-6)
    below.backoff = np.where(has_children, left, 1.0)


def _packed(graphones: Sequence[Pair], levels: Sequence[_Level]) -> bytes:
    nodes = levels[1:]
    graphone = np.concatenate([level.graphone for level in nodes])
    sizes = np.array([len(level.count) for level in nodes])
    n_children = np.concatenate(
        [
            np.bincount(above.parent, minlength=len(level.count))
            for level, above in zip(levels, nodes, strict=False)
        ]
        + [np.zeros(sizes[-1], np.int64)]
    )
    steps = np.diff(graphone, prepend=0)
    first = np.cumsum(n_children) - n_children
    firsts = first[n_children > 0]
    steps[firsts] = graphone[firsts]
    arrays = {
        "graphones": np.frombuffer("\n".join(" ".join(pair) for pair in graphones).encode(), np.uint8),
        "level_sizes": sizes.astype(np.int64),
        "n_children": n_children.astype(np.uint16),
        "graphone_steps": steps.astype(np.uint16),
        "cost": _steps(np.concatenate([level.probability for level in levels]), 0, 255).astype(np.uint8),
        "backoff": _steps(np.concatenate([level.backoff for level in levels]), -128, 127).astype(np.int8),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return lzma.compress(buffer.getvalue(), preset=6 | lzma.PRESET_EXTREME)


def _steps(probability: Floats, lowest: int, highest: int) -> Floats:
    costs = -np.log(np.maximum(probability, _MIN_PROBABILITY)) * COST_STEPS
    return np.clip(np.round(costs), lowest, highest)
