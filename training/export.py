"""Export networks as ONNX, check them against PyTorch, write a voice bundle.

Input   `Graph`: a network with example inputs and names; a manifest without files
Output  ONNX files; a folder that `streaming.voice` loads
State   none
Not here: which networks a voice has (graphs.py), where its weights come from (import_voice.py).

Every graph is checked on inputs of other lengths than those it was traced with; `voice.yaml` is only
written when all of them agree.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from streaming.manifest import NetworkName, VoiceManifest
from streaming.voice import MANIFEST_NAME, dump_manifest, file_sha256

logger = logging.getLogger(__name__)

OPSET = 17  # the last one that the tracing exporter writes without conversion
TOLERANCE = 1e-4  # of ONNX Runtime against PyTorch
EXAMPLE_LENGTH = 7  # tokens, rows, slots or frames of the example inputs
CHECK_LENGTHS = (5, 23)  # the same, for the checks
OUTPUT_SUFFIX = "_out"  # ONNX names are unique: an output named like an input carries this in the file


class ExportError(RuntimeError):
    """An exported graph does not compute what the network computes."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A network ready for export.

    An output with the name of an input gets the suffix `_out` in the file, because ONNX names are unique.

    Attributes:
        module: In evaluation mode; its outputs are in the order of `outputs`.
        inputs: Example inputs by name, in the order of the module's arguments.
        outputs: Names of the outputs.
        axes: Name to {axis: symbol} of every axis that may change between calls.
        placeholder_opsets: Domains of nodes that only mark a place, with their versions.
        finish: Puts the real nodes in those places, in the exported model.
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    axes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    placeholder_opsets: Mapping[str, int] = field(default_factory=dict)
    finish: Callable[[onnx.ModelProto], None] | None = None


def export_network(graph: Graph, path: Path) -> None:
    """Trace a network and write it as ONNX; axes not named in `graph.axes` become constants."""
    outputs = [f"{name}{OUTPUT_SUFFIX}" if name in graph.inputs else name for name in graph.outputs]
    axes = {name: dict(graph.axes[name]) for name in graph.inputs if name in graph.axes}
    axes |= {
        output: dict(graph.axes[name])
        for name, output in zip(graph.outputs, outputs, strict=True)
        if name in graph.axes
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Deprecation of the tracing exporter (the other takes 40 times as long and writes equal files), and
        # tracer notes about shapes that `check_network` tests.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.module,
            tuple(graph.inputs.values()),
            str(path),
            input_names=list(graph.inputs),
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            do_constant_folding=True,
            custom_opsets=dict(graph.placeholder_opsets),
            autograd_inlining=False,
            dynamo=False,
        )
    if graph.finish is not None:
        model = onnx.load(str(path))
        graph.finish(model)
        onnx.checker.check_model(model)
        onnx.save(model, str(path))


def check_network(graph: Graph, path: Path, lengths: tuple[int, ...] = CHECK_LENGTHS) -> float:
    """Run ONNX Runtime and PyTorch on random inputs of several lengths; return the largest difference.

    Raises:
        ExportError: They differ by more than 1e-4 anywhere.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for length in lengths:
        inputs = _resized(graph, length)
        with torch.no_grad():
            expected = graph.module(*inputs.values())
        found = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        for name, reference, value in zip(graph.outputs, expected, found, strict=True):
            if reference.shape != value.shape:
                msg = f"{path.name}: {name} is {list(value.shape)}, expected {list(reference.shape)}"
                raise ExportError(msg)
            worst = max(worst, float(np.abs(reference.numpy() - value).max(initial=0.0)))
    if not worst <= TOLERANCE:
        msg = f"{path.name} differs from PyTorch by {worst:.2e}; allowed is {TOLERANCE:.0e}"
        raise ExportError(msg)
    return worst


def _resized(graph: Graph, length: int) -> dict[str, Tensor]:
    """Random inputs like the example with its variable axes scaled from 7 (the example's) to `length`."""
    generator = torch.Generator().manual_seed(length)
    resized = {}
    for name, example in graph.inputs.items():
        axes = graph.axes.get(name, {})
        shape = [
            size * length // EXAMPLE_LENGTH if axes.get(axis, "batch") != "batch" else size
            for axis, size in enumerate(example.shape)
        ]
        if example.dtype == torch.int64:
            resized[name] = example.flatten()[:1].expand(shape).contiguous()
        elif name.endswith("mask"):
            resized[name] = torch.zeros(shape)
        else:
            resized[name] = torch.randn(shape, generator=generator)
    return resized


Manifest = TypeVar("Manifest", bound=VoiceManifest)


def write_bundle(folder: Path, graphs: Mapping[NetworkName, Graph], manifest: Manifest) -> Manifest:
    """Export and check all networks and write the bundle; returns the manifest with its files.

    Raises:
        ExportError: A graph differs from its network. `voice.yaml` is not written then.
    """
    networks: dict[NetworkName, dict[str, str]] = {}
    checksums: dict[str, str] = {}
    for network in manifest.network_names:
        file = f"{network}.fp32.onnx"
        export_network(graphs[network], folder / file)
        difference = check_network(graphs[network], folder / file)
        logger.info("%s: %d bytes, largest difference %.1e", file, (folder / file).stat().st_size, difference)
        networks[network] = {"fp32": file}
        checksums[file] = file_sha256(folder / file)
    complete = manifest.changed(networks=networks, sha256=checksums)
    (folder / MANIFEST_NAME).write_text(dump_manifest(complete), encoding="utf-8")
    return complete
