"""A voice whose networks run on several runtimes: named, tested against fp32, refused or put back."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from streaming.engines.bundle import BundleEngine, snr_db
from streaming.engines.choice import REFERENCE, Choice, EnginePlan
from streaming.errors import EngineError, VoiceBundleError
from streaming.loaded_voice import load_voice
from streaming.sambert_manifest import SambertManifest, as_sambert
from streaming.synthesis.engine import Array
from streaming.synthesis.segment import SegmentSynthesis
from streaming.types import FloatArray, Style
from streaming.voice import MANIFEST_NAME, dump_manifest, file_sha256, load_manifest
from tests.streaming.doubles import VOICES, drain, joined, phonemes

FOLDER = VOICES / "tiny_16k"
BF16 = EnginePlan(Choice("openvino", "bf16"))


def manifest_of(folder: Path) -> SambertManifest:
    return as_sambert(load_manifest(folder))


def spoken(engine: BundleEngine, manifest: SambertManifest) -> FloatArray:
    return joined(drain(SegmentSynthesis(engine, manifest, phonemes(3, 9, 27, 14, 143), Style())))


def vocoder_inputs() -> dict[str, Array]:
    manifest = manifest_of(FOLDER)
    mel = np.random.default_rng(0).normal(size=(1, 8, manifest.n_mels)).astype(np.float32)
    return {"mel": mel, "state": np.zeros((1, manifest.vocoder.state_size), np.float32)}


@pytest.fixture
def with_int8(tmp_path: Path) -> Path:
    """A bundle that claims an INT8 decoder; the file is the vocoder's, or nonsense, as a test needs it."""
    folder = tmp_path / "tiny_16k"
    shutil.copytree(FOLDER, folder)
    manifest = manifest_of(folder)
    shutil.copy(folder / "decoder.fp32.onnx", folder / "decoder.int8-dynamic.onnx")
    state_networks(folder, manifest)
    return folder


def state_networks(folder: Path, manifest: SambertManifest) -> None:
    file = "decoder.int8-dynamic.onnx"
    networks = {**manifest.networks, "decoder": {**manifest.networks["decoder"], "int8-dynamic": file}}
    sums = {**manifest.sha256, file: file_sha256(folder / file)}
    changed = manifest.changed(networks=networks, sha256=sums)
    (folder / MANIFEST_NAME).write_text(dump_manifest(changed), encoding="utf-8")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_openvino_speaks_like_onnx_runtime(precision: str) -> None:
    manifest = manifest_of(FOLDER)
    reference = spoken(BundleEngine(FOLDER, manifest), manifest)
    engine = BundleEngine(FOLDER, manifest, EnginePlan(networks={"vocoder": Choice("openvino", precision)}))
    assert engine.name == f"onnx-cpu-fp32 vocoder=openvino-cpu-{precision}"
    found = spoken(engine, manifest)
    assert snr_db({"audio": reference}, {"audio": found}) > (80.0 if precision == "fp32" else 15.0)


def test_threads_share_a_network() -> None:
    engine = BundleEngine(FOLDER, manifest_of(FOLDER), EnginePlan(networks={"vocoder": Choice("openvino")}))
    inputs = vocoder_inputs()
    expected = engine.run("vocoder", inputs)["audio"]
    found: list[FloatArray] = []

    def call() -> None:
        found.extend(engine.run("vocoder", inputs)["audio"] for _ in range(20))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 80
    for audio in found:
        np.testing.assert_array_equal(audio, expected)


def test_a_library_that_is_not_installed_is_named_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "streaming.engines.openvino", raising=False)
    with pytest.raises(EngineError, match=r"openvino is not installed; pip install 'zhiyin\[openvino\]'"):
        BundleEngine(FOLDER, manifest_of(FOLDER), BF16)


def test_a_device_that_is_not_there_is_never_replaced_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    cuda = Choice(device="cuda")
    with pytest.raises(EngineError, match="CUDAExecutionProvider"):
        BundleEngine(FOLDER, manifest_of(FOLDER), EnginePlan(cuda))
    engine = BundleEngine(FOLDER, manifest_of(FOLDER), EnginePlan(cuda, on_failure="fall_back"))
    assert set(engine.choices.values()) == {REFERENCE}
    assert engine.name == "onnx-cpu-fp32"
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == len(engine.choices)
    assert "decoder cannot be run in onnx-cuda-fp32" in " ".join(errors)


def test_a_voice_is_tested_when_it_is_loaded_and_the_agreement_is_told(
    with_int8: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    voice = load_voice(with_int8, EnginePlan(Choice(precision="int8-dynamic")))
    assert voice.engine.name == "onnx-cpu-fp32 decoder=onnx-cpu-int8-dynamic"
    assert "decoder in onnx-cpu-int8-dynamic agrees with fp32 to inf dB" in caplog.text


def wrong_decoder(folder: Path) -> None:
    """Damage some weights of the alternative decoder so that it still runs."""
    path = folder / "decoder.int8-dynamic.onnx"
    content = bytearray(path.read_bytes())
    damage = np.full(1000, 20.0, np.float32).tobytes()
    middle = len(content) // 2  # inside of a weight: they are nearly all of the file
    content[middle : middle + len(damage)] = damage
    path.write_bytes(content)
    state_networks(folder, manifest_of(folder))


@pytest.mark.parametrize("on_failure", ["refuse", "fall_back"])
def test_a_network_that_computes_something_else_is_refused_or_replaced(
    with_int8: Path, on_failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong_decoder(with_int8)
    plan = EnginePlan(Choice(precision="int8-dynamic"), on_failure=on_failure)  # type: ignore[arg-type]
    if on_failure == "refuse":
        with pytest.raises(EngineError, match=r"decoder cannot be run in .*: it agrees with fp32 to .* dB"):
            load_voice(with_int8, plan)
    else:
        assert load_voice(with_int8, plan).engine.name == "onnx-cpu-fp32"
        assert "it falls back to onnx-cpu-fp32" in caplog.text


def test_the_limit_is_the_plans(with_int8: Path) -> None:
    plan = EnginePlan(networks={"vocoder": Choice("openvino", "bf16")}, min_snr_db={"bf16": 200.0})
    with pytest.raises(EngineError, match="needed are 200"):
        load_voice(with_int8, plan)


def test_a_file_that_is_no_network_is_the_bundles_fault(tmp_path: Path) -> None:
    folder = tmp_path / "tiny_16k"
    shutil.copytree(FOLDER, folder)
    (folder / "decoder.fp32.onnx").write_bytes(b"not a graph")
    with pytest.raises(VoiceBundleError, match=r"decoder\.fp32\.onnx"):
        BundleEngine(folder, manifest_of(folder), BF16)


ONE = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("found", "expected"),
    [(ONE, np.inf), (ONE * 1.1, 20.0), (ONE[:1], -np.inf), (ONE * np.nan, -np.inf), (ONE * 0.0, 0.0)],
)
def test_agreement_is_that_of_the_worst_output(found: FloatArray, expected: float) -> None:
    both = {"a": ONE, "b": ONE}
    assert snr_db(both, {"a": ONE, "b": found}) == pytest.approx(expected, abs=1e-3)
    assert snr_db(both, {"a": ONE}) == -np.inf
