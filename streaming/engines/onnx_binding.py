"""ONNX Runtime on a GPU: what a call sends and fetches, and what stays there.

Input   a session on a device; arrays, and states that are there
Output  arrays, and ResidentValue
State   none; a state is the stream's

`session.run` fetches every output and sends it again with the next call. Here the state of a stream that runs
by itself stays (I/O binding). The runtime cannot put rows together or take them apart on the device: the
states of a batch are fetched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from streaming.engines.network import OUTPUT_SUFFIX
from streaming.synthesis.engine import STATE_NAMES, Array, Resident


class ResidentValue(Resident):
    """State of one stream."""

    def __init__(self, value: onnxruntime.OrtValue) -> None:
        self.value = value
        self.shape = tuple(value.shape())

    def row(self, index: int) -> ResidentValue:
        """See Resident; there is one."""
        assert index == 0
        return self

    def joined(self, parts: Sequence[Any]) -> Resident | Array:
        """See Resident; more than one are an array."""
        if len(parts) == 1:
            return self
        return np.concatenate([np.asarray(part, np.float32) for part in parts])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.float32]:
        """See Resident."""
        return np.asarray(self.value.numpy(), dtype)


class BoundSession:
    """Runs a session on a device. Thread-safe."""

    def __init__(self, session: onnxruntime.InferenceSession, device: str) -> None:
        """Take a session and the name of its device, `cuda` or `cuda:1`."""
        self._session = session
        self._kind, _, number = device.partition(":")
        self._number = int(number or 0)
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, inputs: Mapping[str, Any]) -> list[Any]:
        """Return the outputs in the graph's order. Blocking; inputs that it does not have are an error."""
        binding = self._session.io_binding()
        is_alone = True
        for name, value in inputs.items():
            if isinstance(value, ResidentValue):
                binding.bind_ortvalue_input(name, value.value)
            else:
                binding.bind_cpu_input(name, value)
            is_alone = is_alone and (name not in STATE_NAMES or value.shape[0] == 1)
        stays = [is_alone and name.removesuffix(OUTPUT_SUFFIX) in STATE_NAMES for name in self._outputs]
        for name, here in zip(self._outputs, stays, strict=True):
            if here:
                binding.bind_output(name, self._kind, self._number)
            else:
                binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding)
        binding.clear_binding_inputs()  # a state keeps its binding, and that would keep the inputs
        return [
            ResidentValue(value) if here else value.numpy()
            for value, here in zip(binding.get_outputs(), stays, strict=True)
        ]
