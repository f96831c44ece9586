"""Decoders for the tests of engines that compile them: random weights, and a step in plain numpy.

The step is written from the contract in streaming/synthesis/engine.py and in float64, and shares no code with
any engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streaming.engines.decoder_weights import DecoderLayer, DecoderWeights, Linear, Norm

LAYERS, HEADS, SIZE, WINDOW = 2, 3, 4, 8
FEATURES, ROW, PRENET, EXPANDED, FRAMES_PER_STEP = 7, 9, (10, 6), 16, 3  # few are multiples of 4
UNITS = HEADS * SIZE


def random_weights(seed: int = 0) -> DecoderWeights:
    """Weights of an odd shape."""
    random = np.random.default_rng(seed)

    def linear(n_in: int, n_out: int) -> Linear:
        weight = random.normal(size=(n_out, n_in)) / np.sqrt(n_in)
        return Linear.quantised(weight.astype(np.float32), random.normal(size=n_out).astype(np.float32))

    def norm() -> Norm:
        gain, bias = random.normal(size=(2, UNITS)).astype(np.float32)
        return Norm(gain, bias)

    def layer() -> DecoderLayer:
        return DecoderLayer(
            norm(),
            linear(UNITS, 3 * UNITS),
            linear(2 * UNITS, UNITS),
            norm(),
            linear(UNITS, EXPANDED),
            linear(EXPANDED, UNITS),
        )

    return DecoderWeights(
        (linear(FEATURES, PRENET[0]), linear(*PRENET)),
        linear(ROW + PRENET[1], UNITS),
        tuple(layer() for _ in range(LAYERS)),
        norm(),
        linear(UNITS, FRAMES_PER_STEP * FEATURES),
    )


def random_inputs(n_rows: int, open_slots: int = 5, seed: int = 1) -> dict[str, Any]:
    """Inputs of a step; the own window is open at its end, the memory's at its start."""
    random = np.random.default_rng(seed)
    window = (n_rows, LAYERS, HEADS, WINDOW, SIZE)
    shapes = {"prev": (n_rows, FEATURES), "row": (n_rows, ROW)}
    shapes |= dict.fromkeys(("mem_k", "mem_v", "self_k", "self_v"), window)
    inputs: dict[str, Any] = {
        name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()
    }
    mask = np.where(np.arange(WINDOW) < open_slots, np.float32(0.0), np.float32(-np.inf))
    inputs["mem_mask"] = np.repeat(mask[None], n_rows, axis=0)
    inputs["self_mask"] = np.ascontiguousarray(inputs["mem_mask"][:, ::-1])
    return inputs


def expected_step(weights: DecoderWeights, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the contract says."""
    keys = np.concatenate(
        [inputs["self_k"][:, :, :, 1:], np.zeros_like(inputs["self_k"][:, :, :, :1])], axis=3
    )
    values = np.concatenate([inputs["self_v"][:, :, :, 1:], np.zeros_like(keys[:, :, :, :1])], axis=3)
    hidden = np.maximum(_product(inputs["prev"], weights.prenet[0]), 0.0)
    hidden = np.maximum(_product(hidden, weights.prenet[1]), 0.0)
    x = _product(np.concatenate([inputs["row"], hidden], axis=1), weights.entry)
    for index, layer in enumerate(weights.layers):
        projected = _product(_normal(x, layer.attention_norm), layer.qkv).reshape(-1, 3, HEADS, SIZE)
        query, keys[:, index, :, -1], values[:, index, :, -1] = projected.transpose(1, 0, 2, 3)
        own = _attended(query, keys[:, index], values[:, index], inputs["self_mask"])
        memory = _attended(query, inputs["mem_k"][:, index], inputs["mem_v"][:, index], inputs["mem_mask"])
        mixed = np.stack([own, memory], axis=2).reshape(len(x), 2 * UNITS)
        x = x + _product(mixed, layer.mix)
        expanded = np.maximum(_product(_normal(x, layer.feed_forward_norm), layer.expand), 0.0)
        x = x + _product(expanded, layer.contract)
    frames = _product(_normal(x, weights.norm), weights.output)
    return {"frames": frames.reshape(len(x), FRAMES_PER_STEP, FEATURES), "self_k": keys, "self_v": values}


def _product(x: Any, linear: Linear) -> Any:
    return x.astype(np.float64) @ linear.weight.astype(np.float64) * linear.scale + linear.bias


def _normal(x: Any, norm: Norm) -> Any:
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + 1e-6) * norm.gain + norm.bias


def _attended(query: Any, keys: Any, values: Any, mask: Any) -> Any:
    scores = np.einsum("bhi,bhwi->bhw", query, keys.astype(np.float64)) + mask[:, None]
    shares = np.exp(scores - scores.max(axis=2, keepdims=True))
    return np.einsum("bhw,bhwi->bhi", shares / shares.sum(axis=2, keepdims=True), values)
