"""OpenVINO on the CPU: bf16 where the processor has it.

Input   a network's file, a Choice
Output  OpenVinoNetwork
State   the compiled network and the requests that wait for their next use; none per stream
The weights of the fp32 file become bf16 while loading. Every call runs on the calling thread; a request
serves one call at a time, so there are as many as threads that call at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino

from streaming.engines.choice import Choice
from streaming.engines.network import OUTPUT_SUFFIX
from streaming.errors import EngineError, VoiceBundleError
from streaming.synthesis.engine import Array

HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoNetwork:
    """One network. Thread-safe."""

    def __init__(self, path: Path, choice: Choice) -> None:
        """Load and compile the file.

        Raises:
            EngineError: The processor does not have the precision.
            VoiceBundleError: The file cannot be loaded.
        """
        core = openvino.Core()
        hint = HINTS[choice.precision]
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if hint == "bf16" and "BF16" not in capabilities:
            raise EngineError(f"precision bf16: this processor has {', '.join(capabilities)}")
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self._compiled = core.compile_model(core.read_model(path), "CPU", options)
        except RuntimeError as error:
            msg = f"{path}: {error}"
            raise VoiceBundleError(msg) from error
        active = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if active != hint:
            raise EngineError(f"{path.name} would run in {active}, asked for {hint}")
        self._names = [output.get_any_name().removesuffix(OUTPUT_SUFFIX) for output in self._compiled.outputs]
        self._idle: deque[openvino.InferRequest] = deque()

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the network; inputs that the graph does not have are an error."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            results = request.infer(dict(inputs), share_inputs=True)
            return {name: np.asarray(results[index]) for index, name in enumerate(self._names)}
        finally:
            self._idle.append(request)


def open_network(path: Path, choice: Choice, _engines: Path) -> OpenVinoNetwork:
    """See `network.open_network`."""
    return OpenVinoNetwork(path, choice)
