"""ONNX Runtime: one session per network, shared by all threads.

Input   a network's file, a Choice
Output  OnnxNetwork
State   the session; none per stream
On the CPU sessions run on the calling thread (`intra_op_num_threads=1`): a second thread inside one session
does not make a stream faster, while one worker thread per core scales linearly. `run` releases the
interpreter lock.

The runtime falls back to the CPU without an error when a GPU or a library of it is missing. So the provider
that a session really has is compared with the one that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from streaming.engines.choice import Choice
from streaming.engines.network import OUTPUT_SUFFIX
from streaming.engines.onnx_binding import BoundSession
from streaming.errors import EngineError, VoiceBundleError
from streaming.synthesis.engine import Array

INPUT_DTYPES = {"tensor(float)": np.dtype(np.float32), "tensor(int64)": np.dtype(np.int64)}
PROVIDERS = {
    ("onnx", "cpu"): "CPUExecutionProvider",
    ("onnx", "cuda"): "CUDAExecutionProvider",
    ("onnx-tensorrt", "cuda"): "TensorrtExecutionProvider",
}


class OnnxNetwork:
    """One network. Thread-safe."""

    def __init__(self, path: Path, choice: Choice, engines: Path) -> None:
        """Load the file; what a provider builds of it is kept in `engines`.

        Raises:
            EngineError: The device is not to be had.
            VoiceBundleError: The file cannot be loaded or is not of this project's contract.
        """
        session = _load_session(path, choice, engines)
        self._names = [output.name.removesuffix(OUTPUT_SUFFIX) for output in session.get_outputs()]
        self._run: Callable[[Mapping[str, Array]], Sequence[Any]]
        if choice.device == "cpu":
            self._run = partial(session.run, None)
        else:
            self._run = BoundSession(session, choice.device).run

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the network; inputs that the graph does not have are an error."""
        return dict(zip(self._names, self._run(dict(inputs)), strict=True))


def open_network(path: Path, choice: Choice, engines: Path) -> OnnxNetwork:
    """See `network.open_network`."""
    return OnnxNetwork(path, choice, engines)


def _load_session(path: Path, choice: Choice, engines: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    levels = onnxruntime.GraphOptimizationLevel
    # 1.32 crashes while it gives FP16 convolutions the blocked layout, which it has no kernels for anyway.
    half = choice.precision == "fp16"
    options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED if half else levels.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors only: warnings are about graph clean-up
    provider = PROVIDERS[choice.runtime, choice.device.partition(":")[0]]
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise EngineError(
            f"{choice.runtime} on {choice.device}: this onnxruntime has {', '.join(available)}; "
            f"needed is {provider} (pip install 'zhiyin[gpu]' in an environment without the cpu extra)"
        )
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=_providers(provider, choice, engines)
        )
    except Exception as error:  # onnxruntime raises classes of its own with no common base
        msg = f"{path}: {error}"
        raise VoiceBundleError(msg) from error
    if session.get_providers()[0] != provider:
        raise EngineError(
            f"{path.name} would run on {session.get_providers()[0]}, asked for {provider}: "
            f"is the GPU's driver there?"
        )
    for node in session.get_inputs():
        if node.type not in INPUT_DTYPES:
            msg = f"{path}: input {node.name!r} is {node.type}; allowed are {', '.join(INPUT_DTYPES)}"
            raise VoiceBundleError(msg)
    return session


def _providers(provider: str, choice: Choice, engines: Path) -> list[Any]:
    """Return a provider with its options, and the one behind it for what it cannot run."""
    if provider == PROVIDERS["onnx", "cpu"]:
        return [provider]
    device = {"device_id": choice.device.partition(":")[2] or "0"}
    if provider == PROVIDERS["onnx", "cuda"]:
        return [(provider, device)]
    kept = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(engines)}
    return [(provider, device | kept), (PROVIDERS["onnx", "cuda"], device)]
