"""How many streams one device carries when so many are computed together.

Input   an engine, what its networks are called with in one sentence
Output  streams per batch size
State   none
The same calls are made with their rows repeated; state that stays on a device goes from one to the next.
Encoder and memory run once per sentence, alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streaming.engines.bundle import BundleEngine
from streaming.errors import SynthesisError
from streaming.sambert_manifest import SambertManifest
from streaming.synthesis.engine import Array, NetworkName, is_resident

ALONE: tuple[NetworkName, ...] = ("encoder", "memory")
ROUNDS = 3

Calls = Mapping[NetworkName, Sequence[Mapping[str, Array]]]


def streams_by_batch(
    engine: BundleEngine, manifest: SambertManifest, calls: Calls, batches: Sequence[int]
) -> dict[int, float]:
    """Return the streams that one after the other call carries, by the rows of a call.

    Stops at the first batch that the engine does not take. Postprocessing, text and transport are not in it.
    """
    audio_s = (
        sum(call["mel"].shape[1] for call in calls["vocoder"]) * manifest.hop_length / manifest.sample_rate
    )
    found: dict[int, float] = {}
    for rows in batches:
        try:
            busy_s = min(_busy_s(engine, calls, rows) for _ in range(ROUNDS))
        except SynthesisError:
            break
        found[rows] = round(rows * audio_s / busy_s, 1)
    return found


def _busy_s(engine: BundleEngine, calls: Calls, rows: int) -> float:
    """Return what the calls of so many equal sentences take."""
    busy_s = 0.0
    for network, inputs in calls.items():
        alone = network in ALONE
        outputs: Mapping[str, Array] = {}
        for call in inputs:
            given = call if alone else _repeated(call, rows)
            given = {**given, **{name: value for name, value in outputs.items() if is_resident(value)}}
            begun_s = time.perf_counter()
            outputs = engine.run(network, given)
            busy_s += (rows if alone else 1) * (time.perf_counter() - begun_s)
    return busy_s


def _repeated(call: Mapping[str, Array], rows: int) -> dict[str, Any]:
    return {
        name: value if name == "edges" else np.repeat(value, rows, axis=0) for name, value in call.items()
    }
