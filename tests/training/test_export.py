"""Exported graphs against their networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from streaming.engines.bundle import BundleEngine
from streaming.sambert_manifest import as_sambert
from streaming.synthesis.excitation import HarmonicNoiseExcitation, Pitch
from streaming.voice import load_manifest
from tests.streaming.doubles import VOICES
from tests.training.imported import reference, streamed_audio, streamed_mel
from training.export import ExportError, Graph, check_network, export_network
from training.graphs import acoustic_graphs
from training.nets.config import SambertConfig
from training.nets.sambert import Sambert
from training.nets.source import harmonic_noise_excitation


def test_the_committed_test_voice_speaks_like_the_original():
    manifest = as_sambert(load_manifest(VOICES / "tiny_16k"))
    engine, expected = BundleEngine(VOICES / "tiny_16k", manifest), reference("tiny_16k", "e1")
    np.testing.assert_allclose(
        streamed_mel(engine, manifest, expected), expected["postnet_outputs"], atol=2e-5
    )
    audio = streamed_audio(engine, manifest, expected["postnet_outputs"])
    np.testing.assert_allclose(audio, expected["audio"], atol=1e-4)


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


def test_a_voice_with_a_speaker_vector_keeps_the_contract(tmp_path: Path):
    config = SambertConfig(
        SE=True, speaker_units=6, encoder_num_layers=1, decoder_num_layers=1, postnet_fsmn_num_layers=1
    )
    graph = acoustic_graphs(Sambert(config).eval(), torch.randn(1, 6))["encoder"]
    export_network(graph, tmp_path / "encoder.onnx")
    assert check_network(graph, tmp_path / "encoder.onnx") < 1e-4


def test_the_torch_twin_of_the_excitation_equals_the_serving_one():
    f0 = np.random.default_rng(0).uniform(80.0, 400.0, 12)
    served = HarmonicNoiseExcitation(200, 16_000, 3).push(Pitch(f0, np.ones(12)))
    twin = harmonic_noise_excitation(
        torch.from_numpy(f0)[None], 200, 16_000, torch.zeros(1), torch.from_numpy(served[1:2])
    )[0].numpy()
    np.testing.assert_allclose(twin, served, atol=1e-3)
