"""Serving from TensorRT engines, with stand-ins for the library and the GPU.

The stand-in for an engine is the ONNX file itself, run by ONNX Runtime on what lies at the addresses that the
context was told. Device memory is another piece of host memory: what is not uploaded is not there.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from streaming.engines import cuda_device, tensorrt, tensorrt_lane
from streaming.engines.bundle import BundleEngine
from streaming.engines.choice import Choice, EnginePlan
from streaming.engines.cuda_device import Buffer, Memory
from streaming.engines.engine_cache import EngineCache, EngineKey
from streaming.errors import EngineError, SynthesisError
from streaming.manifest import NetworkName
from streaming.voice import load_manifest
from tests.streaming.engines.speaking import FOLDER, in_company, segment

VOCODER = FOLDER / "vocoder.fp32.onnx"
SIZES = {"frames": 64, "window": 64, "tokens": 99, "rows": 99, "samples": 64 * 200}
DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


class Device:
    """A GPU that does what is queued when it is waited for."""

    def __init__(self) -> None:
        self.memory: dict[int, np.ndarray[Any, Any]] = {}
        self.queued: list[Callable[[], None]] = []
        self.recording: list[Callable[[], None]] | None = None
        self.users: set[int] = set()
        self.n_streams = self.n_captures = self.n_launches = 0
        self.n_reserved = self.n_bytes_up = self.n_bytes_down = self.n_fetched = 0
        self.before_waiting: Callable[[], None] = lambda: None
        self.compute_capability = "SM90"
        self.room = 1 << 30
        self.most_reserved = 1 << 30
        self.graphs = True

    @contextmanager
    def active(self) -> Iterator[None]:
        me = threading.get_ident()
        self.users.add(me)
        yield
        self.users.discard(me)

    def new_stream(self) -> int:
        self.n_streams += 1
        return self.n_streams

    def allocate(self, n_bytes: int) -> Buffer:
        assert threading.get_ident() in self.users
        if n_bytes > self.room:
            raise EngineError(f"no room for {n_bytes} bytes")
        on_device = np.full(n_bytes, 0x7F, np.uint8)
        address = on_device.ctypes.data
        self.memory[address] = on_device
        return Buffer(address, np.full(n_bytes, 0x7F, np.uint8), on_device)

    def reserve(self, n_bytes: int) -> Memory:
        assert threading.get_ident() in self.users
        if n_bytes > self.room:
            raise EngineError(f"no room for {n_bytes} bytes")
        on_device = np.full(n_bytes, 0x7F, np.uint8)
        self.memory[on_device.ctypes.data] = on_device
        self.n_reserved += 1
        if self.n_reserved > self.most_reserved:
            raise EngineError("no room for a row")
        return Memory(on_device.ctypes.data, on_device)

    def at(self, address: int, n_bytes: int) -> np.ndarray[Any, Any]:
        for start, block in self.memory.items():
            if start <= address and address + n_bytes <= start + block.size:
                return block[address - start :][:n_bytes]
        raise AssertionError(f"{n_bytes} bytes at {address} are nobody's")

    def put(self, work: Callable[[], None]) -> None:
        (self.queued if self.recording is None else self.recording).append(work)

    def upload(self, buffer: Buffer, n_bytes: int, stream: int, start: int = 0) -> None:
        def work() -> None:
            self.n_bytes_up += n_bytes
            np.copyto(self.at(buffer.address + start, n_bytes), buffer.host[start:][:n_bytes])

        self.put(work)

    def download(self, buffer: Buffer, n_bytes: int, stream: int) -> None:
        def work() -> None:
            self.n_bytes_down += n_bytes
            np.copyto(buffer.host[:n_bytes], self.at(buffer.address, n_bytes))

        self.put(work)

    def copy(self, source: int, target: int, n_bytes: int, stream: int) -> None:
        assert self.recording is None, "its addresses are another stream's the next time"
        self.put(lambda: np.copyto(self.at(target, n_bytes), self.at(source, n_bytes)))

    def fetch(self, address: int, n_bytes: int) -> np.ndarray[Any, Any]:
        assert threading.get_ident() in self.users
        self.n_fetched += 1
        return self.at(address, n_bytes).copy()

    def synchronize(self, stream: int) -> None:
        self.before_waiting()
        for work in self.queued:
            work()
        self.queued.clear()

    def capture(self, stream: int, queue: Callable[[], None]) -> Callable[[], None] | None:
        if not self.graphs:
            return None
        self.n_captures += 1
        self.recording = recorded = []
        queue()
        self.recording = None

        def launch() -> None:
            self.n_launches += 1
            self.queued.extend(recorded)

        return launch


class Engine:
    num_optimization_profiles = 2
    most_rows = (1, 4)

    def __init__(self, device: Device, content: bytes) -> None:
        self.device = device
        self.session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self.tensors = {node.name: node for node in (*self.session.get_inputs(), *self.session.get_outputs())}
        self.names = list(self.tensors)
        self.inputs = {node.name for node in self.session.get_inputs()}
        self.num_io_tensors = len(self.names)
        self.n_contexts = 0
        self.memory_left = True

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> str:
        return "in" if name in self.inputs else "out"

    def get_tensor_dtype(self, name: str) -> str:
        return str(self.tensors[name].type)

    def get_tensor_location(self, name: str) -> str:
        return "device"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(size if isinstance(size, int) else -1 for size in self.tensors[name].shape)

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        sizes = {**SIZES, "batch": self.most_rows[profile]}
        shape = tuple(sizes.get(size, size) for size in self.tensors[name].shape)
        return [shape, shape, shape]

    def create_execution_context(self) -> Context | None:
        self.n_contexts += 1
        return Context(self) if self.memory_left else None


class Context:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.refuses = False

    def set_optimization_profile_async(self, profile: int, stream: int) -> None:
        self.profile = profile

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = tuple(shape)
        largest = self.engine.get_tensor_profile_shape(name, self.profile)[2]
        return all(size <= most for size, most in zip(shape, largest, strict=True))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return next(value.shape for key, value in self.compute(zeros=True).items() if key == name)

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        addresses, shapes = dict(self.addresses), dict(self.shapes)

        def work() -> None:
            for name, value in self.compute(addresses=addresses, shapes=shapes).items():
                raw = value.reshape(-1).view(np.uint8)
                self.engine.device.memory[addresses[name]][: raw.size] = raw

        self.engine.device.put(work)
        return not self.refuses

    def compute(
        self,
        *,
        addresses: dict[str, int] | None = None,
        shapes: dict[str, tuple[int, ...]] | None = None,
        zeros: bool = False,
    ) -> dict[str, Any]:
        inputs = {}
        for name in self.engine.inputs:
            dtype, shape = DTYPES[self.engine.tensors[name].type], (shapes or self.shapes)[name]
            if zeros:
                inputs[name] = np.zeros(shape, dtype)
                continue
            memory = self.engine.device.memory[(addresses or {})[name]]
            n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
            inputs[name] = memory[:n_bytes].view(dtype).reshape(shape)
        names = [name for name in self.engine.names if name not in self.engine.inputs]
        return dict(zip(names, self.engine.session.run(names, inputs), strict=True))


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """The library and a GPU."""
    device = Device()
    module = ModuleType("tensorrt")
    runtime = SimpleNamespace(
        deserialize_cuda_engine=lambda content: Engine(device, content) if content != b"other" else None
    )
    for name, value in {
        "__version__": "11.4.0",
        "Logger": type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None}),
        "Runtime": lambda log: runtime,
        "TensorIOMode": SimpleNamespace(INPUT="in"),
        "TensorLocation": SimpleNamespace(HOST="host"),
        "nptype": DTYPES.__getitem__,
    }.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    monkeypatch.setattr(tensorrt, "open_device", lambda name: device)
    return device


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    """Engines of every network of the voice."""
    folder, manifest = tmp_path / "engines", load_manifest(FOLDER)
    for network in manifest.network_names:
        file = manifest.network_file(network, "fp32")
        key = EngineKey(manifest.sha256[file], "tensorrt", "11.4.0", "SM90", {}, (1, 4))
        EngineCache(folder).write(key, (FOLDER / file).read_bytes())
    return folder


CHOICE = Choice("tensorrt", "fp32", "cuda")


def network(engines: Path) -> tensorrt.TensorRtNetwork:
    return tensorrt.open_network(VOCODER, CHOICE, engines)


def call(n_rows: int, n_frames: int, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    state = np.zeros((n_rows, load_manifest(FOLDER).vocoder.state_size), np.float32)
    return {"mel": random.normal(size=(n_rows, n_frames, 80)).astype(np.float32), "state": state}


def assert_equal(found: dict[str, Any], inputs: dict[str, Any]) -> None:
    expected = BundleEngine(FOLDER, load_manifest(FOLDER)).run("vocoder", inputs)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5)


def test_calls_are_computed_recorded_and_replayed(device: Device, engines: Path) -> None:
    run = network(engines)
    for seed in range(5):
        inputs = call(1, 8, seed)
        assert_equal(run(inputs), inputs)
    # The first shares a context, the second warms one of its own, the third records.
    assert (device.n_captures, device.n_launches) == (1, 3)


def test_shapes_take_turns_without_meeting(device: Device, engines: Path) -> None:
    run = network(engines)
    for seed in range(12):
        inputs = call(1, 4 + 4 * (seed % 3), seed)
        assert_equal(run(inputs), inputs)
    assert device.n_captures == 3


def test_rows_are_filled_up_to_a_profile_and_cut_again(device: Device, engines: Path) -> None:
    run = network(engines)
    for n_rows in (3, 2, 4, 1, 3, 3):
        inputs = call(n_rows, 8, n_rows)
        assert_equal(run(inputs), inputs)
    assert device.n_captures == 1  # three rows, two and four are one shape


def test_without_graphs_every_call_is_queued(device: Device, engines: Path) -> None:
    device.graphs = False
    run = network(engines)
    for seed in range(4):
        inputs = call(1, 8, seed)
        assert_equal(run(inputs), inputs)
    assert device.n_launches == 0


def test_ever_other_lengths_do_not_fill_the_memory(
    device: Device, engines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt_lane, "MAX_CALLS", 2)
    run = network(engines)
    for _ in range(3):
        for n_frames in (4, 5, 6):
            inputs = call(1, n_frames)
            assert_equal(run(inputs), inputs)
    assert device.n_captures == 0  # none is still known when it comes again
    assert run._engine.n_contexts == 1


def test_threads_have_streams_and_buffers_of_their_own(device: Device, engines: Path) -> None:
    run = network(engines)
    found: list[Any] = []
    for seed in range(2):
        thread = threading.Thread(target=lambda seed=seed: found.append(run(call(1, 8, seed))))
        thread.start()
        thread.join()
    assert device.n_streams == 2
    for seed, outputs in enumerate(found):
        assert_equal(outputs, call(1, 8, seed))


def test_results_stay_when_the_next_call_is_made(device: Device, engines: Path) -> None:
    run = network(engines)
    first = run(call(1, 8, 1))
    kept = first["audio"].copy()
    run(call(1, 8, 2))
    np.testing.assert_array_equal(first["audio"], kept)


def run_on(run: Callable[..., Any], mel: Any, state: Any) -> dict[str, Any]:
    return run({"mel": mel, "state": state})


def test_state_stays_on_the_device_and_is_never_sent_or_fetched(device: Device, engines: Path) -> None:
    run, inputs = network(engines), call(1, 8)
    state = inputs["state"]
    device.n_bytes_up = 0
    state = run_on(run, inputs["mel"], state)["state"]
    assert device.n_bytes_up == inputs["mel"].nbytes + inputs["state"].nbytes  # zeros, once
    up, down = device.n_bytes_up, device.n_bytes_down
    for _ in range(5):
        output = run_on(run, inputs["mel"], state)
        state = output["state"]
    assert device.n_bytes_up - up == 5 * inputs["mel"].nbytes
    assert device.n_bytes_down - down == 5 * output["audio"].nbytes
    assert device.n_fetched == 0


def test_a_stream_of_blocks_is_the_same_with_its_state_on_the_device(device: Device, engines: Path) -> None:
    run, reference = network(engines), BundleEngine(FOLDER, load_manifest(FOLDER))
    state: Any = call(1, 8)["state"]
    kept = state
    for seed in range(6):
        mel = call(1, 8, seed)["mel"]
        found, expected = run_on(run, mel, state), reference.run("vocoder", {"mel": mel, "state": kept})
        np.testing.assert_allclose(found["audio"], expected["audio"], atol=1e-5)
        np.testing.assert_allclose(np.asarray(found["state"]), expected["state"], atol=1e-5)
        state, kept = found["state"], expected["state"]


def test_rows_of_streams_meet_in_a_batch_and_part_again(device: Device, engines: Path) -> None:
    manifest = load_manifest(FOLDER)
    plan = EnginePlan(networks={"vocoder": CHOICE}, engines=engines)
    found, expected = BundleEngine(FOLDER, manifest, plan), BundleEngine(FOLDER, manifest)
    for one, other in zip(in_company(found), in_company(expected), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_memory_of_states_that_nobody_has_is_used_again(device: Device, engines: Path) -> None:
    run, inputs = network(engines), call(1, 8)
    state = inputs["state"]
    for _ in range(10):
        state = run_on(run, inputs["mel"], state)["state"]
    assert device.n_reserved == 2  # one goes in while the other comes out


def test_a_segment_of_the_voice_is_spoken_with_its_states_on_the_device(
    device: Device, engines: Path
) -> None:
    manifest = load_manifest(FOLDER)
    networks: dict[NetworkName, Choice] = dict.fromkeys(("decoder", "postnet", "vocoder"), CHOICE)
    on_gpu = BundleEngine(FOLDER, manifest, EnginePlan(networks=networks, engines=engines))
    np.testing.assert_allclose(segment(on_gpu), segment(BundleEngine(FOLDER, manifest)), atol=1e-4)
    assert device.n_fetched == 0


def test_where_there_is_no_room_for_a_state_nothing_queued_writes_to_memory_that_is_free(
    device: Device, engines: Path
) -> None:
    run = network(engines)
    device.most_reserved = 2
    free: list[int] = []
    device.before_waiting = lambda: free.append(
        sum(map(len, run._memory._free.values())) * len(device.queued)
    )
    with pytest.raises(EngineError, match="no room for a row"):
        run(call(3, 8))
    assert not any(free)
    device.most_reserved = 1 << 30
    assert_equal(run(call(3, 8)), call(3, 8))


def test_more_rows_than_were_built_for_are_refused(device: Device, engines: Path) -> None:
    with pytest.raises(EngineError, match="a batch of 5 rows; the engine takes at most 4"):
        network(engines)(call(5, 8))


def test_a_shape_that_was_not_built_for_is_named_and_the_next_call_works(
    device: Device, engines: Path
) -> None:
    run = network(engines)
    run(call(1, 8))
    with pytest.raises(EngineError, match=r"mel: the engine was not built for shape \[1, 65, 80\]"):
        run(call(1, 65))
    assert_equal(run(call(1, 8)), call(1, 8))


def test_no_room_on_the_gpu_is_told(device: Device, engines: Path) -> None:
    device.room = 100
    with pytest.raises(EngineError, match="no room for"):
        network(engines)(call(1, 8))


def test_no_memory_for_a_context_is_told(device: Device, engines: Path) -> None:
    run = network(engines)
    run._engine.memory_left = False
    with pytest.raises(EngineError, match="is there enough GPU memory"):
        run(call(1, 8))


def test_an_engine_that_was_never_built_is_named_with_the_command(device: Device, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no engine of TensorRT 11\.4\.0 for SM90 .*zhiyin engine build"):
        network(tmp_path)


def test_an_engine_of_another_gpu_is_not_used(device: Device, engines: Path) -> None:
    device.compute_capability = "SM89"
    with pytest.raises(EngineError, match="for SM89"):
        network(engines)


def test_an_engine_that_does_not_load_is_told(device: Device, engines: Path) -> None:
    manifest = load_manifest(FOLDER)
    key = EngineKey(manifest.sha256["vocoder.fp32.onnx"], "tensorrt", "11.4.0", "SM90", {}, (1, 4))
    EngineCache(engines).write(key, b"other")
    with pytest.raises(EngineError, match="does not load its engine; build it again"):
        network(engines)


def test_a_bundle_speaks_from_engines_and_falls_back_where_allowed(
    device: Device, engines: Path, tmp_path: Path
) -> None:
    names: dict[NetworkName, Choice] = {"vocoder": CHOICE, "decoder": CHOICE}
    manifest = load_manifest(FOLDER)
    engine = BundleEngine(FOLDER, manifest, EnginePlan(networks=names, engines=engines))
    assert engine.name == "onnx-cpu-fp32 decoder=tensorrt-cuda-fp32 vocoder=tensorrt-cuda-fp32"
    found = engine.test(BundleEngine(FOLDER, manifest), {"vocoder": call(2, 8)})
    assert found["vocoder"] > 80.0
    with pytest.raises(SynthesisError, match="vocoder failed in tensorrt-cuda-fp32: a batch of 9 rows"):
        engine.run("vocoder", call(9, 8))
    plan = EnginePlan(networks=names, engines=tmp_path, on_failure="fall_back")
    assert BundleEngine(FOLDER, manifest, plan).name == "onnx-cpu-fp32"
    with pytest.raises(EngineError, match="no engine of TensorRT"):
        BundleEngine(FOLDER, manifest, EnginePlan(networks=names, engines=tmp_path))


def test_without_any_library_for_the_gpu_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in cuda_device.MODULES:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EngineError, match=r"no CUDA library can be used .*pycuda.*bindings.*zhiyin\[trt\]"):
        cuda_device.open_device("cuda")
