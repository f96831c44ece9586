"""ONNX Runtime on the CPU: one session per network, shared by all threads.

Input   a voice bundle
Output  OnnxEngine
State   the loaded sessions; none per stream
Sessions run on the calling thread (`intra_op_num_threads=1`): a second thread inside one session
does not make a stream faster, while one worker thread per core scales linearly. `run` releases the
interpreter lock.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from streaming.errors import SynthesisError, VoiceBundleError
from streaming.manifest import VoiceManifest
from streaming.synthesis.engine import Array, NetworkName

logger = logging.getLogger(__name__)

PROVIDER = "CPUExecutionProvider"
OUTPUT_SUFFIX = "_out"  # ONNX names are unique: an output named like an input carries this in the file
INPUT_DTYPES = {"tensor(float)": np.dtype(np.float32), "tensor(int64)": np.dtype(np.int64)}


class OnnxEngine:
    """Runs the networks of one voice bundle. Thread-safe."""

    def __init__(self, folder: Path, manifest: VoiceManifest, precision: str = "fp32") -> None:
        """Load every network of the bundle; the files' checksums are the caller's matter.

        Raises:
            VoiceBundleError: A network is missing in this precision, cannot be loaded, or is not
                of this project's contract.
        """
        self._name = f"onnx-cpu-{precision}"
        self._sessions = {
            network: _load_session(folder / manifest.network_file(network, precision))
            for network in manifest.network_names
        }
        self._output_names = {
            network: [output.name.removesuffix(OUTPUT_SUFFIX) for output in session.get_outputs()]
            for network, session in self._sessions.items()
        }
        logger.info("voice %s: %d networks loaded, %s", manifest.name, len(self._sessions), self._name)

    @property
    def name(self) -> str:
        """Runtime, device and precision: `onnx-cpu-fp32`."""
        return self._name

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run one network; inputs that the graph does not have are an error of ours.

        Raises:
            SynthesisError: ONNX Runtime failed; the cause is chained.
        """
        try:
            outputs = self._sessions[network].run(None, dict(inputs))
        except Exception as error:  # onnxruntime raises classes of its own with no common base
            msg = f"{network} failed in {self._name}: {error}"
            raise SynthesisError(msg) from error
        return dict(zip(self._output_names[network], outputs, strict=True))


def _load_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors only: warnings are about graph clean-up
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[PROVIDER])
    except Exception as error:  # as above
        msg = f"{path}: {error}"
        raise VoiceBundleError(msg) from error
    if session.get_providers() != [PROVIDER]:
        msg = f"{path}: runs on {session.get_providers()}, asked for {PROVIDER}"
        raise VoiceBundleError(msg)
    for node in session.get_inputs():
        if node.type not in INPUT_DTYPES:
            msg = f"{path}: input {node.name!r} is {node.type}; allowed are {', '.join(INPUT_DTYPES)}"
            raise VoiceBundleError(msg)
    return session
