from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming.engines.bundle import BundleEngine
from streaming.engines.onnx_binding import BoundSession
from streaming.errors import SynthesisError, VoiceBundleError
from streaming.synthesis.engine import STATE_NAMES, is_resident
from streaming.voice import load_manifest
from tests.streaming.engines.speaking import FOLDER, in_company, segment


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


@pytest.fixture(scope="module")
def bound() -> BundleEngine:
    """The voice as a GPU would run it, on the CPU as the device: the calls are the same."""
    engine = BundleEngine(FOLDER, load_manifest(FOLDER))
    for name in ("decoder", "postnet", "vocoder"):
        network: Any = engine._networks[name]
        network._run = BoundSession(network._run.func.__self__, "cpu").run
    return engine


def test_the_state_of_a_stream_by_itself_stays_on_the_device(
    engine: BundleEngine, bound: BundleEngine
) -> None:
    random = np.random.default_rng(1)
    state: Any = np.zeros((1, load_manifest(FOLDER).vocoder.state_size), np.float32)
    kept: Any = state
    for _ in range(4):
        mel = random.normal(size=(1, 8, 80)).astype(np.float32)
        found = bound.run("vocoder", {"mel": mel, "state": state})
        expected = engine.run("vocoder", {"mel": mel, "state": kept})
        state, kept = found["state"], expected["state"]
        assert is_resident(state)
        assert state.shape == kept.shape
        np.testing.assert_array_equal(found["audio"], expected["audio"])
        np.testing.assert_array_equal(np.asarray(state), kept)


def test_streams_meet_in_a_batch_and_part_again(engine: BundleEngine, bound: BundleEngine) -> None:
    for one, other in zip(in_company(bound), in_company(engine), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_segment_is_spoken_with_its_states_on_the_device(
    engine: BundleEngine, bound: BundleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[bool] = []
    run = bound.run
    monkeypatch.setattr(
        bound,
        "run",
        lambda network, inputs: (
            given.extend(is_resident(inputs[name]) for name in STATE_NAMES & inputs.keys()),
            run(network, inputs),
        )[1],
    )
    np.testing.assert_array_equal(segment(bound), segment(engine))
    assert given.count(False) == 4  # what each state begins with: two of the decoder, two packed ones


def test_a_wrong_input_is_an_error_on_a_device_too(bound: BundleEngine) -> None:
    with pytest.raises(SynthesisError, match="vocoder failed"):
        bound.run("vocoder", {"mel": np.zeros((1, 4, 7), np.float32), "state": np.zeros((1, 3), np.float32)})
