"""Reshapes that name the axes which stay."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from training.export import Graph, export_network
from training.nets.onnx_shape import reshape


class Cut(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return reshape(x, 0, 2, -1, 3)


def test_it_keeps_the_axes_that_are_zero() -> None:
    x = torch.arange(48.0).reshape(2, 4, 6)
    assert torch.equal(reshape(x, 0, 0, 2, 3), x.reshape(2, 4, 2, 3))
    assert torch.equal(reshape(x, 0, 2, -1, 3), x.reshape(2, 2, 4, 3))


def test_a_shape_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="invalid for input"):
        reshape(torch.zeros(2, 4, 6), 0, 0, 5)


def test_in_a_file_it_is_one_node_whatever_varies(tmp_path: Path) -> None:
    axes = {name: {0: "batch", 1: "frames"} for name in ("x", "y")}
    graph = Graph(Cut(), {"x": torch.zeros(2, 7, 6)}, ("y",), axes)
    export_network(graph, tmp_path / "cut.onnx")
    nodes = onnx.load(str(tmp_path / "cut.onnx")).graph.node
    assert [node.op_type for node in nodes if node.op_type != "Constant"] == ["Reshape"]
