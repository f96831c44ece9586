"""Noise that is addressed by position instead of drawn from a stream.

Input   a seed and sample positions
Output  float64 noise; the same seed and position always give the same value
State   none: that is the point. Any cut of an utterance into blocks sees the same noise.

The hash is SplitMix64 (Steele, Lea, Flood 2014): its output for counter n is a bijective mix of
seed + n * golden gamma, so it can be evaluated at any n.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
WORD_MASK = (1 << 64) - 1

UnsignedArray = NDArray[np.uint64]
DoubleArray = NDArray[np.float64]


def _mix(state: UnsignedArray) -> UnsignedArray:
    """Mix in place, without an array per operation."""
    state ^= state >> np.uint64(30)
    state *= MIX_1
    state ^= state >> np.uint64(27)
    state *= MIX_2
    state ^= state >> np.uint64(31)
    return state


def stream_key(seed: int, stream: int) -> np.uint64:
    """Derive the key of one of several independent noise streams of a seed."""
    words = np.array([seed & WORD_MASK, stream & WORD_MASK], dtype=np.uint64)
    mixed = _mix((words + np.uint64(1)) * GOLDEN_GAMMA)
    return np.uint64(_mix(np.array([mixed[0] ^ (mixed[1] << np.uint64(1))], dtype=np.uint64))[0])


def hash_uniform(key: np.uint64, positions: NDArray[np.int64]) -> DoubleArray:
    """Uniform values in [0, 1) of 53 bits, one per position (negative positions are legal)."""
    counter = positions.astype(np.int64).view(np.uint64)
    counter *= GOLDEN_GAMMA
    counter += key
    bits = _mix(counter)
    bits >>= np.uint64(11)
    return np.multiply(bits, 2.0**-53, dtype=np.float64)


def uniform_noise(key: np.uint64, positions: NDArray[np.int64]) -> DoubleArray:
    """White uniform noise of mean 0 and variance 1, one value per position."""
    return (hash_uniform(key, positions) - 0.5) * float(np.sqrt(12.0))


def normal_noise(key: np.uint64, positions: NDArray[np.int64]) -> DoubleArray:
    """White Gaussian noise of mean 0 and variance 1 (Box-Muller on two values per position)."""
    radius = np.sqrt(-2.0 * np.log1p(-hash_uniform(key, 2 * positions)))
    turn = hash_uniform(key, 2 * positions + 1)
    return np.asarray(radius * np.cos(2.0 * np.pi * turn), np.float64)
