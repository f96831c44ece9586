"""Memory and streams of a GPU, as little as running an engine needs.

Input   a device's name; host arrays
Output  buffers, streams, captured work
State   none here; that of the device is behind it

Two libraries do it: `pycuda`, and `cuda-bindings` where that is not installed. CUDA graphs need the second in
either case.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.errors import EngineError

MODULES = ("streaming.engines.cuda_pycuda", "streaming.engines.cuda_bindings")


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """Memory of the same size on both sides; freed with the last reference.

    Attributes:
        address: On the device.
        host: Page-locked bytes.
        owner: What keeps both.
    """

    address: int
    host: NDArray[np.uint8]
    owner: object


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Memory of the device alone; freed with the last reference to `owner`."""

    address: int
    owner: object


class CudaDevice(Protocol):
    """One GPU. Work is queued on streams, whose handles are those of the driver."""

    @property
    def compute_capability(self) -> str:
        """As `SM90`."""
        ...

    def active(self) -> AbstractContextManager[object]:
        """Let this thread use the device while inside; every other method wants that."""
        ...

    def new_stream(self) -> int:
        """Return a stream of its own, which lives as long as the device object."""
        ...

    def allocate(self, n_bytes: int) -> Buffer:
        """Return a buffer.

        Raises:
            EngineError: There is no room for it.
        """
        ...

    def reserve(self, n_bytes: int) -> Memory:
        """Return memory that the host does not see.

        Raises:
            EngineError: There is no room for it.
        """
        ...

    def upload(self, buffer: Buffer, n_bytes: int, stream: int, start: int = 0) -> None:
        """Queue the copy of so many bytes, from `start` on, to the device."""
        ...

    def copy(self, source: int, target: int, n_bytes: int, stream: int) -> None:
        """Queue a copy from one address of the device to another."""
        ...

    def fetch(self, address: int, n_bytes: int) -> NDArray[np.uint8]:
        """Return what lies at an address. Blocking; whoever wrote there has been waited for."""
        ...

    def download(self, buffer: Buffer, n_bytes: int, stream: int) -> None:
        """Queue the copy of the first bytes to the host."""
        ...

    def synchronize(self, stream: int) -> None:
        """Wait until all that was queued is done. Blocking.

        Raises:
            EngineError: Something of it failed.
        """
        ...

    def capture(self, stream: int, queue: Callable[[], None]) -> Callable[[], None] | None:
        """Record what `queue` puts on the stream, without doing it.

        Returns:
            A function that puts all of it on the stream at once; None where graphs are not to be had.

        Raises:
            EngineError: It cannot be recorded.
        """
        ...


def open_device(name: str) -> CudaDevice:
    """Return a device by its name in the configuration: `cuda`, or `cuda:1`.

    Raises:
        EngineError: No library for it is installed, or there is no such GPU.
    """
    number = int(name.partition(":")[2] or 0)
    reasons: list[str] = []
    for module in MODULES:
        try:
            device: CudaDevice = importlib.import_module(module).open_device(number)
        except ImportError as error:
            reasons.append(f"{module.rpartition('.')[2]}: {error}")
            continue
        return device
    raise EngineError(f"no CUDA library can be used ({'; '.join(reasons)}); pip install 'zhiyin[trt]'")
