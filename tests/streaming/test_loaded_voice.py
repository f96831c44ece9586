from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.engines.bundle import BundleEngine
from streaming.engines.choice import Choice, EnginePlan
from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.errors import VoiceBundleError
from streaming.frontends import MuteFrontend
from streaming.loaded_voice import WARM_UP_TOKENS, LoadedVoice, load_voice
from streaming.sambert_manifest import as_sambert
from streaming.text.byte_frontend import ByteFrontend
from streaming.voice import load_manifest
from tests.streaming.doubles import VOICES, CharFrontend


class SpyEngine(FakeEngine):
    """Keeps the ids that the encoder was given."""

    def __init__(self) -> None:
        super().__init__()
        self.ling: list[np.ndarray] = []

    def run(self, network, inputs):
        if network == "encoder":
            self.ling.append(inputs["ling"])
            inputs = {**inputs, "ling": np.resize(inputs["ling"], (*inputs["ling"].shape[:2], 4))}
        return super().run(network, inputs)


def test_warming_up_speaks_a_sentence_through_every_network():
    engine = FakeEngine()
    LoadedVoice(fake_manifest(), engine, CharFrontend()).warm_up()
    assert set(engine.calls) == set(fake_manifest().network_names)


def test_what_runtimes_are_compared_on_has_a_past():
    """Also where the first block, of a vocoder that looks ahead, is the largest."""
    manifest = fake_manifest().model_copy(update={"block_frames": (21, 6, 12, 16)})
    calls = {call.network: call for call in LoadedVoice(manifest, FakeEngine(), CharFrontend()).warm_up()}
    steps, step = calls["decoder"].inputs, calls["decoder"].example()
    assert 1 < steps["row"].shape[1] < 11
    assert np.any(step["prev"])
    assert np.isfinite(step["self_mask"]).sum() > 1


def test_a_voice_that_no_frontend_pronounces_is_warmed_up_with_made_up_tokens():
    engine = SpyEngine()
    LoadedVoice(fake_manifest(), engine, MuteFrontend("none")).warm_up()
    assert [ids.shape for ids in engine.ling] == [(1, WARM_UP_TOKENS, 4)]


def test_a_byte_voice_is_warmed_up_with_bytes():
    engine = SpyEngine()
    manifest = fake_manifest().model_copy(update={"symbols": "bytes"})
    LoadedVoice(manifest, engine, ByteFrontend()).warm_up()
    assert engine.ling[0].shape[2] == 1


def test_a_bundle_whose_networks_disagree_with_its_manifest_cannot_speak():
    folder = VOICES / "tiny_16k"
    manifest = as_sambert(load_manifest(folder))
    wrong = manifest.model_copy(update={"vocoder": manifest.vocoder.model_copy(update={"state_size": 7})})
    with pytest.raises(VoiceBundleError, match="cannot speak"):
        LoadedVoice(wrong, BundleEngine(folder, manifest), CharFrontend()).warm_up()


def content(engine: FakeEngine | None = None, **fields: object) -> str:
    manifest = fake_manifest().model_copy(update=fields)
    return LoadedVoice(manifest, engine or FakeEngine(), CharFrontend()).content


def test_the_digest_tells_voices_apart_that_may_sound_different():
    class OtherRuntime(FakeEngine):
        name = "fake-cpu-int8"

    others = [
        content(sha256={"vocoder.onnx": "0" * 64}),
        content(block_frames=(5, 9)),
        content(symbols="bytes"),
        content(name="other"),
        content(OtherRuntime()),
    ]
    assert len({content(), *others}) == 1 + len(others)


def test_the_digest_does_not_change_with_what_is_only_said_about_a_voice():
    said = content(description="new", licence="new", provenance="new", quality={"measured": 1})
    assert said == content()


def test_a_bundle_is_loaded_with_its_own_networks():
    voice = load_voice(VOICES / "tiny_16k")
    assert voice.manifest.name == "tiny_16k"
    assert voice.engine.name == "onnx-cpu-fp32"


def test_a_precision_that_the_bundle_lacks_is_refused(tmp_path: Path):
    with pytest.raises(VoiceBundleError, match="precision 'fp16'; known: fp32"):
        load_voice(VOICES / "tiny_16k", EnginePlan(Choice(precision="fp16")))
