from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch

from tests.training.nets.small import largest_difference, small_config
from training.export import Graph, export_network
from training.nets.duration_loop import DOMAIN, DurationLoop
from training.nets.variance import DurationPredictor


@torch.no_grad()
@pytest.mark.parametrize("n_tokens", [1, 2, 17])
def test_the_loop_equals_the_predictor(n_tokens: int) -> None:
    predictor = DurationPredictor(small_config()).eval()
    condition = torch.randn(3, n_tokens, small_config().variance_units)
    assert largest_difference(DurationLoop(predictor)(condition), predictor.infer(condition)) <= 1e-6


@pytest.mark.parametrize("n_tokens", [1, 2, 17])
@torch.no_grad()
def test_the_exported_scan_equals_the_predictor(tmp_path: Path, n_tokens: int) -> None:
    loop = DurationLoop(DurationPredictor(small_config())).eval()
    condition = torch.randn(1, 7, small_config().variance_units)
    axes = {"condition": {0: "batch", 1: "tokens"}, "durations": {0: "batch", 1: "tokens"}}
    graph = Graph(loop, {"condition": condition}, ("durations",), axes, {DOMAIN: 1}, loop.insert_scan)
    export_network(graph, tmp_path / "loop.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "loop.onnx", providers=["CPUExecutionProvider"])
    condition = torch.randn(3, n_tokens, small_config().variance_units)
    (found,) = session.run(None, {"condition": condition.numpy()})
    assert largest_difference(torch.from_numpy(found), loop(condition)) <= 1e-6


def test_a_model_without_the_placeholder_is_refused() -> None:
    loop = DurationLoop(DurationPredictor(small_config())).eval()
    with pytest.raises(ValueError, match="has 0 duration loops, expected 1"):
        loop.insert_scan(onnx.ModelProto())


def test_another_prenet_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="has 3 layers, expected 2"):
        DurationLoop(DurationPredictor(small_config(dur_pred_prenet_units=(8, 8, 8))))
