"""How close the vocoder comes to what the processor can do at all.

Input   a vocoder's file, one of its calls
Output  multiplications per second of its convolutions, and those of large single-precision matrix products
State   none
Both on one thread of the same process, in turn, best of many: other work on the machine only makes either
slower. Convolutions are counted as they stand in the graph, two operations per multiplication and addition.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streaming.engines.choice import REFERENCE
from streaming.engines.network import open_network
from streaming.synthesis.engine import Array

SIZE = 1024
ROUNDS = 12
SHORTEST_S = 0.05  # of one measurement


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Single-precision operations per second on one core.

    Attributes:
        vocoder_gflops: Of the convolutions, over the time of the whole call.
        sgemm_gflops: Of a product of two square matrices.
        gflop_per_call: What one call takes.
    """

    vocoder_gflops: float
    sgemm_gflops: float
    gflop_per_call: float

    @property
    def share(self) -> float:
        """The vocoder's over the matrices'."""
        return self.vocoder_gflops / self.sgemm_gflops


def measure_efficiency(path: Path, call: Mapping[str, Array]) -> Efficiency:
    """Time a vocoder and a matrix product in turn."""
    import torch

    network = open_network(path, REFERENCE)
    gflop = conv_gflop(path, call)
    torch.set_num_threads(1)
    a, b = (torch.randn(SIZE, SIZE) for _ in range(2))
    best_call_s = best_product_s = float("inf")
    for _ in range(ROUNDS):
        best_product_s = min(best_product_s, _seconds(lambda: torch.mm(a, b)))
        best_call_s = min(best_call_s, _seconds(lambda: network(call)))
    return Efficiency(gflop / best_call_s, 2e-9 * SIZE**3 / best_product_s, gflop)


def conv_gflop(path: Path, call: Mapping[str, Array]) -> float:
    """Count the operations of all convolutions of a call (10^9), by the sizes that they really have."""
    import onnx
    import onnxruntime

    model = onnx.load(str(path))
    weights = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in convs)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = session.run(None, dict(call))
    operations = sum(
        2 * out.size * int(np.prod(weights[node.input[1]][1:]))
        for node, out in zip(convs, outputs, strict=True)
    )
    return float(operations) / 1e9


def _seconds(function: Callable[[], object]) -> float:
    """Return the time of one call, the best of as many as fit into a moment."""
    best_s, until_s = float("inf"), time.perf_counter() + SHORTEST_S
    while (begun_s := time.perf_counter()) < until_s:
        function()
        best_s = min(best_s, time.perf_counter() - begun_s)
    return best_s
