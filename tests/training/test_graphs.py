"""The encoder of every variant of the acoustic model: ONNX Runtime against PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from torch import Tensor

from streaming.text.symbols import SymbolTables
from tests.training.nets.small import largest_difference, sentence, small_sambert, with_some_pauses
from training.export import Graph, check_network, export_network
from training.graphs import acoustic_graphs, acoustic_sizes, encoder_graph
from training.nets.config import TableSizes
from training.nets.filled_pauses import FilledPauses
from training.nets.sambert import Sambert

TOLERANCE = 1e-5
NEUTRAL = 1
PAUSES = FilledPauses.spelled(SymbolTables())
CONTROLS = (torch.tensor([0.5]), torch.tensor([1.2]), torch.tensor([0.3]))
NEVER, ALWAYS = torch.tensor([9.0, 0.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 9.0, 0.0])


def exported(graph: Graph, folder: Path) -> onnxruntime.InferenceSession:
    path = folder / "encoder.onnx"
    export_network(graph, path)
    assert check_network(graph, path) <= TOLERANCE
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, graph: Graph, *inputs: Tensor) -> list[Tensor]:
    fed = {name: value.numpy() for name, value in zip(graph.inputs, inputs, strict=True)}
    return [torch.from_numpy(value) for value in session.run(None, fed)]


@torch.no_grad()
def worst_difference(
    session: onnxruntime.InferenceSession, graph: Graph, *inputs: Tensor
) -> tuple[float, list[Tensor]]:
    found = run(session, graph, *inputs)
    expected = graph.module(*inputs)
    return max(largest_difference(a, b) for a, b in zip(found, expected, strict=True)), found


def filling(network: Sambert, bias: Tensor) -> Sambert:
    """A network whose predictor sees nothing but its bias."""
    torch.nn.init.zeros_(network.FP_predictor.fc.weight)
    with torch.no_grad():
        network.FP_predictor.fc.bias.copy_(bias)
    return network


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[onnxruntime.InferenceSession, Graph]:
    graph = encoder_graph(small_sambert(), neutral_emotion=NEUTRAL)
    return exported(graph, tmp_path_factory.mktemp("plain")), graph


Plain = tuple[onnxruntime.InferenceSession, Graph]


@pytest.mark.parametrize("n_tokens", [1, 4, 30])
def test_controls_act_in_the_file_as_in_the_network(plain: Plain, n_tokens: int) -> None:
    difference, _ = worst_difference(*plain, *sentence(n_tokens, seed=2), *CONTROLS)
    assert difference <= TOLERANCE


def test_a_sentence_longer_than_the_position_table_is_encoded_by_the_file(tmp_path: Path) -> None:
    graph = encoder_graph(small_sambert(max_len=16))
    difference, _ = worst_difference(exported(graph, tmp_path), graph, *sentence(50, seed=2), *CONTROLS)
    assert difference <= TOLERANCE


def test_plain_controls_change_no_bit_in_the_file(plain: Plain, tmp_path: Path) -> None:
    ones, zeros, inputs = torch.ones(1), torch.zeros(1), sentence(12, seed=2)
    found = run(*plain, *inputs, ones, ones, zeros)
    rows = small_sambert().emo_tokenizer(inputs[1])
    assert torch.equal(found[2], rows)
    bare = encoder_graph(small_sambert())
    without = run(exported(bare, tmp_path), bare, *inputs, ones, ones, zeros)
    assert all(torch.equal(a, b) for a, b in zip(found, without, strict=True))


def test_every_input_of_the_contract_is_in_every_file(tmp_path: Path) -> None:
    session = exported(encoder_graph(small_sambert(SE=True), torch.randn(1, 4)), tmp_path)
    assert [entry.name for entry in session.get_inputs()] == [
        "ling",
        "emotion",
        "speaker",
        "emotion_intensity",
        "pitch_scale",
        "pitch_shift",
    ]


def test_a_byte_model_reads_one_column(tmp_path: Path) -> None:
    network = small_sambert(tables=TableSizes(byte_index=259))
    assert network.state_dict()["text_encoder.byte_index_emb.weight"].shape == (259, 32)
    assert not [key for key in network.state_dict() if key.startswith("text_encoder.sy_emb")]
    graph = encoder_graph(network, neutral_emotion=NEUTRAL)
    ids = torch.tensor([[*"好。".encode()]])
    session = exported(graph, tmp_path)
    inputs = (ids.unsqueeze(-1), torch.full_like(ids, 5), torch.zeros_like(ids))
    difference, found = worst_difference(session, graph, *inputs, *CONTROLS)
    assert difference <= TOLERANCE
    assert found[0].shape == (1, 6, 8)
    assert network.infer(*inputs).n_frames > 0


def test_a_voice_may_fill_some_pauses(tmp_path: Path) -> None:
    inputs = sentence(9, seed=4)
    graph = encoder_graph(with_some_pauses(small_sambert(FP=True), inputs[0]), pauses=PAUSES)
    session = exported(graph, tmp_path)
    difference, found = worst_difference(session, graph, *inputs, *CONTROLS)
    assert difference <= TOLERANCE
    assert 9 < found[-1].size(1) < 36
    for n_tokens in (1, 2, 33):
        others = sentence(n_tokens, seed=n_tokens)
        assert worst_difference(session, graph, *others, *CONTROLS)[0] <= TOLERANCE


@pytest.mark.parametrize(("bias", "rows_per_token"), [(NEVER, 1), (ALWAYS, 4)])
@pytest.mark.parametrize("speaker_vector", [None, torch.ones(1, 4)])
def test_a_voice_may_fill_no_pause_or_all(
    bias: Tensor, rows_per_token: int, speaker_vector: Tensor | None, tmp_path: Path
) -> None:
    network = filling(small_sambert(FP=True, SE=speaker_vector is not None), bias)
    graph = encoder_graph(network, speaker_vector, NEUTRAL, PAUSES)
    difference, found = worst_difference(exported(graph, tmp_path), graph, *sentence(6, seed=1), *CONTROLS)
    assert difference <= TOLERANCE
    assert all(value.size(1) == 6 * rows_per_token for value in found)
    token = found[-1][0]
    assert token[token >= 0].tolist() == list(range(6))


def test_an_encoder_that_fills_pauses_refuses_two_sentences(tmp_path: Path) -> None:
    graph = encoder_graph(small_sambert(FP=True), pauses=PAUSES)
    pair = [torch.cat([part, part]) for part in sentence(4)]
    with pytest.raises(InvalidArgument, match="invalid dimensions"):
        run(exported(graph, tmp_path), graph, *pair, *(torch.ones(2) for _ in range(3)))


def test_a_voice_whose_pauses_stay_unfilled_has_the_plain_contract(tmp_path: Path) -> None:
    graph = acoustic_graphs(small_sambert(FP=True), neutral_emotion=NEUTRAL)["encoder"]
    names = [entry.name for entry in exported(graph, tmp_path).get_outputs()]
    assert names == ["aug", "spk", "emo", "log_durations", "pitch", "energy"]


def test_the_manifest_says_whether_tokens_are_inserted() -> None:
    assert not acoustic_sizes(small_sambert()).inserts_tokens
    assert acoustic_sizes(small_sambert(FP=True), inserts_tokens=True).inserts_tokens


def test_rows_of_a_batch_are_independent(plain: Plain) -> None:
    session, graph = plain
    first, second = sentence(8, seed=1), sentence(8, seed=2)
    controls = np.array([[0.5, 1.5], [0.8, 1.2], [-0.1, 0.3]], np.float32)
    both = run(
        session,
        graph,
        *(torch.cat(pair) for pair in zip(first, second, strict=True)),
        *torch.from_numpy(controls),
    )
    alone = run(session, graph, *second, *torch.from_numpy(controls[:, 1:].copy()))
    for found, expected in zip(both, alone, strict=True):
        assert largest_difference(found[1:], expected) <= TOLERANCE
