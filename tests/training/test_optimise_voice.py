"""Further precisions of a voice: on the small voice of the tests, with real calibration."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from server import optimise_command
from streaming.engines.bundle import BundleEngine
from streaming.engines.choice import Choice, EnginePlan
from streaming.errors import UnspeakableTextError, VoiceBundleError
from streaming.loaded_voice import load_voice
from streaming.recorded_calls import record_calls
from streaming.sambert_manifest import as_sambert
from streaming.voice import load_manifest, verify_files
from tests.streaming.doubles import VOICES
from training.optimise_voice import PRECISIONS, optimise_voice
from training.static_quantisation import StaticQuantiser, quantise_statically

TEXTS = ("你好，欢迎使用语音合成服务。", "北京今天天气怎么样？")
LINES: list[str] = []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(VOICES / "tiny_16k", tmp_path / "voices" / "tiny_16k"))


@pytest.fixture(scope="module")
def vocoder_calls() -> list[dict[str, np.ndarray]]:
    source = VOICES / "tiny_16k"
    return record_calls(source, load_manifest(source), TEXTS)["vocoder"]


@pytest.mark.parametrize("precision", [name for name in PRECISIONS if name != "int8-weights"])
def test_a_voice_gets_a_precision_that_the_server_can_use(folder: Path, precision: str) -> None:
    manifest = optimise_voice(folder, folder, [precision], LINES.append, TEXTS)
    assert precision in manifest.precisions
    assert load_manifest(folder) == manifest
    verify_files(folder, manifest)
    if precision != "int8-tensorrt":  # ONNX Runtime on the CPU runs the others
        voice = load_voice(folder, EnginePlan(Choice(precision=precision)))
        assert precision in voice.engine.name


def test_the_command_knows_the_precisions() -> None:
    assert optimise_command.PRECISIONS == PRECISIONS


def test_a_file_that_its_engine_refuses_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_garbage(source: Path, target: Path) -> bool:
        target.write_bytes(b"no archive")
        return True

    monkeypatch.setattr("training.optimise_voice.write_decoder_weights", write_garbage)
    lines: list[str] = []
    manifest = optimise_voice(folder, folder, ["int8-dynamic"], lines.append, TEXTS)
    with pytest.raises(VoiceBundleError, match="no network can be made int8-weights"):
        optimise_voice(folder, folder, ["int8-weights"], lines.append, TEXTS)
    assert lines[-1].endswith("left out")
    assert "not an archive of arrays" in lines[-1]
    assert load_manifest(folder) == manifest
    assert not (folder / "decoder.int8-weights.npz").exists()


def test_a_decoder_that_an_older_version_exported_is_told(folder: Path) -> None:
    """Its weights in 8 bits: tests/training/test_quantise_weights.py."""
    lines: list[str] = []
    with pytest.raises(VoiceBundleError, match="no network can be made int8-weights"):
        optimise_voice(folder, folder, ["int8-weights"], lines.append, TEXTS)
    assert lines[1:] == ["decoder.fp32.onnx is not the decoder of a Sambert voice as this version exports it"]


def test_a_copy_leaves_the_original_alone(folder: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    optimise_voice(folder, tmp_path / "mine" / "tiny_16k", ["int8-dynamic"], LINES.append, TEXTS)
    assert sorted(path.name for path in folder.iterdir()) == before
    assert load_manifest(tmp_path / "mine" / "tiny_16k").precisions == ("fp32", "int8-dynamic")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["tiny_16k"]


def test_a_failure_leaves_everything_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.optimise_voice.quantise_dynamically", fail)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(OSError, match="No space left"):
        optimise_voice(folder, folder, ["int8-dynamic"], LINES.append, TEXTS)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny_16k"]


def test_a_network_that_would_be_another_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.optimise_voice.MIN_SNR_DB", {"int8-dynamic": 500.0})
    with pytest.raises(VoiceBundleError, match="no network can be made int8-dynamic"):
        optimise_voice(folder, folder, ["int8-dynamic"], LINES.append, TEXTS)
    assert load_manifest(folder).precisions == ("fp32",)


def test_texts_that_the_voice_cannot_pronounce_are_refused(folder: Path) -> None:
    with pytest.raises(UnspeakableTextError, match="none of the 1 texts"):
        optimise_voice(folder, folder, ["int8-static"], LINES.append, ["あ"])


def test_blocks_of_any_size_have_the_same_samples_in_static_int8(folder: Path) -> None:
    optimise_voice(folder, folder, ["int8-static"], LINES.append, TEXTS)
    manifest = as_sambert(load_manifest(folder))
    engine = BundleEngine(folder, manifest, EnginePlan(Choice(precision="int8-static")))
    mel = np.random.default_rng(0).normal(size=(1, 24, manifest.n_mels)).astype(np.float32)

    def spoken(*sizes: int) -> np.ndarray:
        state, start, pieces = np.zeros((1, manifest.vocoder.state_size), np.float32), 0, []
        for size in sizes:
            out = engine.run("vocoder", {"mel": mel[:, start : start + size], "state": state})
            pieces.append(out["audio"])
            state, start = out["state"], start + size
        return np.concatenate(pieces, axis=1)

    np.testing.assert_array_equal(spoken(4, 8, 12), spoken(24))


def test_layers_that_hurt_stay_in_float(tmp_path: Path, vocoder_calls: list[dict[str, np.ndarray]]) -> None:
    source, target = VOICES / "tiny_16k" / "vocoder.fp32.onnx", tmp_path / "vocoder.onnx"
    lines: list[str] = []
    quantiser = StaticQuantiser(source, vocoder_calls, vocoder_calls)
    nodes = [node for group in quantiser.groups().values() for node in group]
    everything = quantiser.agreement_db(quantiser.quantise(nodes))
    found = quantise_statically(source, target, vocoder_calls, lines.append, target_db=everything + 2.0)
    assert found is not None
    assert found.snr_db >= everything + 2.0
    assert found.excluded
    assert found.excluded == tuple(one.group for one in found.groups[: len(found.excluded)])
    assert len(lines) == len(found.groups)


def test_what_cannot_be_met_is_not_written(
    tmp_path: Path, vocoder_calls: list[dict[str, np.ndarray]]
) -> None:
    source, target = VOICES / "tiny_16k" / "vocoder.fp32.onnx", tmp_path / "vocoder.onnx"
    assert quantise_statically(source, target, vocoder_calls, LINES.append, target_db=300.0) is None
    assert not target.exists()


def test_for_tensorrt_everything_is_symmetric_and_no_bias_is_an_integer(
    tmp_path: Path, vocoder_calls: list[dict[str, np.ndarray]]
) -> None:
    source, target = VOICES / "tiny_16k" / "vocoder.fp32.onnx", tmp_path / "vocoder.onnx"
    found = quantise_statically(
        source, target, vocoder_calls, LINES.append, flavour="tensorrt", target_db=0.0
    )
    assert found is not None
    model = onnx.load(str(target))
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert pairs
    for node in pairs:
        zero = tensors[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()
