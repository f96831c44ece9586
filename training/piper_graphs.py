"""Cut the graph of a Piper voice into an encoder and a decoder, and take the chance out of it.

Input   the ONNX model of a Piper voice, as `read_onnx` returns it
Output  PiperGraphs: the two networks of streaming/synthesis/piper.py, and how far the decoder looks
State   none
Not here: files and manifests (import_piper.py), what the networks say

What is cut where is read off the graph, not off the names of its weights: exporters change names. The decoder
starts at the convolution before the first transposed convolution. Every layer after it has to be one that
makes a frame of frames near it; from their kernels follows how many. A graph that is built otherwise is not
cut: its encoder then makes finished audio, and the decoder hands it on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from training.untrusted import CheckpointError
from training.untrusted_onnx import graphs_in, subgraphs

TEXT_INPUTS = ("input", "input_lengths")
INPUT_TYPES = {
    "input": TensorProto.INT64,
    "input_lengths": TensorProto.INT64,
    "scales": TensorProto.FLOAT,
    "sid": TensorProto.INT64,
}
NOISE, SPEAKER, LATENT, AUDIO, CONDITIONING = "noise", "speaker", "latent", "audio", "conditioning"
OUR_NAMES = (NOISE, SPEAKER, LATENT, AUDIO)
RANDOM_OPS = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
# One value in, one out, at the same place of the last axis. The two that change the shape do so to other
# axes; were one to move the last, blocks would differ from the whole, which the import measures.
PLACEWISE_OPS = frozenset(
    {"Add", "Sub", "Mul", "Div", "Neg", "Abs", "Pow", "Sin", "Cos", "Tanh", "Sigmoid", "Relu", "LeakyRelu"}
    | {"PRelu", "Elu", "Clip", "Identity", "Squeeze", "Unsqueeze"}
)
CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})


@dataclass(frozen=True, slots=True)
class PiperGraphs:
    """The networks of a Piper voice.

    Attributes:
        encoder: Text and noise to latent frames.
        decoder: Latent frames to samples.
        n_noises: Rows of noise that the encoder takes.
        takes_speaker: Whether the speaker changes anything.
        hop_length: Samples per latent frame.
        context_frames: Frames on each side of a frame that its samples depend on.
        uncut_because: Why the decoder hands on finished audio; "" where it is a decoder.
    """

    encoder: ModelProto
    decoder: ModelProto
    n_noises: int
    takes_speaker: bool
    hop_length: int
    context_frames: int
    uncut_because: str = ""


class _NotCuttableError(Exception):
    """The decoder is not a stack of convolutions behind one latent value."""


def cut_piper(model: ModelProto) -> PiperGraphs:
    """Cut a model, which is changed on the way.

    Raises:
        CheckpointError: Its inputs are not those of a Piper voice, or it draws random numbers in a way that
            Piper does not.
    """
    given = _checked_inputs(model)
    _refuse_our_names(model)
    if "sid" in given:  # not our name: without speakers, PyTorch gives it to the first of the weights
        model.graph.node.insert(0, helper.make_node("Identity", [SPEAKER], ["sid"]))
    n_noises = _replace_noise(model.graph)
    graph = _Index(model)
    try:
        cut = _Cut(graph)
    except _NotCuttableError as reason:
        return _uncut(graph, given, n_noises, str(reason))
    return PiperGraphs(
        encoder=cut.encoder(),
        decoder=cut.decoder(),
        n_noises=n_noises,
        takes_speaker="sid" in given,
        hop_length=cut.hop_length,
        context_frames=cut.context_frames,
    )


def _uncut(graph: _Index, given: Collection[str], n_noises: int, reason: str) -> PiperGraphs:
    nodes = [*graph.nodes, *_reshaped(graph.output, LATENT, [1, 1, -1])]
    encoder = graph.model(nodes, _encoder_inputs(), [_value(LATENT, ["batch", "channels", "frames"])])
    decoder = graph.model(
        [helper.make_node("Identity", [LATENT], [AUDIO])],
        [_value(LATENT, ["batch", "channels", "frames"])],
        [_value(AUDIO, ["batch", "channels", "samples"])],
    )
    return PiperGraphs(encoder, decoder, n_noises, "sid" in given, 1, 0, reason)


def _checked_inputs(model: ModelProto) -> list[str]:
    """Return the names of the model's inputs.

    Raises:
        CheckpointError: An input is missing, unknown or of another type.
    """
    weights = {tensor.name for tensor in model.graph.initializer}  # early exporters list them as inputs too
    found = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    found = {name: kind for name, kind in found.items() if name not in weights}
    missing = set(INPUT_TYPES) - {"sid"} - set(found)
    wrong = {name for name, kind in found.items() if INPUT_TYPES.get(name) != kind}
    if missing or wrong:
        raise CheckpointError(
            f"inputs are {', '.join(found) or 'none'}; those of a Piper voice are int64 input and "
            f"input_lengths, float32 scales, and int64 sid where it has several speakers"
        )
    return list(found)


def _refuse_our_names(model: ModelProto) -> None:
    taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
    if ours := sorted(name for name in taken if name in OUR_NAMES or name.startswith(f"{CONDITIONING}_")):
        raise CheckpointError(f"the graph has a value of the name {ours[0]!r}, which no Piper voice has")


def _replace_noise(graph: GraphProto) -> int:
    """Let every random node read a row of the input `noise` instead; return how many there are.

    Raises:
        CheckpointError: A random node is of another kind than Piper's.
    """
    nodes: list[NodeProto] = []
    n_noises = 0
    for node in graph.node:
        if node.op_type != "RandomNormalLike":
            nodes.append(node)
            continue
        settings = _attributes(node)
        if (settings.get("mean", 0.0), settings.get("scale", 1.0)) != (0.0, 1.0):
            raise CheckpointError(f"node {node.name!r} draws noise that is not of mean 0 and variance 1")
        nodes += _noise_nodes(node.input[0], node.output[0], n_noises)
        n_noises += 1
    del graph.node[:]
    graph.node.extend(nodes)
    for inner in graphs_in(graph):
        if strange := [node.op_type for node in inner.node if node.op_type in RANDOM_OPS]:
            raise CheckpointError(
                f"the model draws random numbers by {strange[0]}; Piper's by RandomNormalLike"
            )
    return n_noises


def _noise_nodes(like: str, output: str, row: int) -> list[NodeProto]:
    """Noise of the shape of `like`: element i is element i modulo K of a row of `noise` [S,K]."""

    def at(name: str) -> str:
        return f"noise_{row}/{name}"

    def constant(name: str, value: int) -> NodeProto:
        tensor = helper.make_tensor(at(name), TensorProto.INT64, [], [value])
        return helper.make_node("Constant", [], [at(name)], value=tensor)

    return [
        constant("row", row),
        constant("zero", 0),
        constant("one", 1),
        helper.make_node("Gather", [NOISE, at("row")], [at("values")], axis=0),
        helper.make_node("Size", [at("values")], [at("length")]),
        helper.make_node("Size", [like], [at("count")]),
        helper.make_node("Range", [at("zero"), at("count"), at("one")], [at("positions")]),
        helper.make_node("Mod", [at("positions"), at("length")], [at("places")]),
        helper.make_node("Gather", [at("values"), at("places")], [at("flat")], axis=0),
        helper.make_node("Shape", [like], [at("shape")]),
        helper.make_node("Reshape", [at("flat"), at("shape")], [output]),
    ]


class _Index:
    """A model's graph with who makes what, and who needs whom."""

    def __init__(self, model: ModelProto) -> None:
        self._source = model
        self.nodes = list(model.graph.node)  # ONNX orders nodes so that every value is made before it is read
        self.output = model.graph.output[0].name  # the audio; recent voices also tell how long phonemes last
        self.weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self.inputs = ({value.name for value in model.graph.input} - set(self.weights)) | {NOISE, SPEAKER}
        self._maker = {name: index for index, node in enumerate(self.nodes) for name in node.output}

    def maker(self, value: str) -> NodeProto:
        """Return the node that makes a value.

        Raises:
            _NotCuttableError: It is an input or a weight.
        """
        if value not in self._maker:
            raise _NotCuttableError(f"{value!r} is not computed")
        return self.nodes[self._maker[value]]

    def needed_for(self, values: Iterable[str]) -> list[NodeProto]:
        """Return the nodes that values are made of, in order."""
        found: set[int] = set()
        waiting = [self._maker[value] for value in values if value in self._maker]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting += [self._maker[name] for name in _read_by(self.nodes[index]) if name in self._maker]
        return [self.nodes[index] for index in sorted(found)]

    def made_of(self, values: Iterable[str]) -> set[str]:
        """Return the values, and every value that depends on one of them."""
        reached = set(values)
        for node in self.nodes:
            if not reached.isdisjoint(_read_by(node)):
                reached.update(node.output)
        return reached

    def model(
        self, nodes: list[NodeProto], inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]
    ) -> ModelProto:
        """Return a model of these nodes with the weights they read.

        Raises:
            CheckpointError: They are no model, because their names collide with ours.
        """
        read = {name for node in nodes for name in _read_by(node)}
        weights = [tensor for name, tensor in self.weights.items() if name in read]
        model = helper.make_model(
            helper.make_graph(nodes, "piper", inputs, outputs, initializer=weights),
            opset_imports=self._source.opset_import,
            ir_version=self._source.ir_version,
        )
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            raise CheckpointError(f"the graph cannot be cut: {error}") from error
        return model


class _Cut:
    """Where a graph is cut: the latent value, the decoder behind it, and what else the decoder reads."""

    def __init__(self, graph: _Index) -> None:
        """Find the place.

        Raises:
            _NotCuttableError: There is none.
        """
        self._graph = graph
        needed = graph.needed_for([graph.output])
        from_text = graph.made_of(TEXT_INPUTS)
        self._latent = _decoder_start(graph, needed, from_text)
        behind = graph.made_of([self._latent])
        self._body = [node for node in needed if not behind.isdisjoint(_read_by(node))]
        outside = {name for node in self._body for name in _read_by(node)} - behind
        computed = graph.made_of(graph.inputs)
        self._conditioning = sorted(outside & computed)
        self._constants = graph.needed_for(outside - computed)
        if timed := outside & from_text:
            raise _NotCuttableError(f"the decoder reads {sorted(timed)[0]!r} besides the latent frames")
        self.hop_length, self.context_frames = _reach(self._body, self._latent, graph)

    def encoder(self) -> ModelProto:
        """Everything up to the latent frames."""
        outputs = {self._latent: LATENT} | self._names()
        nodes = self._graph.needed_for(outputs)
        nodes += [helper.make_node("Identity", [value], [name]) for value, name in outputs.items()]
        values = [_value(LATENT, ["batch", "channels", "frames"])]
        values += [_value(name, ["batch", "width", 1]) for name in self._names().values()]
        return self._graph.model(nodes, _encoder_inputs(), values)

    def decoder(self) -> ModelProto:
        """Everything behind the latent frames."""
        inputs = {self._latent: LATENT} | self._names()
        nodes = [helper.make_node("Identity", [name], [value]) for value, name in inputs.items()]
        nodes += [*self._constants, *self._body, *_reshaped(self._graph.output, AUDIO, [1, -1])]
        values = [_value(LATENT, ["batch", "channels", "frames"])]
        values += [_value(name, ["batch", "width", 1]) for name in self._names().values()]
        return self._graph.model(nodes, values, [_value(AUDIO, ["batch", "samples"])])

    def _names(self) -> dict[str, str]:
        return {value: f"{CONDITIONING}_{index}" for index, value in enumerate(self._conditioning)}


def _decoder_start(graph: _Index, needed: list[NodeProto], from_text: Collection[str]) -> str:
    """Return what the decoder's first convolution reads."""
    first = next((node for node in needed if node.op_type == "ConvTranspose"), None)
    if first is None:
        raise _NotCuttableError("there is no transposed convolution, so no decoder of the HiFi-GAN kind")
    node = graph.maker(first.input[0])
    while node.op_type != "Conv":
        timed = [name for name in node.input if name in from_text]  # the other summand is the speaker's
        if node.op_type not in PLACEWISE_OPS or len(timed) != 1:
            raise _NotCuttableError(f"{node.op_type} before the first transposed convolution")
        node = graph.maker(timed[0])
    return node.input[0]


def _reach(body: list[NodeProto], latent: str, graph: _Index) -> tuple[int, int]:
    """Return samples per frame, and how many frames to each side the samples of a frame depend on."""
    kernels = {node.output[0]: _Kernel(node, graph) for node in body if node.op_type in CONVOLUTIONS}
    rates = _rates(body, latent, kernels)
    hop_length = rates[graph.output]
    spans = {graph.output: (0, hop_length - 1)}
    for node in reversed(body):
        low, high = spans[node.output[0]]
        if kernel := kernels.get(node.output[0]):
            low, high = kernel.span(low, high)
        for name in node.input:
            if name in rates:
                others = spans.get(name, (low, high))
                spans[name] = (min(low, others[0]), max(high, others[1]))
    low, high = spans[latent]
    return hop_length, max(-low, high, 0)


def _rates(body: list[NodeProto], latent: str, kernels: Mapping[str, _Kernel]) -> dict[str, int]:
    """Return how many places each value of the decoder has per latent frame."""
    rates = {latent: 1}
    for node in body:
        if node.op_type not in PLACEWISE_OPS | CONVOLUTIONS:
            raise _NotCuttableError(f"{node.op_type} {node.name!r} in the decoder")
        found = {rates[name] for name in node.input if name in rates}
        if len(found) != 1:
            raise _NotCuttableError(f"{node.op_type} {node.name!r} joins values of different rates")
        kernel = kernels.get(node.output[0])
        rates[node.output[0]] = found.pop() * (kernel.stride if kernel else 1)
    return rates


class _Kernel:
    """The one-dimensional kernel of a convolution that makes `stride` values of every value it reads."""

    def __init__(self, node: NodeProto, graph: _Index) -> None:
        """Read it off the node.

        Raises:
            _NotCuttableError: The convolution is of another kind.
        """
        settings = _attributes(node)
        weight = graph.weights.get(node.input[1])
        shape = settings.get("kernel_shape", list(weight.dims[2:]) if weight is not None else [])
        if len(shape) != 1 or settings.get("auto_pad", b"NOTSET") != b"NOTSET":
            raise _NotCuttableError(
                f"{node.op_type} {node.name!r} is not a plain one-dimensional convolution"
            )
        self._transposed = node.op_type == "ConvTranspose"
        self._dilation = settings.get("dilations", [1])[0]
        self._width = self._dilation * (shape[0] - 1)
        self._left, right = settings.get("pads", [0, 0])
        self.stride = settings.get("strides", [1])[0]
        surplus = self._width - self._left - right
        if self._transposed:
            surplus += settings.get("output_padding", [0])[0] + 1 - self.stride
        elif self.stride != 1:
            raise _NotCuttableError(f"Conv {node.name!r} drops values")
        if surplus:
            raise _NotCuttableError(f"{node.op_type} {node.name!r} changes the length by {surplus}")

    def span(self, low: int, high: int) -> tuple[int, int]:
        """Return the first and last place that the values low .. high are made of."""
        if self._transposed:
            return -((self._width - low - self._left) // self.stride), (high + self._left) // self.stride
        return low - self._left, high - self._left + self._width


def _read_by(node: NodeProto) -> set[str]:
    """Names that a node reads, those that its branches take from outside included."""
    names = set(node.input)
    for graph in subgraphs(node):
        names |= _free_names(graph)
    return names - {""}


def _free_names(graph: GraphProto) -> set[str]:
    read = {output.name for output in graph.output}
    made = {value.name for value in (*graph.input, *graph.initializer)}
    for node in graph.node:
        read |= _read_by(node)
        made.update(node.output)
    return read - made


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _reshaped(value: str, name: str, shape: list[int]) -> list[NodeProto]:
    tensor = helper.make_tensor(f"{name}/shape", TensorProto.INT64, [len(shape)], shape)
    return [
        helper.make_node("Constant", [], [tensor.name], value=tensor),
        helper.make_node("Reshape", [value, tensor.name], [name]),
    ]


def _encoder_inputs() -> list[ValueInfoProto]:
    shapes: dict[str, list[str | int]] = {
        "input": ["batch", "tokens"],
        "input_lengths": ["batch"],
        "scales": [3],
    }
    inputs = [_value(name, shape, INPUT_TYPES[name]) for name, shape in shapes.items()]
    speaker = _value(SPEAKER, ["batch"], TensorProto.INT64)
    return [*inputs, speaker, _value(NOISE, ["noises", "noise_length"])]


def _value(name: str, shape: Sequence[str | int], kind: int = TensorProto.FLOAT) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)
