"""The decoder's weights out of real graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from server.voice_folders import EMBEDDED_VOICES
from streaming.engines.bundle import BundleEngine, snr_db
from streaming.engines.choice import REFERENCE, Choice, EnginePlan
from streaming.engines.decoder_weights import load_decoder_weights
from streaming.engines.network import open_network
from streaming.loaded_voice import load_voice
from streaming.recorded_calls import record_calls
from streaming.synthesis.segment import SegmentSynthesis
from streaming.types import Style
from streaming.voice import load_manifest
from tests.streaming.doubles import VOICES
from training.optimise_voice import optimise_voice
from training.quantise_weights import write_decoder_weights

CHOICE = Choice("numba", "int8-weights")
SHANQUAN = EMBEDDED_VOICES / "shanquan"
TEXTS = ("今天天气很好，我们去公园走走。",)


@pytest.mark.model
def test_every_step_of_a_sentence_is_what_onnx_runtime_says(tmp_path: Path) -> None:
    source, target = SHANQUAN / "decoder.fp32.onnx", tmp_path / "decoder.npz"
    assert write_decoder_weights(source, target)
    assert target.stat().st_size < 0.3 * source.stat().st_size
    reference, compiled = open_network(source, REFERENCE), open_network(target, CHOICE)
    for call in record_calls(SHANQUAN, load_manifest(SHANQUAN), TEXTS)["decoder"]:
        assert snr_db(reference(call), compiled(call)) > 30.0


@pytest.mark.model
def test_the_shipped_voice_speaks_with_it_beside_its_other_networks(tmp_path: Path) -> None:
    manifest = optimise_voice(SHANQUAN, tmp_path / "shanquan", ["int8-weights"], lambda _: None, TEXTS)
    assert manifest.networks["decoder"]["int8-weights"] == "decoder.int8-weights.npz"
    assert sum("int8-weights" in files for files in manifest.networks.values()) == 1
    voice = load_voice(tmp_path / "shanquan", EnginePlan(CHOICE))
    assert voice.engine.name == "onnx-cpu-fp32 decoder=numba-cpu-int8-weights"
    phonemes = voice.frontend.phonemes(TEXTS[0])
    assert phonemes is not None
    lengths, levels = [], []
    for engine in (voice.engine, BundleEngine(SHANQUAN, load_manifest(SHANQUAN))):
        synthesis = SegmentSynthesis(engine, voice.manifest, phonemes, Style())
        samples = np.concatenate([chunk.samples for chunk in iter(synthesis.advance, None)])
        lengths.append(samples.size)
        levels.append(float(np.sqrt(np.mean(np.square(samples)))))
    assert lengths[0] == lengths[1]  # durations are the encoder's
    assert levels[0] == pytest.approx(levels[1], rel=0.05)


def test_weights_that_are_shared_are_found(tmp_path: Path) -> None:
    """As the exporter writes a checkpoint in which two layers have the same bias."""
    model = onnx.load(SHANQUAN / "decoder.fp32.onnx")
    products = [node for node in model.graph.node if node.op_type == "Gemm"]
    first, second = products[3], products[7]  # qkv of two layers
    second.input[2] = "shared"
    model.graph.node.insert(0, onnx.helper.make_node("Identity", [first.input[2]], ["shared"]))
    onnx.save(model, tmp_path / "shared.onnx")
    assert write_decoder_weights(tmp_path / "shared.onnx", tmp_path / "x.npz")
    layers = load_decoder_weights(tmp_path / "x.npz").layers
    np.testing.assert_array_equal(layers[0].qkv.bias, layers[1].qkv.bias)


def test_what_is_no_decoder_step_is_left_out(tmp_path: Path) -> None:
    for network in ("encoder", "memory", "vocoder"):
        assert not write_decoder_weights(VOICES / "tiny_16k" / f"{network}.fp32.onnx", tmp_path / "x.npz")
    assert not (tmp_path / "x.npz").exists()


@pytest.mark.parametrize(("attribute", "value"), [("epsilon", 1e-5), ("alpha", 2.0)])
def test_a_step_that_the_engine_would_compute_otherwise_is_left_out(
    tmp_path: Path, attribute: str, value: float
) -> None:
    model = onnx.load(SHANQUAN / "decoder.fp32.onnx")
    for node in model.graph.node:
        for one in node.attribute:
            if one.name == attribute:
                one.f = value
    onnx.save(model, tmp_path / "changed.onnx")
    assert not write_decoder_weights(tmp_path / "changed.onnx", tmp_path / "x.npz")
