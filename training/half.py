"""FP16 alternatives of a bundle's networks, for GPUs.

Input   exported fp32 graphs
Output  graphs that compute in FP16 and take and give float32
State   none
"""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

# What loses more than it gains: sums over many values, and small numbers that would become zero.
KEPT_IN_FLOAT = ["LayerNormalization", "Softmax", "ReduceMean", "ReduceSum", "Range", "CumSum", "Scan"]


def convert_to_half(source: Path, target: Path) -> None:
    """Write `source` in FP16 with float32 edges to `target`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one per weight that is rounded to the smallest number
        model = convert_float_to_float16(
            onnx.load(str(source)), keep_io_types=True, op_block_list=KEPT_IN_FLOAT
        )
    onnx.save(model, str(target))
