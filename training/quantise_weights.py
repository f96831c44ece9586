"""The decoder's weights in 8 bits, out of the graph of any voice.

Input   an exported fp32 decoder graph
Output  the file of streaming/engines/decoder_weights.py
State   none
The graph's products and normalisations are told apart by their order, which `StreamingDecoderStep` fixes, and
their shapes; names are the exporter's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from streaming.engines.decoder_weights import EPSILON, DecoderLayer, DecoderWeights, Linear, Norm

BEFORE_LAYERS = 3  # products: of the prenet two, and the entry
PER_LAYER = 4  # qkv, mix, expand, contract
NORMS_PER_LAYER = 2


def write_decoder_weights(source: Path, target: Path) -> bool:
    """Write the weights of a decoder graph; return whether the graph is that of a decoder step.

    Raises:
        OSError: A file cannot be read or written.
    """
    graph = onnx.load(source).graph
    products = [node for node in graph.node if node.op_type == "Gemm"]
    norms = [node for node in graph.node if node.op_type == "LayerNormalization"]
    n_layers, left = divmod(len(products) - BEFORE_LAYERS - 1, PER_LAYER)
    if n_layers < 1 or left or len(norms) != NORMS_PER_LAYER * n_layers + 1 or not _plain(products, norms):
        return False
    arrays = _constants(graph)
    if not all(name in arrays for node in (*products, *norms) for name in node.input[1:]):
        return False
    linear = [Linear.quantised(*(arrays[name] for name in node.input[1:])) for node in products]
    norm = [Norm(*(arrays[name] for name in node.input[1:])) for node in norms]

    def layer(index: int) -> DecoderLayer:
        qkv, mix, expand, contract = linear[BEFORE_LAYERS + PER_LAYER * index :][:PER_LAYER]
        before_attention, before_feed_forward = norm[NORMS_PER_LAYER * index :][:NORMS_PER_LAYER]
        return DecoderLayer(before_attention, qkv, mix, before_feed_forward, expand, contract)

    layers = tuple(layer(index) for index in range(n_layers))
    DecoderWeights((linear[0], linear[1]), linear[2], layers, norm[-1], linear[-1]).save(target)
    return True


def _constants(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    """Return the weights by name; of equal ones the exporter keeps one, and names the others by Identity."""
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]]
    return arrays


def _plain(products: Sequence[onnx.NodeProto], norms: Sequence[onnx.NodeProto]) -> bool:
    """Tell whether the nodes are x W^T + b, and normalisations with the epsilon that the engine knows."""
    wanted = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1}
    missing = {"transB": 0}
    epsilons = [_attributes(node).get("epsilon", 1e-5) for node in norms]
    return (
        all((missing | _attributes(node)).items() <= wanted.items() for node in products)
        and all(len(node.input) == 3 for node in (*products, *norms))
        and bool(np.allclose(epsilons, EPSILON, rtol=1e-3, atol=0.0))
    )


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
