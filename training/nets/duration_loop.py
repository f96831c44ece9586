"""The duration predictor's loop over tokens, in a form that exports as one ONNX Scan.

Input   condition [B, N, V] = [aug | speaker | emotion]
Output  log durations log(1 + frames) [B, N]
State   inside one call

In PyTorch this is `DurationPredictor.infer`. The exporter writes one placeholder node for it, and
`insert_scan` puts a Scan in its place, built by hand: a loop that PyTorch scripts becomes 122 nodes per token
and copies its list of outputs at every turn (about 150 µs a token), this one has 12 and takes 20 µs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from training.nets.variance import DurationPredictor

DOMAIN = "zhiyin"
PLACEHOLDER = "DurationLoop"
_PREFIX = "duration_loop."  # of all names that the Scan brings


class _FreeRunning(torch.autograd.Function):
    """Runs the predictor; in an exported graph it is the placeholder."""

    @staticmethod
    def forward(ctx: Any, condition: Tensor, predictor: DurationPredictor) -> Tensor:
        """Predict log durations [B, N]."""
        del ctx
        return predictor.infer(condition)

    @staticmethod
    def symbolic(g: Any, condition: Any, predictor: DurationPredictor) -> Any:
        """Write the placeholder node."""
        del predictor
        output = g.op(f"{DOMAIN}::{PLACEHOLDER}", condition)
        output.setType(condition.type().with_sizes([None, None]))
        return output


class DurationLoop(nn.Module):
    """Free-running duration prediction, ready for export."""

    def __init__(self, predictor: DurationPredictor) -> None:
        """Take the predictor.

        Raises:
            ValueError: Its prenet does not have exactly two layers.
        """
        super().__init__()
        if len(_linear_layers(predictor)) != 2:
            raise ValueError(f"the duration prenet has {len(_linear_layers(predictor))} layers, expected 2")
        self.predictor = predictor

    def forward(self, condition: Tensor) -> Tensor:
        """Predict log durations [B, N] of the condition [B, N, V]."""
        durations: Tensor = _FreeRunning.apply(condition, self.predictor)
        return durations

    def insert_scan(self, model: onnx.ModelProto) -> None:
        """Replace the placeholder in an exported model, in place.

        Raises:
            ValueError: The model has no placeholder, or more than one.
        """
        places = [index for index, node in enumerate(model.graph.node) if node.op_type == PLACEHOLDER]
        if len(places) != 1:
            raise ValueError(f"the model has {len(places)} duration loops, expected 1")
        placeholder = model.graph.node[places[0]]
        scan = _DurationScan(self.predictor)
        nodes = scan.nodes(placeholder.input[0], placeholder.output[0])
        following = list(model.graph.node)[places[0] + 1 :]
        del model.graph.node[places[0] :]
        model.graph.node.extend([*nodes, *following])
        model.graph.initializer.extend(scan.initializers)
        kept = [opset for opset in model.opset_import if opset.domain != DOMAIN]
        del model.opset_import[:]
        model.opset_import.extend(kept)


def _linear_layers(predictor: DurationPredictor) -> list[nn.Linear]:
    return [layer for layer in predictor.prenet.fcs if isinstance(layer, nn.Linear)]


def _onnx_gates(weight: Tensor) -> NDArray[np.float32]:
    """Reorder the rows of LSTM weights from PyTorch's i, f, g, o to ONNX's i, o, f, c."""
    i, f, g, o = weight.detach().numpy().reshape(4, -1, *weight.shape[1:])
    return np.concatenate([i, o, f, g])


class _DurationScan:
    """The Scan with its weights as initializers of the outer graph."""

    def __init__(self, predictor: DurationPredictor) -> None:
        self.initializers: list[onnx.TensorProto] = []
        self._units = predictor.lstm.hidden_size
        self._n_condition = predictor.lstm.input_size - _linear_layers(predictor)[1].out_features
        for name, layer in zip(
            ("first", "second", "out"), (*_linear_layers(predictor), predictor.fc), strict=True
        ):
            self._add(f"{name}_weight", layer.weight.detach().numpy().T)
            self._add(f"{name}_bias", layer.bias.detach().numpy())
        for layer_index in (0, 1):
            weight = predictor.lstm.get_parameter
            self._add(f"input_{layer_index}", _onnx_gates(weight(f"weight_ih_l{layer_index}"))[None])
            self._add(f"recurrence_{layer_index}", _onnx_gates(weight(f"weight_hh_l{layer_index}"))[None])
            biases = [_onnx_gates(weight(f"bias_{kind}_l{layer_index}")) for kind in ("ih", "hh")]
            self._add(f"bias_{layer_index}", np.concatenate(biases)[None])
        self._add("one", np.array([1], np.int64))
        self._add("two", np.array([2], np.int64))
        self._add("zero", np.array([0], np.int64))
        self._add("units", np.array([self._units], np.int64))

    def _add(self, name: str, values: NDArray[Any]) -> None:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), _PREFIX + name))

    def nodes(self, condition: str, durations: str) -> list[onnx.NodeProto]:
        """Return the nodes from `condition` [B, N, V] to `durations` [B, N]."""
        make, name = helper.make_node, _PREFIX.__add__
        states = ["value", "hidden_0", "cell_0", "hidden_1", "cell_1"]
        finals = [name(f"final_{state}") for state in states]
        start = [name("start_value"), *[name("start_state")] * 4]
        return [
            make("Shape", [condition], [name("batch")], start=0, end=1),
            make("Concat", [name("batch"), name("one")], [name("value_shape")], axis=0),
            make("Concat", [name("one"), name("batch"), name("units")], [name("state_shape")], axis=0),
            make("ConstantOfShape", [name("value_shape")], [name("start_value")]),
            make("ConstantOfShape", [name("state_shape")], [name("start_state")]),
            make(
                "Scan",
                [*start, condition],
                [*finals, name("stacked")],
                body=self._body(),
                num_scan_inputs=1,
                scan_input_axes=[1],
                scan_output_axes=[1],
            ),
            make("Squeeze", [name("stacked"), name("two")], [durations]),
        ]

    def _body(self) -> onnx.GraphProto:
        """One token: previous value and LSTM states in, the next ones and the value out."""
        make, name = helper.make_node, _PREFIX.__add__
        nodes = [
            make("Gemm", ["value", name("first_weight"), name("first_bias")], ["first"]),
            make("Relu", ["first"], ["first_active"]),
            make("Gemm", ["first_active", name("second_weight"), name("second_bias")], ["second"]),
            make("Relu", ["second"], ["second_active"]),
            make("Concat", ["second_active", "condition"], ["joined"], axis=1),
            make("Unsqueeze", ["joined", name("zero")], ["layer_0"]),
            self._lstm(0, "layer_0"),
            self._lstm(1, "next_hidden_0"),
            make("Squeeze", ["next_hidden_1", name("zero")], ["top"]),
            make("Gemm", ["top", name("out_weight"), name("out_bias")], ["out"]),
            make("Relu", ["out"], ["next_value"]),
            make("Identity", ["next_value"], ["duration"]),
        ]
        value, state = ["batch", 1], [1, "batch", self._units]
        states = {"value": value, "hidden_0": state, "cell_0": state, "hidden_1": state, "cell_1": state}
        inputs = [*states.items(), ("condition", ["batch", self._n_condition])]
        outputs = [*((f"next_{key}", shape) for key, shape in states.items()), ("duration", value)]
        return helper.make_graph(nodes, "duration_of_a_token", _infos(inputs), _infos(outputs))

    def _lstm(self, layer: int, source: str) -> onnx.NodeProto:
        weights = [f"{_PREFIX}{kind}_{layer}" for kind in ("input", "recurrence", "bias")]
        return helper.make_node(
            "LSTM",
            [source, *weights, "", f"hidden_{layer}", f"cell_{layer}"],
            ["", f"next_hidden_{layer}", f"next_cell_{layer}"],
            hidden_size=self._units,
        )


def _infos(values: list[Any]) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in values]
