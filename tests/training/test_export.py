"""Exported graphs on the real engine, held against the original code's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from streaming.engines.onnx import OnnxEngine
from streaming.synthesis import vocoder as vocoder_module
from streaming.synthesis.acoustic import AcousticStream
from streaming.synthesis.excitation import (
    HarmonicNoiseExcitation,
    NsfExcitation,
    Pitch,
    harmonic_phase,
    nsf_excitation,
)
from streaming.synthesis.segment import grid_of
from streaming.synthesis.vocoder import VocoderStream
from streaming.types import FloatArray, MelChunk, Phonemes, Style
from streaming.voice import VoiceManifest, load_manifest, verify_files
from tests.streaming.doubles import VOICES
from training.export import ExportError, Graph, check_network, export_network
from training.graphs import acoustic_graphs
from training.import_voice import import_voice, main
from training.nets.config import SambertConfig
from training.nets.sambert import Sambert
from training.nets.source import harmonic_noise_excitation

PARITY = Path(__file__).parents[1] / "data" / "parity"
SENTENCES = ("e1", "e3", "e5")
NAMES = ("tiny_16k", "tiny_24k_nsf_causal")

Bundle = tuple[str, OnnxEngine, VoiceManifest]


@pytest.fixture(scope="module", params=NAMES)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("voices") / request.param
    manifest = import_voice(PARITY / request.param, folder, "Apache-2.0")
    assert load_manifest(folder) == manifest
    verify_files(folder, manifest)
    return request.param, OnnxEngine(folder, manifest), manifest


def reference(name: str, sentence: str) -> dict[str, np.ndarray]:
    return dict(np.load(PARITY / name / f"{sentence}.npz"))


def style_of(manifest: VoiceManifest, expected: dict[str, np.ndarray]) -> Style:
    emotion = next(name for name, index in manifest.emotions.items() if index == expected["emotion"][0, 0])
    return Style(speaker=manifest.speakers[expected["speaker"][0, 0]], emotion=emotion)


def streamed_mel(engine: OnnxEngine, manifest: VoiceManifest, expected: dict[str, np.ndarray]) -> FloatArray:
    ids = expected["ling"][0]
    stream = AcousticStream(engine, manifest, Phonemes(("",) * len(ids), ids), style_of(manifest, expected))
    plan = stream.encode()
    assert plan.n_frames == expected["n_frames"]
    assert plan.band_width == expected["band_width"]
    grid = grid_of(manifest)
    blocks = range(grid.n_blocks(plan.n_frames))
    return np.concatenate([stream.frames(grid.block(index)).frames for index in blocks])


def streamed_audio(engine: OnnxEngine, manifest: VoiceManifest, mel: FloatArray) -> FloatArray:
    stream = VocoderStream(engine, manifest, Style(), mel.shape[0])
    stream.push(MelChunk(mel, 0))
    grid = grid_of(manifest)
    blocks = range(grid.n_blocks(mel.shape[0]))
    return np.concatenate([stream.block(grid.block(index)).samples for index in blocks])


class RecordedDraws(NsfExcitation):
    """Uses the random draws of the reference run, padded with silence beyond its end."""

    def __init__(self, manifest: VoiceManifest, expected: dict[str, np.ndarray]) -> None:
        super().__init__(manifest.hop_length, manifest.sample_rate, 0)
        self._initial_phase = expected["nsf_phase"][0, :, 0].astype(np.float64)
        self._initial_phase[0] = 0.0
        self._noise = np.pad(expected["nsf_noise"][0], ((0, 0), (0, 64 * manifest.hop_length)))

    def push(self, pitch: Pitch) -> FloatArray:
        phase, self._carry_cycles = harmonic_phase(
            pitch.f0_hz, self._carry_cycles, self._hop_length, self._sample_rate
        )
        noise = self._noise[:, self._next_sample : self._next_sample + phase.shape[1]]
        self._next_sample += phase.shape[1]
        return nsf_excitation(phase, self._initial_phase, noise, np.repeat(pitch.voiced, self._hop_length))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_streamed_mel_equals_the_original(bundle: Bundle, sentence: str):
    name, engine, manifest = bundle
    expected = reference(name, sentence)
    mel = streamed_mel(engine, manifest, expected)
    np.testing.assert_allclose(mel, expected["postnet_outputs"], atol=2e-5)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_streamed_audio_equals_the_original(bundle: Bundle, sentence: str, monkeypatch: pytest.MonkeyPatch):
    name, engine, manifest = bundle
    expected = reference(name, sentence)
    if manifest.f0:
        draws = RecordedDraws(manifest, expected)
        monkeypatch.setattr(vocoder_module, "make_excitation", lambda voice, seed: draws)
    # From the given mel: a phase that runs for seconds magnifies the last bit of F0.
    audio = streamed_audio(engine, manifest, expected["postnet_outputs"])
    np.testing.assert_allclose(audio, expected["audio"], atol=1e-4)


@pytest.mark.parametrize("bundle", ["tiny_16k"], indirect=True)
def test_the_committed_test_voice_speaks_like_a_fresh_export(bundle: Bundle):
    name, engine, manifest = bundle
    committed = load_manifest(VOICES / name)
    expected = reference(name, "e1")
    found, fresh = (
        streamed_mel(used, described, expected)
        for used, described in ((OnnxEngine(VOICES / name, committed), committed), (engine, manifest))
    )
    np.testing.assert_allclose(found, fresh, atol=1e-5)


class Doubler(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 2.0 * x, x + 1.0


DOUBLER = Graph(Doubler(), {"x": torch.ones(1, 7)}, ("x", "y"), {"x": {1: "frames"}, "y": {1: "frames"}})


def test_an_output_named_like_an_input_is_kept_apart(tmp_path: Path):
    export_network(DOUBLER, tmp_path / "x.onnx")
    assert check_network(DOUBLER, tmp_path / "x.onnx") == 0.0


def test_a_graph_that_differs_from_its_network_is_refused(tmp_path: Path):
    export_network(DOUBLER, tmp_path / "x.onnx")

    class Tripler(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return 3.0 * x, x + 1.0

    with pytest.raises(ExportError, match=r"x\.onnx differs from PyTorch by"):
        check_network(Graph(Tripler(), DOUBLER.inputs, DOUBLER.outputs, DOUBLER.axes), tmp_path / "x.onnx")


def test_a_graph_that_froze_a_length_is_refused(tmp_path: Path):
    class Frozen(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
            return (x + torch.arange(int(x.size(1))).float(),)

    graph = Graph(Frozen(), {"x": torch.ones(1, 7)}, ("y",), {"x": {1: "frames"}, "y": {1: "frames"}})
    export_network(graph, tmp_path / "x.onnx")
    with pytest.raises(Exception, match=r"x\.onnx|Add"):
        check_network(graph, tmp_path / "x.onnx")


def test_no_manifest_is_written_when_a_network_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(graph: Graph, path: Path) -> float:
        raise ExportError(path.name)

    monkeypatch.setattr("training.export.check_network", refuse)
    with pytest.raises(ExportError, match="encoder"):
        import_voice(PARITY / "tiny_16k", tmp_path / "tiny_16k", "Apache-2.0")
    assert not (tmp_path / "tiny_16k" / "voice.yaml").exists()


def test_a_vocoder_that_looks_ahead_cannot_be_imported(tmp_path: Path):
    with pytest.raises(ValueError, match="causal"):
        import_voice(PARITY / "tiny_16k_noncausal", tmp_path / "noncausal", "Apache-2.0")


def test_a_voice_with_a_speaker_vector_keeps_the_contract(tmp_path: Path):
    config = SambertConfig(
        SE=True, speaker_units=6, encoder_num_layers=1, decoder_num_layers=1, postnet_fsmn_num_layers=1
    )
    graph = acoustic_graphs(Sambert(config).eval(), torch.randn(1, 6))["encoder"]
    export_network(graph, tmp_path / "encoder.onnx")
    assert check_network(graph, tmp_path / "encoder.onnx") < 1e-4


def test_the_command_line_writes_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    target = tmp_path / "tiny_16k"
    assert main([str(PARITY / "tiny_16k"), str(target), "--licence", "Apache-2.0"]) == 0
    assert load_manifest(target).licence == "Apache-2.0"


def test_the_torch_twin_of_the_excitation_equals_the_serving_one():
    f0 = np.random.default_rng(0).uniform(80.0, 400.0, 12)
    served = HarmonicNoiseExcitation(200, 16_000, 3).push(Pitch(f0, np.ones(12)))
    twin = harmonic_noise_excitation(
        torch.from_numpy(f0)[None], 200, 16_000, torch.zeros(1), torch.from_numpy(served[1:2])
    )[0].numpy()
    np.testing.assert_allclose(twin, served, atol=1e-3)
