"""Engines for NVIDIA GPUs, built from a bundle's ONNX files and kept.

Input   a network's file, the sizes it is called with
Output  a serialised engine
State   a folder of engines, each beside a description with its checksum
Works with `tensorrt` 10 and 11, which build for the GPU of this machine, and with `tensorrt-rtx`, which has
the same parser and builder and needs no GPU to build: what it accepts, the others do.

Precision is that of the file: networks are strongly typed. Engines are read from this project's own folder
only and only if they match their checksum: deserialising one runs what it contains.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from streaming.errors import EngineError

logger = logging.getLogger(__name__)

Library = Literal["tensorrt", "tensorrt_rtx"]
Range = tuple[int, int, int]
Progress = Callable[[str], None]

EXTRAS = {"tensorrt": "trt", "tensorrt_rtx": "rtx"}
RTX_TARGET = "SM89"  # what is built for where no GPU says otherwise
WORKSPACE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What an engine depends on; engines of equal keys are interchangeable.

    Attributes:
        onnx_sha256: Of the network's file, and with it its precision.
        library: Which library built it.
        version: Its version: engines of another are not loaded.
        compute_capability: Of the GPU, as `SM90`.
        sizes: Symbol of an axis to its least, best and largest size.
    """

    onnx_sha256: str
    library: str
    version: str
    compute_capability: str
    sizes: Mapping[str, Range]

    @property
    def name(self) -> str:
        """A file name without its ending."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class EngineCache:
    """A folder of engines that this project wrote. Several processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when something is written, for its owner only."""
        self._folder = folder

    def read(self, key: EngineKey) -> bytes | None:
        """Return an engine; None if there is none, or if it is not what was written."""
        try:
            stated = json.loads(self._described(key).read_text("utf-8"))["sha256"]
            engine = self._engine(key).read_bytes()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if hashlib.sha256(engine).hexdigest() != stated:
            logger.warning("engine %s is damaged and will be built again", self._engine(key))
            return None
        return engine

    def write(self, key: EngineKey, engine: bytes) -> None:
        """Keep an engine; readers see all of it or nothing.

        Raises:
            OSError: The folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        described = {**asdict(key), "sha256": hashlib.sha256(engine).hexdigest()}
        _write_at_once(self._engine(key), engine)
        _write_at_once(self._described(key), json.dumps(described, indent=2).encode())

    def _engine(self, key: EngineKey) -> Path:
        return self._folder / f"{key.name}.engine"

    def _described(self, key: EngineKey) -> Path:
        return self._folder / f"{key.name}.json"


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


def build_engine(library: Library, path: Path, sizes: Mapping[str, Range], progress: Progress) -> bytes:
    """Parse a network's file and build its engine. Blocking, seconds to minutes.

    Args:
        library: Which TensorRT.
        path: The ONNX file.
        sizes: Symbol of each variable axis to its least, best and largest size.
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
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        _add_input(profile, network.get_input(index), sizes, path)
    config.add_optimization_profile(profile)
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


def _write_at_once(path: Path, content: bytes) -> None:
    building = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        building.write_bytes(content)
        os.replace(building, path)
    finally:
        building.unlink(missing_ok=True)
