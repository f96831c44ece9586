"""Dynamic INT8 alternatives of a bundle's networks.

Input   exported fp32 graphs
Output  graphs whose matrix products run on 8-bit integers
State   none
Weights are quantised per column to signed, activations per call to unsigned 8 bits: the pair that CPUs have
fast kernels for. Convolutions stay as they are: quantised dynamically they are three times slower.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic

from streaming.manifest import NetworkName

# The vocoder is all convolutions and needs calibration; the others are mostly matrix products.
QUANTISED: tuple[NetworkName, ...] = ("encoder", "memory", "decoder", "postnet")


def quantise_dynamically(source: Path, target: Path) -> None:
    """Write `source` with its MatMul and Gemm nodes on 8-bit integers to `target`."""
    with quiet_quantiser():
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )


@contextmanager
def quiet_quantiser() -> Iterator[None]:
    """Keep the quantiser from advising a pre-processing that only shape inference of its own needs."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
