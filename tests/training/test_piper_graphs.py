"""Where graphs are cut and how far their decoders look, on graphs made by hand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto, helper

from training.piper_graphs import PiperGraphs, cut_piper
from training.untrusted import CheckpointError

OPSET = [helper.make_opsetid("", 15)]
# kind, stride, kernel, dilation -> frames of context, by hand. A transposed kernel of 8 at stride 4 with
# 2 pads reaches one frame to each side, one of 4 none.
REACHES = [
    ([("Conv", 1, 7, 1)], 3),
    ([("Conv", 1, 3, 5)], 5),
    ([("Conv", 1, 1, 1)], 0),
    ([("ConvTranspose", 4, 8, 1)], 1),
    ([("ConvTranspose", 4, 4, 1)], 0),
    ([("Conv", 1, 3, 1), ("ConvTranspose", 4, 8, 1)], 2),
    ([("ConvTranspose", 4, 4, 1), ("Conv", 1, 3, 1)], 1),
    ([("ConvTranspose", 4, 4, 1), ("Conv", 1, 9, 1)], 1),
    ([("ConvTranspose", 4, 4, 1), ("Conv", 1, 11, 1)], 2),
    ([("ConvTranspose", 2, 4, 1), ("ConvTranspose", 3, 5, 1), ("Conv", 1, 5, 2)], 2),
]


def value(name: str, kind: int = TensorProto.FLOAT, rank: int = 1) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [None] * rank)


def weights(name: str, shape: Iterable[int]) -> onnx.TensorProto:
    shape = tuple(shape)
    content = np.random.default_rng(len(name)).normal(size=shape).astype(np.float32)
    return helper.make_tensor(name, TensorProto.FLOAT, shape, content.ravel())


def layer(
    index: int, kind: str, stride: int, kernel: int, dilation: int
) -> tuple[NodeProto, onnx.TensorProto]:
    surplus = dilation * (kernel - 1) + (1 - stride if kind == "ConvTranspose" else 0)
    pads = [surplus // 2, surplus - surplus // 2]
    node = helper.make_node(
        kind, [f"v{index}", f"w{index}"], [f"v{index + 1}"], pads=pads, strides=[stride], dilations=[dilation]
    )
    return node, weights(f"w{index}", (1, 1, kernel))


def model(
    decoder: list[NodeProto], tensors: list[onnx.TensorProto], output: str, extra: Iterable[NodeProto] = ()
) -> onnx.ModelProto:
    """Latent frames are the ids with noise on them; the decoder starts with `v0`."""
    nodes = [
        helper.make_node("Cast", ["input"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("RandomNormalLike", ["real"], ["drawn"], name="draw"),
        helper.make_node("Add", ["real", "drawn"], ["noisy"]),
        helper.make_node("Unsqueeze", ["noisy", "one"], ["v0"]),
        *extra,
        *decoder,
    ]
    inputs = [
        value("input", TensorProto.INT64, 2),
        value("input_lengths", TensorProto.INT64),
        value("scales"),
        value("sid", TensorProto.INT64),
    ]
    one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(nodes, "made", inputs, [value(output, rank=3)], [one, *tensors])
    made = helper.make_model(graph, opset_imports=OPSET, ir_version=8)
    onnx.checker.check_model(made)
    return made


def stacked(layers: list[tuple[str, int, int, int]]) -> onnx.ModelProto:
    """A stack of layers behind a convolution of one value and a transposed one that changes nothing."""
    parts = [
        layer(i, *each) for i, each in enumerate([("Conv", 1, 1, 1), ("ConvTranspose", 1, 1, 1), *layers])
    ]
    return model([node for node, _ in parts], [stored for _, stored in parts], f"v{len(parts)}")


def run(network: onnx.ModelProto, **inputs: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, inputs)
    return found


def encoder_inputs(n_ids: int, noise: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "input": np.arange(n_ids, dtype=np.int64)[None],
        "input_lengths": np.array([n_ids], np.int64),
        "scales": np.ones(3, np.float32),
        "speaker": np.zeros(1, np.int64),
        "noise": noise.astype(np.float32),
    }


@pytest.mark.parametrize(("layers", "context"), REACHES, ids=[str(index) for index in range(len(REACHES))])
def test_the_context_is_what_the_kernels_reach_and_no_frame_more(
    layers: list[tuple[str, int, int, int]], context: int
) -> None:
    graphs = cut_piper(stacked(layers))
    assert graphs.uncut_because == ""
    assert graphs.hop_length == np.prod([stride for _, stride, _, _ in layers])
    assert graphs.context_frames == context
    assert touched_frames(graphs) == context


def touched_frames(graphs: PiperGraphs, n_frames: int = 21) -> int:
    """How many frames away from it a changed frame is still heard, on the farther side."""
    middle = n_frames // 2
    silence = np.zeros((1, 1, n_frames), np.float32)
    click = silence.copy()
    click[0, 0, middle] = 1.0
    [before], [after] = (run(graphs.decoder, latent=latent) for latent in (silence, click))
    changed = np.flatnonzero(np.abs(after - before).reshape(n_frames, -1).max(axis=1))
    return int(np.abs(changed - middle).max())


def test_noise_is_read_from_its_row_again_and_again() -> None:
    graphs = cut_piper(stacked([]))
    assert graphs.n_noises == 1
    noise = np.array([[0.5, -0.5, 0.25]])
    [latent] = run(graphs.encoder, **encoder_inputs(7, noise))
    np.testing.assert_array_equal(latent, np.arange(7)[None, None] + np.resize(noise[0], 7))


def test_what_the_speaker_adds_to_the_decoder_crosses_the_cut() -> None:
    first, second = layer(0, "Conv", 1, 3, 1), layer(2, "ConvTranspose", 2, 4, 1)
    crossing = [
        helper.make_node("Cast", ["sid"], ["speaker_real"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["speaker_real", "three"], ["speaker_vector"]),
    ]
    three = helper.make_tensor("three", TensorProto.INT64, [3], [1, 1, 1])
    nodes = [*crossing, first[0], helper.make_node("Add", ["speaker_vector", "v1"], ["v2"]), second[0]]
    graphs = cut_piper(model(nodes, [first[1], second[1], three], "v3"))
    assert graphs.takes_speaker
    assert graphs.uncut_because == ""
    inputs = encoder_inputs(5, np.zeros((1, 4))) | {"speaker": np.array([3], np.int64)}
    latent, conditioning = run(graphs.encoder, **inputs)
    assert conditioning.tolist() == [[[3.0]]]
    [audio] = run(graphs.decoder, latent=latent, conditioning_0=conditioning)
    assert audio.shape == (1, 5 * 2)


@pytest.mark.parametrize(
    ("decoder", "reason"),
    [
        ([helper.make_node("Tanh", ["v0"], ["v1"])], "no transposed convolution"),
        (
            [helper.make_node("ConvTranspose", ["v0", "w0"], ["v1"], strides=[1])],
            "before the first transposed",
        ),
        (
            [
                helper.make_node("Conv", ["v0", "w0"], ["a"]),
                helper.make_node("ConvTranspose", ["a", "w0"], ["b"]),
                helper.make_node("Softmax", ["b"], ["v1"]),
            ],
            "Softmax",
        ),
        (
            [
                helper.make_node("Conv", ["v0", "w3"], ["a"]),
                helper.make_node("ConvTranspose", ["a", "w0"], ["v1"]),
            ],
            "changes the length by 2",
        ),
        (
            [
                helper.make_node("Conv", ["v0", "w3"], ["a"], auto_pad="SAME_UPPER"),
                helper.make_node("ConvTranspose", ["a", "w0"], ["v1"]),
            ],
            "not a plain one-dimensional convolution",
        ),
        (
            [
                helper.make_node("Conv", ["v0", "w0"], ["a"]),
                helper.make_node("ConvTranspose", ["a", "w0"], ["b"]),
                helper.make_node("Conv", ["b", "w0"], ["v1"], strides=[2]),
            ],
            "drops values",
        ),
        (
            [
                helper.make_node("Conv", ["v0", "w0"], ["a"]),
                helper.make_node("ConvTranspose", ["a", "w0"], ["b"]),
                helper.make_node("Add", ["b", "real"], ["v1"]),
            ],
            "'real' besides the latent frames",
        ),
    ],
)
def test_a_graph_of_another_make_is_left_whole_and_says_why(decoder: list[NodeProto], reason: str) -> None:
    tensors = [weights("w0", (1, 1, 1)), weights("w3", (1, 1, 3))]
    graphs = cut_piper(model(decoder, tensors, "v1"))
    assert reason in graphs.uncut_because
    assert (graphs.hop_length, graphs.context_frames) == (1, 0)
    [latent] = run(graphs.encoder, **encoder_inputs(6, np.zeros((1, 4))))
    [audio] = run(graphs.decoder, latent=latent)
    np.testing.assert_array_equal(audio, latent)


def test_outputs_besides_the_audio_are_dropped() -> None:
    made = stacked([("ConvTranspose", 4, 8, 1)])
    made.graph.output.append(value("noisy", rank=2))  # as Piper adds how long each phoneme lasts
    graphs = cut_piper(made)
    assert [output.name for output in graphs.encoder.graph.output] == ["latent"]
    assert [output.name for output in graphs.decoder.graph.output] == ["audio"]


def test_inputs_of_another_kind_are_refused() -> None:
    made = stacked([])
    made.graph.input[2].type.tensor_type.elem_type = TensorProto.DOUBLE
    with pytest.raises(
        CheckpointError, match="inputs are input, input_lengths, scales, sid; those of a Piper"
    ):
        cut_piper(made)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (helper.make_node("RandomNormalLike", ["real"], ["x"], mean=1.0), "not of mean 0 and variance 1"),
        (helper.make_node("RandomUniformLike", ["real"], ["x"]), "by RandomUniformLike"),
        (helper.make_node("Identity", ["real"], ["noise"]), "a value of the name 'noise'"),
        (helper.make_node("Identity", ["real"], ["conditioning_7"]), "'conditioning_7'"),
    ],
)
def test_noise_of_another_kind_and_our_names_are_refused(node: NodeProto, message: str) -> None:
    made = model([], [], "v0", [node])
    with pytest.raises(CheckpointError, match=message):
        cut_piper(made)
