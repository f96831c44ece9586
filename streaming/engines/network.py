"""One network on one runtime.

Input   a file of a bundle, a Choice
Output  Network: a function of inputs by name
State   none; a network is loaded once and called from any number of threads
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from streaming.engines.choice import Choice
from streaming.errors import MissingLibraryError
from streaming.synthesis.engine import Array

OUTPUT_SUFFIX = "_out"  # ONNX names are unique: an output named like an input carries this in the file

MODULES = {
    "onnx": "streaming.engines.onnx",
    "onnx-tensorrt": "streaming.engines.onnx",
    "openvino": "streaming.engines.openvino",
    "numba": "streaming.engines.numba",
    "tensorrt": "streaming.engines.tensorrt",
}
EXTRAS = {"onnx": "cpu", "onnx-tensorrt": "gpu", "openvino": "openvino", "numba": "numba", "tensorrt": "trt"}


class Network(Protocol):
    """A loaded network. Thread-safe."""

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run it: outputs by name as in the engine contract. Blocking; raises whatever the runtime raises."""
        ...


def open_network(path: Path, choice: Choice, engines: Path = Path()) -> Network:
    """Load a network. Blocking; libraries are imported when they are first chosen.

    Args:
        path: A file of a bundle.
        choice: How it is run.
        engines: Where engines for NVIDIA GPUs are kept.

    Raises:
        MissingLibraryError: The library is not installed, or cannot be imported.
        EngineError: This machine cannot do what was chosen.
        VoiceBundleError: The file is not a network of this project's contract.
    """
    try:
        module = importlib.import_module(MODULES[choice.runtime])
    except ModuleNotFoundError as error:
        extra = EXTRAS[choice.runtime]
        raise MissingLibraryError(
            f"{choice.runtime}: {error.name} is not installed; pip install 'zhiyin[{extra}]'"
        ) from None
    except ImportError as error:  # it is there, but not for this Python, numpy or system
        raise MissingLibraryError(f"{choice.runtime}: {error}") from error
    network: Network = module.open_network(path, choice, engines)
    return network
