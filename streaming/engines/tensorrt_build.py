"""Engines for NVIDIA GPUs, built from a bundle's ONNX files and kept.

Input   a network's file, the sizes it is called with
Output  a serialised engine
State   none
Works with `tensorrt` 10 and 11, which build for the GPU of this machine, and with `tensorrt-rtx`, which has
the same parser and builder and needs no GPU to build: what it accepts, the others do.

Precision is that of the file: networks are strongly typed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from streaming.engines.engine_cache import Range
from streaming.errors import EngineError

Library = Literal["tensorrt", "tensorrt_rtx"]
Progress = Callable[[str], None]

EXTRAS = {"tensorrt": "trt", "tensorrt_rtx": "rtx"}
RTX_TARGET = "SM89"  # what is built for where no GPU says otherwise
WORKSPACE_BYTES = 1 << 30
BATCH = "batch"  # symbol of the axis of streams


def import_library(library: Library) -> Any:
    """Return TensorRT.

    Raises:
        EngineError: It is not installed, or cannot be loaded.
    """
    try:
        return importlib.import_module(library)
    except ImportError as error:  # also: libraries that the driver should bring
        raise EngineError(
            f"{library} cannot be used ({error}); pip install 'zhiyin[{EXTRAS[library]}]'"
        ) from None


def build_engine(
    library: Library, path: Path, sizes: Mapping[str, Range], batches: Sequence[int], progress: Progress
) -> bytes:
    """Parse a network's file and build its engine. Blocking, seconds to minutes.

    Args:
        library: Which TensorRT.
        path: The ONNX file.
        sizes: Symbol of each variable axis but the batch to its least, best and largest size.
        batches: Most rows of each optimisation profile, ascending; each is best at its most.
        progress: Told what the builder is at.

    Raises:
        EngineError: The library is not there, does not accept the graph, or could not build it.
    """
    trt = import_library(library)
    log = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(log)
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(path.read_bytes()):
        errors = "; ".join(parser.get_error(index).desc() for index in range(parser.num_errors))
        raise EngineError(f"{library} does not accept {path.name}: {errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    if library == "tensorrt_rtx":
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(trt.ComputeCapability, RTX_TARGET), 0)
    least = 1
    for most in batches:
        profile = builder.create_optimization_profile()
        for index in range(network.num_inputs):
            _add_input(profile, network.get_input(index), {**sizes, BATCH: (least, most, most)}, path)
        config.add_optimization_profile(profile)
        least = most + 1
    progress(f"{path.name}: {network.num_layers} layers parsed, building")
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EngineError(
            f"{library} could not build {path.name}: see the lines above; is there enough memory?"
        )
    return bytes(engine)


def library_version(library: Library) -> str:
    """Return the version of the library; see `import_library` for what may be wrong."""
    version: str = import_library(library).__version__
    return version


def _add_input(profile: Any, tensor: Any, sizes: Mapping[str, Range], path: Path) -> None:
    shapes: list[list[int]] = [[], [], []]
    for axis, size in enumerate(tuple(tensor.shape)):
        if size >= 0:
            ranges: Range = (size, size, size)
        else:
            symbol = tensor.get_dimension_name(axis)
            if symbol not in sizes:
                known = ", ".join(sizes)
                raise EngineError(
                    f"{path.name}: no sizes for axis {symbol!r} of {tensor.name}; known: {known}"
                )
            ranges = sizes[symbol]
        for shape, value in zip(shapes, ranges, strict=True):
            shape.append(value)
    profile.set_shape(tensor.name, *shapes)


def _network_flags(trt: Any) -> int:
    """Ask for strong typing where it has to be asked for: TensorRT 10; from 11 on there is nothing else."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)
