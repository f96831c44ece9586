"""A GPU through NVIDIA's `cuda-bindings`: the runtime interface, with the device's primary context.

Input, output, state   see cuda_device.py
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from cuda.bindings import runtime
from numpy.typing import NDArray

from streaming.engines.cuda_device import Buffer, Memory
from streaming.errors import EngineError


class BindingsDevice:
    """One GPU. Thread-safe."""

    def __init__(self, number: int) -> None:
        """Look for the device.

        Raises:
            EngineError: There is no such GPU.
        """
        try:
            count = call(runtime.cudaGetDeviceCount)
        except EngineError as error:
            raise EngineError(f"no NVIDIA GPU can be used: {error}") from None
        if number >= count:
            raise EngineError(f"device: found cuda:{number}; this machine has {count}, counted from 0")
        self._number = number

    @property
    def compute_capability(self) -> str:
        """See CudaDevice."""
        kinds = runtime.cudaDeviceAttr
        wanted = (kinds.cudaDevAttrComputeCapabilityMajor, kinds.cudaDevAttrComputeCapabilityMinor)
        major, minor = (call(runtime.cudaDeviceGetAttribute, kind, self._number) for kind in wanted)
        return f"SM{major}{minor}"

    @contextmanager
    def active(self) -> Iterator[None]:
        """See CudaDevice; the choice is this thread's, and stays."""
        call(runtime.cudaSetDevice, self._number)
        yield

    def new_stream(self) -> int:
        """See CudaDevice."""
        return int(call(runtime.cudaStreamCreateWithFlags, runtime.cudaStreamNonBlocking))

    def allocate(self, n_bytes: int) -> Buffer:
        """See CudaDevice."""
        owner = _BothSides(n_bytes)
        return Buffer(owner.device, owner.bytes, owner)

    def reserve(self, n_bytes: int) -> Memory:
        """See CudaDevice."""
        owner = _DeviceSide(n_bytes)
        return Memory(owner.device, owner)

    def upload(self, buffer: Buffer, n_bytes: int, stream: int, start: int = 0) -> None:
        """See CudaDevice."""
        to_device = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        source, target = buffer.host.ctypes.data + start, buffer.address + start
        call(runtime.cudaMemcpyAsync, target, source, n_bytes, to_device, stream)

    def copy(self, source: int, target: int, n_bytes: int, stream: int) -> None:
        """See CudaDevice."""
        inside = runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        call(runtime.cudaMemcpyAsync, target, source, n_bytes, inside, stream)

    def fetch(self, address: int, n_bytes: int) -> NDArray[np.uint8]:
        """See CudaDevice."""
        found = np.empty(n_bytes, np.uint8)
        to_host = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        call(runtime.cudaMemcpy, found.ctypes.data, address, n_bytes, to_host)
        return found

    def download(self, buffer: Buffer, n_bytes: int, stream: int) -> None:
        """See CudaDevice."""
        to_host = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        call(runtime.cudaMemcpyAsync, buffer.host.ctypes.data, buffer.address, n_bytes, to_host, stream)

    def synchronize(self, stream: int) -> None:
        """See CudaDevice."""
        call(runtime.cudaStreamSynchronize, stream)

    def capture(self, stream: int, queue: Callable[[], None]) -> Callable[[], None]:
        """See CudaDevice."""
        return capture(stream, queue)


class _DeviceSide:
    """Device memory."""

    def __init__(self, n_bytes: int) -> None:
        self.device = 0
        self.device = int(call(runtime.cudaMalloc, n_bytes))

    def __del__(self) -> None:
        if self.device:
            runtime.cudaFree(self.device)


class _BothSides(_DeviceSide):
    """Device memory and page-locked host memory of one size."""

    def __init__(self, n_bytes: int) -> None:
        self._host = 0
        super().__init__(n_bytes)
        self._host = int(call(runtime.cudaMallocHost, n_bytes))
        self.bytes = np.ctypeslib.as_array((ctypes.c_uint8 * n_bytes).from_address(self._host))

    def __del__(self) -> None:
        super().__del__()
        if self._host:
            runtime.cudaFreeHost(self._host)


def open_device(number: int) -> BindingsDevice:
    """See `cuda_device.open_device`."""
    return BindingsDevice(number)


def capture(stream: int, queue: Callable[[], None]) -> Callable[[], None]:
    """Record a CUDA graph of what `queue` puts on a stream, whoever made that; return what launches it."""
    # Only this thread's calls: others may allocate meanwhile.
    mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    call(runtime.cudaStreamBeginCapture, stream, mode)
    try:
        queue()
    finally:
        graph = call(runtime.cudaStreamEndCapture, stream)
    recorded = call(runtime.cudaGraphInstantiate, graph, 0)
    runtime.cudaGraphDestroy(graph)
    owner = _Graph(recorded)
    return lambda: call(runtime.cudaGraphLaunch, owner.recorded, stream)


class _Graph:
    def __init__(self, recorded: Any) -> None:
        self.recorded = recorded

    def __del__(self) -> None:
        runtime.cudaGraphExecDestroy(self.recorded)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of the runtime; return its result.

    Raises:
        EngineError: It failed; the driver's own words.
    """
    status, *results = function(*arguments)
    if status != runtime.cudaError_t.cudaSuccess:
        reason = runtime.cudaGetErrorString(status)[1]
        raise EngineError(f"{function.__name__}: {reason.decode() if isinstance(reason, bytes) else status}")
    return results[0] if len(results) == 1 else results
