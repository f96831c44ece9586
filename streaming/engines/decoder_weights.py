"""The decoder's weights in 8 bits: what a bundle holds for engines that compile the decoder themselves.

Input   an .npz file
Output  DecoderWeights
State   none

A linear map is kept as weight int8 [n_in, n_out], scale and bias float32 [n_out]:

    y = scale * (x @ weight) + bias

Every output has a range of its own, symmetric around zero. Activations stay in float32: nothing needs to be
calibrated.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.errors import VoiceBundleError
from streaming.types import FloatArray

MAX_INT8 = 127
# What numpy and zipfile raise for files that are cut off, damaged, encrypted, compressed in unknown ways, of
# another kind, or that claim to be larger than the memory.
ARCHIVE_ERRORS = (
    *(OSError, ValueError, EOFError, TypeError, AttributeError, MemoryError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error),
)
MULTIPLE = 4
"""What the widths inside a layer are multiples of: so many inputs are taken at once."""
EPSILON = 1e-6
"""Of the layer normalisations (spec section 2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A linear map: weight int8 [n_in, n_out], scale and bias float32 [n_out]."""

    weight: NDArray[np.int8]
    scale: FloatArray
    bias: FloatArray

    @classmethod
    def quantised(cls, weight: FloatArray, bias: FloatArray) -> Linear:
        """Return float32 weights [n_out, n_in] in 8 bits, rounded to nearest."""
        scale = np.maximum(np.abs(weight).max(axis=1), np.finfo(np.float32).tiny) / np.float32(MAX_INT8)
        rounded = np.rint(weight / scale[:, None]).astype(np.int8)
        return cls(np.ascontiguousarray(rounded.T), scale.astype(np.float32), bias.astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """A layer normalisation: gain and bias float32 [n]."""

    gain: FloatArray
    bias: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class DecoderLayer:
    """One PNCA layer; the attention's scale is folded into the query.

    Attributes:
        attention_norm: Before `qkv`.
        qkv: d -> query, key, value, each [H, dh].
        mix: What own and memory heads attended to, [H, 2, dh] -> d.
        feed_forward_norm: Before `expand`.
        expand: d -> n_hidden, then ReLU.
        contract: n_hidden -> d.
    """

    attention_norm: Norm
    qkv: Linear
    mix: Linear
    feed_forward_norm: Norm
    expand: Linear
    contract: Linear


@dataclass(frozen=True, slots=True, eq=False)
class DecoderWeights:
    """Everything that a decoder step multiplies with.

    Attributes:
        prenet: The last frame -> a hidden layer -> a hidden layer, ReLU after each.
        entry: Memory row and prenet -> d.
        layers: In order.
        norm: Before `output`.
        output: d -> r frames.
    """

    prenet: tuple[Linear, Linear]
    entry: Linear
    layers: tuple[DecoderLayer, ...]
    norm: Norm
    output: Linear

    def parts(self) -> Iterator[tuple[str, Linear | Norm]]:
        """Yield linear maps and normalisations by name, in the order in which a step takes them."""
        yield from (("prenet.0", self.prenet[0]), ("prenet.1", self.prenet[1]), ("entry", self.entry))
        for index, layer in enumerate(self.layers):
            yield from ((f"layers.{index}.{part.name}", getattr(layer, part.name)) for part in fields(layer))
        yield from (("norm", self.norm), ("output", self.output))

    def save(self, path: Path) -> None:
        """Write the file.

        Raises:
            OSError: It cannot be written.
        """
        arrays = {
            f"{name}.{array.name}": getattr(part, array.name)
            for name, part in self.parts()
            for array in fields(part)
        }
        with path.open("wb") as file:
            np.savez(file, **arrays)


def load_decoder_weights(path: Path) -> DecoderWeights:
    """Read a file; every shape is checked against its neighbours', since compiled code does not check.

    Raises:
        VoiceBundleError: It is not such a file; the message says what was found.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except ARCHIVE_ERRORS as error:
        raise VoiceBundleError(f"{path}: not an archive of arrays: {error}") from error
    return _Reader(path, arrays).decoder()


class _Reader:
    """Takes arrays by name and checks what it takes."""

    def __init__(self, path: Path, arrays: Mapping[str, Any]) -> None:
        self._path = path
        self._arrays = arrays

    def decoder(self) -> DecoderWeights:
        n_layers = len({name.split(".")[1] for name in self._arrays if name.startswith("layers.")})
        first = self._linear("prenet.0", None, None)
        second = self._linear("prenet.1", first.bias.size, None)
        entry = self._linear("entry", None, None)
        width, n_hidden = entry.bias.size, self._linear("layers.0.expand", None, None).bias.size
        layers = tuple(self._layer(f"layers.{index}", width, n_hidden) for index in range(n_layers))
        output = self._linear("output", width, None)
        found = DecoderWeights((first, second), entry, layers, self._norm("norm", width), output)
        self._check_sizes(found)
        return found

    def _check_sizes(self, weights: DecoderWeights) -> None:
        n_features, n_prenet = weights.prenet[0].weight.shape[0], weights.prenet[1].bias.size
        n_in, n_out = weights.entry.weight.shape[0], weights.output.bias.size
        if n_in <= n_prenet:
            raise self._wrong("entry.weight", f"{n_in} inputs", f"more than the prenet's {n_prenet}")
        if n_out % n_features:
            raise self._wrong("output.weight", f"{n_out} outputs", f"frames of {n_features}")
        for name, one in (("entry", weights.entry), ("layers.0.expand", weights.layers[0].expand)):
            if one.bias.size % MULTIPLE:
                raise self._wrong(f"{name}.weight", f"{one.bias.size} outputs", f"a multiple of {MULTIPLE}")

    def _layer(self, name: str, width: int, n_hidden: int) -> DecoderLayer:
        return DecoderLayer(
            self._norm(f"{name}.attention_norm", width),
            self._linear(f"{name}.qkv", width, 3 * width),
            self._linear(f"{name}.mix", 2 * width, width),
            self._norm(f"{name}.feed_forward_norm", width),
            self._linear(f"{name}.expand", width, n_hidden),
            self._linear(f"{name}.contract", n_hidden, width),
        )

    def _linear(self, name: str, n_in: int | None, n_out: int | None) -> Linear:
        weight: NDArray[np.int8] = self._take(f"{name}.weight", np.int8, (n_in, n_out))
        return Linear(weight, *(self._vector(f"{name}.{one}", weight.shape[1]) for one in ("scale", "bias")))

    def _norm(self, name: str, size: int) -> Norm:
        return Norm(*(self._vector(f"{name}.{one}", size) for one in ("gain", "bias")))

    def _vector(self, name: str, size: int) -> FloatArray:
        found: FloatArray = self._take(name, np.float32, (size,))
        return found

    def _take(self, name: str, dtype: type, shape: tuple[int | None, ...]) -> NDArray[Any]:
        if name not in self._arrays:
            raise VoiceBundleError(f"{self._path}: no array {name!r}")
        array = self._arrays[name]
        if not isinstance(array, np.ndarray):  # what is no .npy comes as bytes
            raise self._wrong(name, type(array).__name__, "an array")
        fits = array.ndim == len(shape) and all(
            size == wanted or (wanted is None and size)
            for size, wanted in zip(array.shape, shape, strict=True)
        )
        if array.dtype != dtype or not fits:
            needed = ", ".join("n" if size is None else str(size) for size in shape)
            raise self._wrong(name, f"{array.dtype} {list(array.shape)}", f"{np.dtype(dtype)} [{needed}]")
        if not np.isfinite(array).all():
            raise self._wrong(name, "values that are not finite", "numbers")
        return np.ascontiguousarray(array)

    def _wrong(self, name: str, found: str, wanted: str) -> VoiceBundleError:
        return VoiceBundleError(f"{self._path}: {name}: found {found}; needed: {wanted}")
