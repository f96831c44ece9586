"""Read an ONNX file of unknown origin.

Input   the path of a .onnx file
Output  a model that consists of standard operators and carries all its tensors itself
State   none
Not here: what the graph computes (piper_graphs.py); running it, which costs what its weights make it cost
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto

from training.untrusted import CheckpointError, require_file

MAX_MODEL_BYTES = 1 << 30  # the largest real Piper voices have 130 MB
STANDARD_DOMAINS = ("", "ai.onnx")


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read and check a model. Nothing outside the file is opened.

    Raises:
        CheckpointError: The file is missing, too large, damaged, not valid ONNX, uses other operators than
            ONNX's own, or keeps tensors in other files.
    """
    n_bytes = require_file(path).stat().st_size
    if n_bytes > MAX_MODEL_BYTES:
        raise CheckpointError(f"{path} has {n_bytes} bytes; at most {MAX_MODEL_BYTES} are read")
    try:
        model = onnx.load_model(path, load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    _refuse_strangers(model, path)
    for graph in graphs_in(model.graph):
        _refuse_external(graph, path)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise CheckpointError(f"{path} is not a valid ONNX model: {error}") from error
    return model


def subgraphs(node: NodeProto) -> list[GraphProto]:
    """Return the branches and bodies of a control-flow node; [] for all others."""
    graphs = []
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            graphs.append(attribute.g)
        graphs += attribute.graphs
    return graphs


def graphs_in(graph: GraphProto) -> Iterator[GraphProto]:
    """Yield a graph and all that are nested in it."""
    yield graph
    for node in graph.node:
        for inner in subgraphs(node):
            yield from graphs_in(inner)


def _refuse_strangers(model: onnx.ModelProto, path: Path) -> None:
    domains = {opset.domain for opset in model.opset_import}
    domains |= {node.domain for graph in graphs_in(model.graph) for node in graph.node}
    if strange := sorted(domains.difference(STANDARD_DOMAINS)):
        raise CheckpointError(
            f"{path} uses operators of {', '.join(strange)}; allowed are those of ONNX itself"
        )
    if model.functions:
        raise CheckpointError(f"{path} defines functions of its own: {model.functions[0].name}")


def _refuse_external(graph: GraphProto, path: Path) -> None:
    if graph.sparse_initializer:
        raise CheckpointError(f"{path} has sparse tensors, which are not read")
    for tensor in _tensors(graph):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            places = ", ".join(repr(item.value) for item in tensor.external_data if item.key == "location")
            raise CheckpointError(
                f"{path} keeps {tensor.name!r} in another file ({places}); only its own are read"
            )


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors
