"""TensorRT: engines that `zhiyin engine build` made of a bundle's ONNX files on this machine.

Input   a network's file, a Choice, the folder of engines
Output  TensorRtNetwork
State   the engine; a lane per thread; none per speech stream, whose state stays on the device with the stream
A batch is filled up to the size of its optimisation profile, so that there are few shapes.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from streaming.engines.choice import Choice
from streaming.engines.cuda_device import open_device
from streaming.engines.engine_cache import EngineCache
from streaming.engines.network import OUTPUT_SUFFIX
from streaming.engines.resident import StateMemory
from streaming.engines.tensorrt_build import Library, import_library, library_version
from streaming.engines.tensorrt_lane import Lane, Tensor
from streaming.errors import EngineError
from streaming.synthesis.engine import STATE_NAMES, Array

LIBRARY: Library = "tensorrt"


class TensorRtNetwork:
    """One network. Thread-safe: every thread has a stream of its own."""

    def __init__(self, path: Path, choice: Choice, engines: Path) -> None:
        """Load the engine of a file.

        Raises:
            EngineError: TensorRT or the GPU is not to be had, or there is no engine for both that loads.
        """
        trt = import_library(LIBRARY)
        self._device = open_device(choice.device)
        capability, version = self._device.compute_capability, library_version(LIBRARY)
        with path.open("rb") as file:
            onnx_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        serialized = EngineCache(engines).find(onnx_sha256, LIBRARY, version, capability)
        if serialized is None:
            raise EngineError(
                f"{path.name}: no engine of TensorRT {version} for {capability} in {engines}; "
                f"make it with: zhiyin engine build NAME --precision {choice.file_precision}"
            )
        with self._device.active():
            self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
            self._engine = self._runtime.deserialize_cuda_engine(serialized)
        if self._engine is None:
            raise EngineError(f"{path.name}: TensorRT {version} does not load its engine; build it again")
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        is_input = {name: self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names}
        self._inputs = [self._tensor(trt, name, is_input=True) for name in names if is_input[name]]
        self._outputs = [self._tensor(trt, name, is_input=False) for name in names if not is_input[name]]
        self._most_rows = [
            self._rows_of(profile) for profile in range(self._engine.num_optimization_profiles)
        ]
        self._memory = StateMemory(self._device)
        self._threads = threading.local()

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the network; inputs that the engine does not have are left out. States come out resident.

        Raises:
            EngineError: The engine does not take the shapes, or the GPU failed.
        """
        rows = max((inputs[tensor.name].shape[0] for tensor in self._inputs if tensor.batched), default=1)
        profile = self._profile(rows)
        shapes = tuple(self._padded(inputs[tensor.name].shape, tensor, profile) for tensor in self._inputs)
        with self._device.active():
            outputs = self._lane().run(profile, shapes, inputs, rows)
        return {
            tensor.name.removesuffix(OUTPUT_SUFFIX): value[:rows]
            if tensor.batched and not tensor.is_state
            else value
            for tensor, value in zip(self._outputs, outputs, strict=True)
        }

    def _tensor(self, trt: Any, name: str, *, is_input: bool) -> Tensor:
        engine = self._engine
        dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(name)))
        last = engine.num_optimization_profiles - 1
        return Tensor(
            name=name,
            dtype=dtype,
            batched=engine.get_tensor_shape(name)[0] == -1,
            is_state=name.removesuffix(OUTPUT_SUFFIX) in STATE_NAMES,
            on_host=engine.get_tensor_location(name) == trt.TensorLocation.HOST,
            most_bytes=prod(self._largest(name, last)) * dtype.itemsize if is_input else 0,
        )

    def _largest(self, name: str, profile: int) -> tuple[int, ...]:
        return tuple(self._engine.get_tensor_profile_shape(name, profile)[2])

    def _rows_of(self, profile: int) -> int:
        batched = (tensor.name for tensor in self._inputs if tensor.batched)
        return min((self._largest(name, profile)[0] for name in batched), default=1)

    def _profile(self, rows: int) -> int:
        for profile, most in enumerate(self._most_rows):
            if rows <= most:
                return profile
        raise EngineError(f"a batch of {rows} rows; the engine takes at most {self._most_rows[-1]}")

    def _padded(self, shape: tuple[int, ...], tensor: Tensor, profile: int) -> tuple[int, ...]:
        return (self._most_rows[profile], *shape[1:]) if tensor.batched else shape

    def _lane(self) -> Lane:
        lane: Lane | None = getattr(self._threads, "lane", None)
        if lane is None:
            lane = self._threads.lane = Lane(self._memory, self._engine, self._inputs, self._outputs)
        return lane


def open_network(path: Path, choice: Choice, engines: Path) -> TensorRtNetwork:
    """See `network.open_network`."""
    return TensorRtNetwork(path, choice, engines)
