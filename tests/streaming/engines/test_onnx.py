from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from streaming.engines.bundle import BundleEngine
from streaming.errors import SynthesisError, VoiceBundleError
from streaming.voice import load_manifest
from tests.streaming.doubles import VOICES

FOLDER = VOICES / "tiny_16k"


@pytest.fixture(scope="module")
def engine() -> BundleEngine:
    return BundleEngine(FOLDER, load_manifest(FOLDER))


def test_outputs_carry_the_names_of_the_contract(engine: BundleEngine):
    manifest = load_manifest(FOLDER)
    state = np.zeros((1, manifest.vocoder.state_size), np.float32)
    out = engine.run("vocoder", {"mel": np.zeros((1, 4, 80), np.float32), "state": state})
    assert {name: value.shape for name, value in out.items()} == {
        "audio": (1, 4 * manifest.hop_length),
        "state": state.shape,
    }
    assert engine.name == "onnx-cpu-fp32"


def test_a_row_of_a_batch_equals_the_row_alone(engine: BundleEngine):
    rows = np.random.default_rng(0).normal(size=(3, 5, 64)).astype(np.float32)
    together = engine.run("memory", {"rows": rows})["mem_k"]
    alone = engine.run("memory", {"rows": rows[1:2]})["mem_k"]
    np.testing.assert_allclose(together[1:2], alone, atol=1e-6)


def test_inputs_of_the_wrong_shape_are_a_synthesis_error_with_its_cause(engine: BundleEngine):
    with pytest.raises(SynthesisError, match="memory failed in onnx-cpu-fp32") as caught:
        engine.run("memory", {"rows": np.zeros((1, 3, 7), np.float32)})
    assert caught.value.__cause__ is not None


def test_a_damaged_graph_names_its_file(tmp_path: Path):
    folder = tmp_path / "tiny_16k"
    shutil.copytree(FOLDER, folder)
    (folder / "decoder.fp32.onnx").write_bytes(b"not a graph")
    with pytest.raises(VoiceBundleError, match=r"decoder\.fp32\.onnx"):
        BundleEngine(folder, load_manifest(folder))
