"""A reshape that says in a file which axes stay, where tracing would compute their sizes.

Input   a tensor, a target shape in ONNX's notation: 0 keeps the axis of that place, one -1 is what remains
Output  the reshaped tensor; in an exported file one node
State   none
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Reshape(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        return x.reshape([size or x.size(axis) for axis, size in enumerate(shape)])

    @staticmethod
    def symbolic(graph: Any, x: Any, shape: tuple[int, ...]) -> Any:
        target = graph.op("Constant", value_t=torch.tensor(shape, dtype=torch.int64))
        return graph.op("Reshape", x, target)


def reshape(x: Tensor, *shape: int) -> Tensor:
    """Return the reshaped tensor."""
    if torch.onnx.is_in_onnx_export():
        result: Tensor = _Reshape.apply(x, shape)
        return result
    return x.reshape([size or x.size(axis) for axis, size in enumerate(shape)])
