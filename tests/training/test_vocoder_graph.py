"""The vocoder of imported voices as a file: ONNX Runtime against PyTorch and the original code's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import onnxruntime
import pytest
import torch

from streaming.engines.fake import fake_manifest
from streaming.sambert_manifest import F0Rows, SambertManifest, VocoderSizes
from streaming.synthesis import vocoder as vocoder_module
from streaming.synthesis.engine import Array, NetworkName
from streaming.synthesis.excitation import Pitch
from streaming.synthesis.segment import grid_of
from streaming.synthesis.steps import run_steps
from streaming.synthesis.vocoder import VocoderStream
from streaming.types import FloatArray, MelChunk, Style
from tests.training.nets.test_streaming_vocoder import inputs
from tests.training.test_parity import expected, vocoder
from training.export import check_network, export_network
from training.graphs import block_ramp, vocoder_graph
from training.nets.config import HifiganConfig
from training.nets.hifigan import Generator
from training.nets.streaming_vocoder import StreamingVocoder

NON_CAUSAL = ("tiny_16k_noncausal", "tiny_16k_nsf")
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Exported:
    """A vocoder as a network and as a file; runs like an engine that has nothing else."""

    voice: str
    network: StreamingVocoder
    session: onnxruntime.InferenceSession
    name: str = "vocoder-only"

    def run(self, network: NetworkName, given: Mapping[str, Array]) -> dict[str, Array]:
        audio, state = self.session.run(None, dict(given))
        return {"audio": audio, "state": state}


@pytest.fixture(scope="module", params=NON_CAUSAL)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    network = StreamingVocoder(vocoder(request.param))
    path = tmp_path_factory.mktemp("vocoder") / "vocoder.onnx"
    graph = vocoder_graph(network, 80)
    export_network(graph, path)
    assert check_network(graph, path) <= TOLERANCE
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return Exported(request.param, network, session)


def manifest(network: StreamingVocoder) -> SambertManifest:
    base = fake_manifest().model_dump()
    base["n_mels"], base["acoustic"]["n_features"] = 80, 82
    base["f0"] = F0Rows(norm="mean_std", offset_hz=0.0, scale_hz=1.0).model_dump()
    base["vocoder"] = VocoderSizes(
        kind="nsf" if network.n_harmonics else "plain",
        lookahead_frames=network.lookahead_frames,
        state_size=network.layout.size,
        takes_edges=True,
    ).model_dump()
    base["block_frames"] = block_ramp(network.lookahead_frames)
    return SambertManifest.model_validate(base)


class RecordedHarmonics:
    """Hands out given rows [H, n_samples], a block's worth at a time."""

    def __init__(self, rows: FloatArray, hop_length: int) -> None:
        self.rows, self.hop_length = rows, hop_length

    def push(self, pitch: Pitch) -> FloatArray:
        n_samples = pitch.f0_hz.size * self.hop_length
        block, self.rows = self.rows[:, :n_samples], self.rows[:, n_samples:]
        return block


def draw(network: StreamingVocoder, n_frames: int, edges: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Random inputs; a first block starts from zeros, any other from anything."""
    generator = torch.Generator().manual_seed(n_frames)
    given = {"mel": torch.randn(1, n_frames, 80, generator=generator), "edges": torch.tensor(edges)}
    given["state"] = torch.randn(1, network.layout.size, generator=generator) * (1 - edges[0])
    if network.n_harmonics:
        n_samples = n_frames * network.hop_length
        given["excitation"] = 0.1 * torch.randn(1, network.n_harmonics, n_samples, generator=generator)
    return given


@pytest.mark.parametrize(("first", "last"), list(product((0, 1), (0, 1))))
@torch.no_grad()
def test_the_file_decides_by_the_edges_as_the_network(exported: Exported, first: int, last: int) -> None:
    lookahead = exported.network.lookahead_frames
    for n_frames in (lookahead + 1, lookahead + 4) if first and not last else (1, 5, 30):
        given = draw(exported.network, n_frames, (first, last))
        audio, state = exported.network(**given)
        found = exported.run("vocoder", {name: value.numpy() for name, value in given.items()})
        assert audio.size(1) == (n_frames + (last - first) * lookahead) * exported.network.hop_length
        np.testing.assert_allclose(found["audio"], audio.numpy(), atol=TOLERANCE)
        np.testing.assert_allclose(found["state"], state.numpy(), atol=TOLERANCE)


@pytest.mark.parametrize("sentence", ["e1", "e3", "e5"])
def test_the_stream_of_the_file_equals_the_original(
    exported: Exported, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mel, harmonics = inputs(exported.voice, sentence)
    voice, n_frames = manifest(exported.network), mel.size(1)
    if harmonics is not None:
        recorded = RecordedHarmonics(harmonics[0].numpy(), voice.hop_length)
        monkeypatch.setattr(vocoder_module, "make_excitation", lambda voice, seed: recorded)
    stream = VocoderStream(voice, Style(), n_frames)
    stream.push(MelChunk(np.pad(mel[0].numpy(), ((0, 0), (0, 2))), 0))
    grid = grid_of(voice)
    chunks = [
        run_steps(exported, stream.block(grid.block(index))) for index in range(grid.n_blocks(n_frames))
    ]
    audio = np.concatenate([chunk.samples for chunk in chunks])
    np.testing.assert_allclose(audio, expected(exported.voice, sentence)["audio"].numpy(), atol=2e-5)


def test_a_file_is_not_run_without_its_edges(exported: Exported) -> None:
    given = draw(exported.network, 5, (1, 1))
    del given["edges"]
    with pytest.raises(ValueError, match="edges"):
        exported.run("vocoder", {name: value.numpy() for name, value in given.items()})


def test_inputs_are_in_the_order_of_the_contract(exported: Exported) -> None:
    names = [entry.name for entry in exported.session.get_inputs()]
    excitation = ["excitation"] if exported.network.n_harmonics else []
    assert names == ["mel", *excitation, "edges", "state"]


def test_a_causal_vocoder_has_no_edges() -> None:
    network = StreamingVocoder(Generator(HifiganConfig(in_channels=8, channels=16)))
    assert list(vocoder_graph(network, 8).inputs) == ["mel", "state"]


def test_the_first_block_of_an_imported_voice_yields_four_frames() -> None:
    assert block_ramp(0) == (3, 6, 12, 16)
    assert block_ramp(18) == (21, 6, 12, 16)
