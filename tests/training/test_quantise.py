from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from tests.streaming.doubles import VOICES
from training.quantise import quantise_dynamically


def test_matrix_products_run_on_integers_and_stay_close(tmp_path: Path):
    source, target = VOICES / "tiny_16k" / "memory.fp32.onnx", tmp_path / "memory.int8.onnx"
    quantise_dynamically(source, target)
    operations = {node.op_type for node in onnx.load(target).graph.node}
    assert "MatMulInteger" in operations
    assert not operations & {"MatMul", "Gemm"}
    rows = np.random.default_rng(0).standard_normal((1, 9, 64)).astype(np.float32)
    exact, quantised = (
        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"rows": rows})[
            0
        ]
        for path in (source, target)
    )
    assert 0.0 < np.abs(exact - quantised).max() < 0.05 * np.abs(exact).max()


def test_logging_is_left_as_it_was(tmp_path: Path):
    level = logging.getLogger().level
    quantise_dynamically(VOICES / "tiny_16k" / "memory.fp32.onnx", tmp_path / "x.onnx")
    assert logging.getLogger().level == level
