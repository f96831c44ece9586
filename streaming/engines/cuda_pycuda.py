"""A GPU through `pycuda`, in the device's primary context, which TensorRT uses too.

Input, output, state   see cuda_device.py
pycuda has no CUDA graphs: those are recorded with `cuda-bindings` where that is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pycuda.driver as cuda
from numpy.typing import NDArray

from streaming.engines.cuda_device import Buffer, Memory
from streaming.errors import EngineError

_NOTHING = np.zeros(0, np.uint8)
NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: does not wait for the default stream


class PycudaDevice:
    """One GPU. Thread-safe."""

    def __init__(self, number: int) -> None:
        """Look for the device.

        Raises:
            EngineError: There is no such GPU.
        """
        try:
            cuda.init()
            count = cuda.Device.count()
            if number >= count:
                raise EngineError(f"device: found cuda:{number}; this machine has {count}, counted from 0")
            self._device = cuda.Device(number)
            self._context = self._device.retain_primary_context()
        except cuda.Error as error:
            raise EngineError(f"no NVIDIA GPU can be used: {error}") from None
        self._streams: dict[int, Any] = {}

    @property
    def compute_capability(self) -> str:
        """See CudaDevice."""
        major, minor = self._device.compute_capability()
        return f"SM{major}{minor}"

    @contextmanager
    def active(self) -> Iterator[None]:
        """See CudaDevice."""
        self._context.push()
        try:
            yield
        finally:
            self._context.pop()

    def new_stream(self) -> int:
        """See CudaDevice."""
        stream = cuda.Stream(NON_BLOCKING)
        self._streams[stream.handle] = stream
        return int(stream.handle)

    def allocate(self, n_bytes: int) -> Buffer:
        """See CudaDevice."""
        owner = _Memory(self._context, n_bytes, with_host=True)
        return Buffer(owner.address, owner.host, owner)

    def reserve(self, n_bytes: int) -> Memory:
        """See CudaDevice."""
        owner = _Memory(self._context, n_bytes)
        return Memory(owner.address, owner)

    def upload(self, buffer: Buffer, n_bytes: int, stream: int, start: int = 0) -> None:
        """See CudaDevice."""
        cuda.memcpy_htod_async(
            buffer.address + start, buffer.host[start : start + n_bytes], self._streams[stream]
        )

    def copy(self, source: int, target: int, n_bytes: int, stream: int) -> None:
        """See CudaDevice."""
        cuda.memcpy_dtod_async(target, source, n_bytes, self._streams[stream])

    def fetch(self, address: int, n_bytes: int) -> NDArray[np.uint8]:
        """See CudaDevice."""
        found = np.empty(n_bytes, np.uint8)
        cuda.memcpy_dtoh(found, address)
        return found

    def download(self, buffer: Buffer, n_bytes: int, stream: int) -> None:
        """See CudaDevice."""
        cuda.memcpy_dtoh_async(buffer.host[:n_bytes], buffer.address, self._streams[stream])

    def synchronize(self, stream: int) -> None:
        """See CudaDevice."""
        try:
            self._streams[stream].synchronize()
        except cuda.Error as error:
            raise EngineError(f"the GPU failed: {error}") from None

    def capture(self, stream: int, queue: Callable[[], None]) -> Callable[[], None] | None:
        """See CudaDevice."""
        try:
            from streaming.engines.cuda_bindings import capture
        except ImportError:
            return None
        return capture(stream, queue)


class _Memory:
    """Device memory, and page-locked host memory of the same size if asked for.

    pycuda frees nothing, and says nothing, where its context is not current: so whichever thread drops the
    last reference makes it current first.
    """

    def __init__(self, context: Any, n_bytes: int, *, with_host: bool = False) -> None:
        self._context = context
        self._device = None
        self.host: NDArray[np.uint8] = _NOTHING
        try:
            self._device = cuda.mem_alloc(n_bytes)
            if with_host:
                self.host = cuda.pagelocked_empty(n_bytes, np.uint8)
        except cuda.MemoryError as error:
            raise EngineError(f"no room for {n_bytes} bytes: {error}") from None
        self.address = int(self._device)

    def __del__(self) -> None:
        self._context.push()
        try:
            self._device = None  # the last reference to either, which frees it
            self.host = _NOTHING
        finally:
            self._context.pop()


def open_device(number: int) -> PycudaDevice:
    """See `cuda_device.open_device`."""
    return PycudaDevice(number)
