"""Numba on the CPU: the decoder step as one compiled function, with its weights in 8 bits.

Input   a file of decoder weights, a Choice
Output  NumbaDecoder
State   the weights; none per stream
A decoder step is some eighty operations on a few hundred numbers each: a runtime that goes from one to the
next spends most of its time between them, and on fetching weights that do not stay in the second-level cache.
Here there is nothing in between, and the weights are a quarter of the size. Arithmetic is in float32.

The code is compiled for the processor that it runs on when a decoder is first opened (some seconds), and kept
in numba's cache for the next time: beside this file or in the user's cache folder, or in NUMBA_CACHE_DIR. It
checks no bounds: `NumbaDecoder` does.

A row of a batch goes through the same operations in the same order as the same row alone: the same bits.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from streaming.engines.choice import Choice
from streaming.engines.decoder_weights import (
    EPSILON,
    MULTIPLE,
    DecoderWeights,
    Linear,
    Norm,
    load_decoder_weights,
)
from streaming.errors import EngineError, SynthesisError
from streaming.synthesis.engine import Array
from streaming.types import FloatArray

UNROLLED = 4  # inputs of a product that are taken at once: the loop in `_linear` has as many terms
INPUTS = ("prev", "row", "mem_k", "mem_v", "mem_mask", "self_k", "self_v", "self_mask")
NAMES = frozenset(INPUTS)
WINDOW_AXES = 5
NO_WINDOW = (0, 0, 0, 0, 0)
LOWEST = np.float32(np.finfo(np.float32).min)

# What the compiler may do for speed. Nowhere `nnan` and `ninf`: masks are infinite, and a stream that goes
# wrong is known by what is not a number. Sums in another order only where nothing is written: a loop that
# writes has a second form, for arrays that lie close to each other, and both must round alike.
FAST = {"contract", "nsz", "arcp"}
ANY_ORDER = FAST | {"reassoc"}
N_SIZES = 4
# A RuntimeError is numba's when it finds no folder; the others come from reading and writing files.
CACHE_ERRORS = (RuntimeError, OSError, EOFError, ValueError, pickle.PickleError)
Step = Callable[..., tuple[FloatArray, FloatArray, FloatArray]]
logger = logging.getLogger(__name__)

f32 = np.float32
jit = numba.njit(nogil=True, fastmath=FAST, error_model="numpy")
jit_sum = numba.njit(nogil=True, fastmath=ANY_ORDER, error_model="numpy")


@jit
def _whole(n):  # type: ignore[no-untyped-def]
    """Return the least length for n inputs that the loop in `_linear` can take."""
    return -(-n // UNROLLED) * UNROLLED


@jit
def _linear(x, y, weights, floats, at):  # type: ignore[no-untyped-def]
    """Set y to scale * (x @ weight) + bias, of what stands at `at`; return where the next weights stand.

    By columns: sums that stand side by side need no adding up at the end.
    """
    n_in, n_out = x.size, y.size
    weight = weights[at[0] : at[0] + n_in * n_out].reshape(n_in, n_out)
    scale, bias = floats[at[1] : at[1] + n_out], floats[at[1] + n_out : at[1] + 2 * n_out]
    for o in range(n_out):
        y[o] = f32(0.0)
    for i in range(0, n_in, UNROLLED):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        for o in range(n_out):
            y[o] += (
                a * f32(weight[i, o])
                + b * f32(weight[i + 1, o])
                + c * f32(weight[i + 2, o])
                + d * f32(weight[i + 3, o])
            )
    for o in range(n_out):
        y[o] = y[o] * scale[o] + bias[o]
    return at[0] + n_in * n_out, at[1] + 2 * n_out


@jit_sum
def _dot(x, y):  # type: ignore[no-untyped-def]
    total = f32(0.0)
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@jit_sum
def _mean(x):  # type: ignore[no-untyped-def]
    total = f32(0.0)
    for i in range(x.size):
        total += x[i]
    return total / f32(x.size)


@jit_sum
def _variance(x, mean):  # type: ignore[no-untyped-def]
    total = f32(0.0)
    for i in range(x.size):
        total += (x[i] - mean) * (x[i] - mean)
    return total / f32(x.size)


@jit
def _rectify(x):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        x[i] = max(x[i], f32(0.0))


@jit
def _add(x, y):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        x[i] += y[i]


@jit
def _normalise(x, y, floats, at, epsilon):  # type: ignore[no-untyped-def]
    """Set y to the layer normalisation of x; return where the next weights stand."""
    n = x.size
    gain, bias = floats[at[1] : at[1] + n], floats[at[1] + n : at[1] + 2 * n]
    mean = _mean(x)
    factor = f32(1.0) / np.sqrt(_variance(x, mean) + epsilon)
    for i in range(n):
        y[i] = (x[i] - mean) * factor * gain[i] + bias[i]
    return at[0], at[1] + 2 * n


@jit
def _attend(query, keys, values, mask, scores, mixed):  # type: ignore[no-untyped-def]
    """Set mixed [H, dh] to what query [H, dh] finds in keys and values [H, W, dh]; mask [W] is additive."""
    n_heads, n_slots, size = keys.shape
    for h in range(n_heads):
        highest = LOWEST
        for w in range(n_slots):
            scores[w] = _dot(query[h], keys[h, w]) + mask[w]
            highest = max(highest, scores[w])
        total = f32(0.0)
        for w in range(n_slots):
            scores[w] = np.exp(scores[w] - highest)
            total += scores[w]
        for i in range(size):
            mixed[h, i] = f32(0.0)
        for w in range(n_slots):
            share = scores[w] / total
            for i in range(size):
                mixed[h, i] += share * values[h, w, i]


@jit
def _shift(before, newest, after):  # type: ignore[no-untyped-def]
    """Set after [H, W, dh] to before without its oldest slot, and newest [H, dh] as the last."""
    after[:, :-1] = before[:, 1:]
    after[:, -1] = newest


def _step(  # type: ignore[no-untyped-def]
    prev, row, mem_k, mem_v, mem_mask, self_k, self_v, self_mask, weights, floats, sizes, epsilon
):
    """The `decoder` contract; weights int8 and floats float32 in the order of `DecoderWeights.parts`.

    sizes: of the prenet's two layers, of the feed-forward layers, and of the output; epsilon: of the
    normalisations. Both are arguments because a cached function keeps the constants of other files.
    """
    n_rows, n_layers, n_heads, n_slots, size = self_k.shape
    units, n_features, n_row = n_heads * size, prev.shape[1], row.shape[1]
    first, second, n_expanded, n_out = sizes
    frames = np.empty((n_rows, n_out), f32)
    new_k, new_v = np.empty(self_k.shape, f32), np.empty(self_v.shape, f32)
    # Inputs of products are as long as the compiled loop wants them: what is beyond their end is zero.
    frame, hidden = np.zeros(_whole(n_features), f32), np.zeros(_whole(first), f32)
    joined = np.zeros(_whole(n_row + second), f32)
    x, normal, change = np.empty(units, f32), np.empty(units, f32), np.empty(units, f32)
    projected = np.empty((3, n_heads, size), f32)
    mixed = np.empty((n_heads, 2, size), f32)
    expanded = np.empty(n_expanded, f32)
    scores = np.empty(n_slots, f32)
    for b in range(n_rows):
        at = (0, 0)
        frame[:n_features] = prev[b]
        at = _linear(frame, hidden[:first], weights, floats, at)
        _rectify(hidden)
        joined[:n_row] = row[b]
        from_prenet = joined[n_row : n_row + second]
        at = _linear(hidden, from_prenet, weights, floats, at)
        _rectify(from_prenet)
        at = _linear(joined, x, weights, floats, at)
        for layer in range(n_layers):
            at = _normalise(x, normal, floats, at, epsilon)
            at = _linear(normal, projected.reshape(3 * units), weights, floats, at)
            _shift(self_k[b, layer], projected[1], new_k[b, layer])
            _shift(self_v[b, layer], projected[2], new_v[b, layer])
            _attend(projected[0], new_k[b, layer], new_v[b, layer], self_mask[b], scores, mixed[:, 0])
            _attend(projected[0], mem_k[b, layer], mem_v[b, layer], mem_mask[b], scores, mixed[:, 1])
            at = _linear(mixed.reshape(2 * units), change, weights, floats, at)
            _add(x, change)
            at = _normalise(x, normal, floats, at, epsilon)
            at = _linear(normal, expanded, weights, floats, at)
            _rectify(expanded)
            at = _linear(expanded, change, weights, floats, at)
            _add(x, change)
        at = _normalise(x, normal, floats, at, epsilon)
        at = _linear(normal, frames[b], weights, floats, at)
    return frames, new_k, new_v


def _compiled(*, cached: bool) -> Step:
    """Compile for the types of the contract, so that no call has to wait for the compiler."""

    def read_only(dtype: Any, n_axes: int) -> Any:
        return types.Array(dtype, n_axes, "C", readonly=True)

    matrix, window = read_only(types.float32, 2), read_only(types.float32, 5)
    given = (matrix, matrix, window, window, matrix, window, window, matrix)
    sizes = types.UniTuple(types.int64, N_SIZES)  # type: ignore[no-untyped-call]
    held = (read_only(types.int8, 1), read_only(types.float32, 1), sizes, types.float32)
    compiled: Any = jit(_step)
    if cached:
        compiled.enable_caching()
    compiled.compile((*given, *held))
    compiled.disable_compile()  # another type would be an error of ours, not a reason to compile for seconds
    return cast("Step", compiled)


@cache
def decoder_step() -> Step:
    """Return the compiled step. Blocking for seconds the first time.

    Raises:
        EngineError: Numba does not compile it here.
    """
    try:
        try:
            return _compiled(cached=True)
        except CACHE_ERRORS as error:  # no folder can be written, or what lies there is broken
            logger.warning(
                "numba's cache cannot be used, so the decoder is compiled at every start: %s", error
            )
            return _compiled(cached=False)
    except numba.errors.NumbaError as error:
        raise EngineError(f"numba does not compile the decoder step: {error}") from error


def _padded(weight: NDArray[np.int8]) -> NDArray[np.int8]:
    return np.pad(weight, ((0, -weight.shape[0] % UNROLLED), (0, 0)))


def _floats(part: Linear | Norm) -> tuple[FloatArray, FloatArray]:
    return (part.scale, part.bias) if isinstance(part, Linear) else (part.gain, part.bias)


class NumbaDecoder:
    """A voice's decoder. Thread-safe."""

    def __init__(self, weights: DecoderWeights) -> None:
        """Lay weights that `load_decoder_weights` has checked out in the order in which a step reads them.

        Raises:
            EngineError: Numba does not compile the step here.
        """
        assert MULTIPLE % UNROLLED == 0
        self._step = decoder_step()
        maps = [part.weight for _, part in weights.parts() if isinstance(part, Linear)]
        flat = np.concatenate([_padded(weight).reshape(-1) for weight in maps])
        floats = np.concatenate([array for _, part in weights.parts() for array in _floats(part)])
        first, second = (one.bias.size for one in weights.prenet)
        self._n_layers = len(weights.layers)
        self._n_units = weights.entry.bias.size
        self._n_features = weights.prenet[0].weight.shape[0]
        self._n_row = weights.entry.weight.shape[0] - second
        sizes = (first, second, weights.layers[0].expand.bias.size, weights.output.bias.size)
        self._held = (flat, floats, sizes, np.float32(EPSILON))

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a step.

        Raises:
            SynthesisError: An input is missing, unknown, or has not the shape of this decoder.
        """
        self._check(inputs)
        given = [np.ascontiguousarray(inputs[name]) for name in INPUTS]
        frames, self_k, self_v = self._step(*given, *self._held)
        frames = frames.reshape(len(frames), -1, self._n_features)
        return {"frames": frames, "self_k": self_k, "self_v": self_v}

    def _check(self, inputs: Mapping[str, Array]) -> None:
        """Compiled code reads and writes wherever it is told to."""
        if inputs.keys() != NAMES:
            raise SynthesisError(f"decoder: found inputs {sorted(inputs)}; needed: {sorted(INPUTS)}")
        window = inputs["self_k"].shape
        n_rows, n_layers, n_heads, n_slots, size = window if len(window) == WINDOW_AXES else NO_WINDOW
        if n_layers != self._n_layers or n_heads * size != self._n_units or not n_slots or not n_rows:
            needed = f"[B >= 1, {self._n_layers}, H, W >= 1, {self._n_units} / H]"
            raise SynthesisError(f"decoder: self_k: found {list(window)}; needed: {needed}")
        mask, pair = (n_rows, n_slots), (window, window)
        needed_shapes = ((n_rows, self._n_features), (n_rows, self._n_row), *pair, mask, *pair, mask)
        for name, shape in zip(INPUTS, needed_shapes, strict=True):
            if inputs[name].shape != shape:
                found = list(inputs[name].shape)
                raise SynthesisError(f"decoder: {name}: found {found}; needed: {list(shape)}")


def open_network(path: Path, choice: Choice, engines: Path) -> NumbaDecoder:
    """See `network.open_network`."""
    del choice, engines
    return NumbaDecoder(load_decoder_weights(path))
