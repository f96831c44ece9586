"""The two ways to a GPU, with stand-ins for their libraries: what is called, what is freed, what is told."""

# ruff: noqa: N802, N815 -- the stand-ins have the names of the libraries
from __future__ import annotations

import ctypes
import gc
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streaming import engines
from streaming.engines.cuda_device import CudaDevice, open_device
from streaming.errors import EngineError

ENGINES = Path(engines.__file__).parent
OK, NO_MEMORY = "cudaSuccess", "cudaErrorMemoryAllocation"


class Runtime(ModuleType):
    """Stands in for `cuda.bindings.runtime`: device memory is host memory; what is called is written down."""

    cudaError_t = SimpleNamespace(cudaSuccess=OK)
    cudaDeviceAttr = SimpleNamespace(
        cudaDevAttrComputeCapabilityMajor="major", cudaDevAttrComputeCapabilityMinor="minor"
    )
    cudaMemcpyKind = SimpleNamespace(
        cudaMemcpyHostToDevice="up", cudaMemcpyDeviceToHost="down", cudaMemcpyDeviceToDevice="inside"
    )
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal="mine")
    cudaStreamNonBlocking = 1

    def __init__(self) -> None:
        super().__init__("cuda.bindings.runtime")
        self.log: list[str] = []
        self.memory: dict[int, Any] = {}
        self.n_devices = 1
        self.room = 1 << 20
        self.status = OK

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not name.startswith("cuda"):
            raise AttributeError(name)

        def function(*arguments: Any) -> tuple[Any, ...]:
            self.log.append(name)
            results = self.answer(name, arguments)
            return (self.status, *results)

        function.__name__ = name
        return function

    def answer(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        answers: dict[str, Callable[..., tuple[Any, ...]]] = {
            "cudaGetDeviceCount": lambda: (self.n_devices,),
            "cudaDeviceGetAttribute": lambda kind, number: ({"major": 9, "minor": 0}[kind],),
            "cudaStreamCreateWithFlags": lambda flags: (77,),
            "cudaMalloc": self.allocate,
            "cudaMallocHost": self.allocate,
            "cudaMemcpyAsync": self.copy,
            "cudaMemcpy": self.copy,
            "cudaStreamEndCapture": lambda stream: ("graph",),
            "cudaGraphInstantiate": lambda graph, flags: ("recorded",),
            "cudaFree": lambda address: (self.memory.pop(address, None),),
            "cudaFreeHost": lambda address: (self.memory.pop(address, None),),
        }
        return answers.get(name, lambda *a: ())(*arguments)

    def allocate(self, n_bytes: int) -> tuple[Any, ...]:
        self.status = OK if n_bytes <= self.room else NO_MEMORY
        block = (ctypes.c_uint8 * n_bytes)()
        self.memory[ctypes.addressof(block)] = block
        return (ctypes.addressof(block),)

    def copy(self, target: int, source: int, n_bytes: int, kind: str, stream: int = 0) -> tuple[Any, ...]:
        ctypes.memmove(target, source, n_bytes)
        return ()

    def cudaGetErrorString(self, status: str) -> tuple[str, bytes]:
        return OK, b"out of memory"


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """The library, in place of whatever is installed."""
    runtime = Runtime()
    bindings = ModuleType("cuda.bindings")
    bindings.runtime = runtime  # type: ignore[attr-defined]
    cuda = ModuleType("cuda")
    cuda.bindings = bindings  # type: ignore[attr-defined]
    for name, module in {"cuda": cuda, "cuda.bindings": bindings, "cuda.bindings.runtime": runtime}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "pycuda", None)
    for name in ("cuda_bindings", "cuda_pycuda"):
        monkeypatch.delitem(sys.modules, f"streaming.engines.{name}", raising=False)
    yield runtime
    for name in ("cuda_bindings", "cuda_pycuda"):
        sys.modules.pop(f"streaming.engines.{name}", None)


def speak_through(device: CudaDevice) -> None:
    """Send bytes to the device and fetch them back."""
    with device.active():
        stream = device.new_stream()
        buffer = device.allocate(8)
        buffer.host[:] = np.arange(8)
        device.upload(buffer, 8, stream)
        buffer.host[:] = 0
        device.download(buffer, 4, stream)
        device.synchronize(stream)
        assert buffer.host.tolist() == [0, 1, 2, 3, 0, 0, 0, 0]
        buffer.host[:] = 9
        device.upload(buffer, 2, stream, 4)
        memory = device.reserve(4)
        device.copy(buffer.address + 3, memory.address, 4, stream)
        device.synchronize(stream)
        assert device.fetch(memory.address, 4).tolist() == [3, 9, 9, 6]


def test_bytes_go_to_the_device_and_back(runtime: Runtime) -> None:
    device = open_device("cuda")
    assert device.compute_capability == "SM90"
    speak_through(device)
    assert "cudaSetDevice" in runtime.log


def test_memory_is_freed_with_its_buffer(runtime: Runtime) -> None:
    device = open_device("cuda")
    with device.active():
        buffer = device.allocate(8)
    assert len(runtime.memory) == 2
    del buffer
    gc.collect()
    assert not runtime.memory


def test_no_memory_is_told_and_leaks_nothing(runtime: Runtime) -> None:
    runtime.room = 4
    device = open_device("cuda")
    for function in (device.allocate, device.reserve):
        with pytest.raises(EngineError, match="cudaMalloc: out of memory"):
            function(8)
    gc.collect()
    assert "cudaMallocHost" not in runtime.log


def test_work_is_recorded_and_launched_at_once(runtime: Runtime) -> None:
    device = open_device("cuda")
    done: list[str] = []
    launch = device.capture(77, lambda: done.append("queued"))
    assert launch is not None
    assert runtime.log.index("cudaStreamBeginCapture") < runtime.log.index("cudaStreamEndCapture")
    launch()
    launch()
    assert runtime.log.count("cudaGraphLaunch") == 2
    assert done == ["queued"]
    del launch
    gc.collect()
    assert runtime.log.count("cudaGraphExecDestroy") == 1


def test_a_recording_that_fails_is_ended(runtime: Runtime) -> None:
    def fail() -> None:
        raise EngineError("refused")

    with pytest.raises(EngineError, match="refused"):
        open_device("cuda").capture(77, fail)
    assert "cudaStreamEndCapture" in runtime.log


@pytest.mark.parametrize("name", ["cuda:1", "cuda:7"])
def test_a_gpu_that_is_not_there_is_named(runtime: Runtime, name: str) -> None:
    with pytest.raises(EngineError, match=f"found {name}; this machine has 1, counted from 0"):
        open_device(name)


def test_a_machine_without_a_gpu_says_so(runtime: Runtime) -> None:
    runtime.status = "cudaErrorNoDevice"
    with pytest.raises(EngineError, match="no NVIDIA GPU can be used: cudaGetDeviceCount"):
        open_device("cuda")


class Allocation:
    """Frees its memory with the last reference, where the context is current."""

    def __init__(self, driver: Driver, n_bytes: int) -> None:
        self.driver, self.block = driver, np.zeros(n_bytes, np.uint8)
        driver.memory[int(self)] = self.block

    def __int__(self) -> int:
        return int(self.block.ctypes.data)

    def __del__(self) -> None:
        if self.driver.log.count("push") > self.driver.log.count("pop"):
            del self.driver.memory[int(self)]


class Driver(ModuleType):
    """Stands in for `pycuda.driver`."""

    class Error(Exception):
        pass

    class MemoryError(Error):
        pass

    class Stream:
        def __init__(self, flags: int) -> None:
            assert flags == 1
            self.handle = 77

        def synchronize(self) -> None:
            pass

    class Device:
        def __init__(self, number: int) -> None:
            pass

        @staticmethod
        def count() -> int:
            return 1

        def compute_capability(self) -> tuple[int, int]:
            return 8, 9

        def retain_primary_context(self) -> Any:
            return SimpleNamespace(
                push=lambda: Driver.log.append("push"), pop=lambda: Driver.log.append("pop")
            )

    log: list[str] = []  # noqa: RUF012 -- one for all
    memory: dict[int, Any] = {}  # noqa: RUF012 -- one for all

    def init(self) -> None:
        pass

    def mem_alloc(self, n_bytes: int) -> Any:
        if n_bytes > 100:
            raise Driver.MemoryError("out of memory")
        return Allocation(self, n_bytes)

    def pagelocked_empty(self, n_bytes: int, dtype: Any) -> Any:
        return np.zeros(n_bytes, dtype)

    def at(self, address: int, n_bytes: int) -> Any:
        return np.ctypeslib.as_array((ctypes.c_uint8 * n_bytes).from_address(address))

    def memcpy_htod_async(self, target: int, source: Any, stream: Any) -> None:
        self.at(target, source.size)[:] = source

    def memcpy_dtoh_async(self, target: Any, source: int, stream: Any) -> None:
        target[:] = self.at(source, target.size)

    def memcpy_dtod_async(self, target: int, source: int, n_bytes: int, stream: Any) -> None:
        self.at(target, n_bytes)[:] = self.at(source, n_bytes)

    def memcpy_dtoh(self, target: Any, source: int) -> None:
        target[:] = self.at(source, target.size)


@pytest.fixture
def pycuda(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """The other library, beside the first."""
    driver, package = Driver("pycuda.driver"), ModuleType("pycuda")
    package.driver = driver  # type: ignore[attr-defined]
    Driver.log.clear()
    Driver.memory.clear()
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    return driver


def test_pycuda_is_preferred_and_its_context_is_left_again(pycuda: Driver) -> None:
    device = open_device("cuda")
    assert device.compute_capability == "SM89"
    speak_through(device)
    assert pycuda.log == ["push", "pop"] * 3  # once to speak, once for each of two pieces of memory to go


def test_pycuda_frees_from_threads_that_never_used_it(pycuda: Driver) -> None:
    device = open_device("cuda")
    with device.active():
        kept: list[object] = [device.allocate(8), device.reserve(8)]
    assert len(pycuda.memory) == 2
    thread = threading.Thread(target=kept.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert not pycuda.memory


def test_graphs_come_from_the_bindings_and_are_done_without_where_those_lack(
    pycuda: Driver, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = open_device("cuda")
    launch = device.capture(77, lambda: None)
    assert launch is not None
    launch()
    assert "cudaGraphLaunch" in runtime.log
    monkeypatch.setitem(sys.modules, "streaming.engines.cuda_bindings", None)
    assert device.capture(77, lambda: None) is None


def test_pycuda_tells_what_is_wrong(pycuda: Driver) -> None:
    with pytest.raises(EngineError, match="found cuda:1; this machine has 1"):
        open_device("cuda:1")
    with pytest.raises(EngineError, match="no room for 101 bytes: out of memory"):
        open_device("cuda").allocate(101)
    with pytest.raises(EngineError, match="no room for 102 bytes: out of memory"):
        open_device("cuda").reserve(102)


def test_the_real_bindings_have_what_is_called() -> None:
    """Where the library is installed: a stand-in would answer to any name."""
    runtime = pytest.importorskip("cuda.bindings.runtime")
    source = (ENGINES / "cuda_bindings.py").read_text("utf-8")
    names = set(re.findall(r"runtime\.(cuda\w+)(?:\.(\w+))?", source))
    assert len(names) > 15
    for name, member in names:
        assert hasattr(getattr(runtime, name), member or "__doc__")
