"""A Piper voice without weights: frames are ids, the decoder an average over its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streaming.piper_manifest import PiperManifest
from streaming.synthesis.engine import Array, NetworkName

HOP_LENGTH, CONTEXT = 4, 3
IDS = {phoneme: (index,) for index, phoneme in enumerate("_^$ ,.!?ˈabdehiloruwɛɜəʊː")}


def piper_manifest(**changes: Any) -> PiperManifest:
    fields: dict[str, Any] = {
        "name": "piped",
        "languages": ("en-US",),
        "sample_rate": 16_000,
        "speakers": ("anna", "bob"),
        "espeak_voice": "en-us",
        "phoneme_ids": IDS,
        "n_noises": 2,
        "hop_length": HOP_LENGTH,
        "context_frames": CONTEXT,
        "block_frames": (2, 5),
        "licence": "Apache-2.0",
    }
    return PiperManifest(**fields | changes)


class PiperEngine:
    """Frame t of an id is the id, its noise and the speaker; a sample is the mean of the frames around it.

    The mean reaches CONTEXT frames to both sides, with zeros beyond the ends of what it is given.
    """

    name = "piped-cpu-fp32"

    def __init__(self, frames_per_id: int = 2) -> None:
        self.calls: list[tuple[NetworkName, Mapping[str, Array]]] = []
        self._frames_per_id = frames_per_id

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.calls.append((network, inputs))
        if network == "encoder":
            return self._encode(inputs)
        return {"audio": _decode(inputs["latent"][0, 0], inputs["conditioning_0"][0, 0, 0])}

    def _encode(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        frames = np.repeat(inputs["input"][0] / 64.0, self._frames_per_id)
        frames = frames + 0.01 * inputs["scales"][0] * inputs["noise"][1, : frames.size]
        return {
            "latent": frames[None, None].astype(np.float32),
            "conditioning_0": (0.1 * inputs["speaker"]).reshape(1, 1, 1).astype(np.float32),
        }


def _decode(frames: Array, offset: float) -> Array:
    padded = np.pad(frames, CONTEXT)
    width = 2 * CONTEXT + 1
    means = np.array([padded[i : i + width].mean() for i in range(frames.size)], np.float32)
    return np.asarray(np.repeat(means + offset, HOP_LENGTH)[None], np.float32)
