"""Which runtime runs which network, on what and in which precision.

Input   the configuration's words
Output  EnginePlan: a Choice per network
State   none
Not here: the runtimes themselves, one file each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from streaming.errors import EngineError
from streaming.manifest import NetworkName, VoiceManifest

Runtime = Literal["onnx", "onnx-tensorrt", "openvino", "numba", "tensorrt", "auto", "fake"]
Precision = Literal["fp32", "fp16", "bf16", "int8-dynamic", "int8-static", "int8-weights"]
AUTO = "auto"
OnFailure = Literal["refuse", "fall_back"]

# Runtime -> precision -> which of a bundle's files it reads: bf16 is made of fp32 weights while loading.
FILES: Mapping[str, Mapping[str, str]] = {
    "onnx": {
        "fp32": "fp32",
        "fp16": "fp16",
        "int8-dynamic": "int8-dynamic",
        "int8-static": "int8-static",
    },
    "onnx-tensorrt": {"fp32": "fp32", "fp16": "fp16", "int8-static": "int8-tensorrt"},
    "openvino": {"fp32": "fp32", "bf16": "fp32"},
    "numba": {"int8-weights": "int8-weights"},
    "tensorrt": {"fp32": "fp32", "fp16": "fp16", "int8-static": "int8-tensorrt"},
    "fake": {"fp32": "fp32"},
}
DEVICES: Mapping[str, tuple[str, ...]] = {
    "onnx": ("cpu", "cuda"),
    "onnx-tensorrt": ("cuda",),
    "openvino": ("cpu",),
    "numba": ("cpu",),
    "tensorrt": ("cuda",),
    "fake": ("cpu",),
}

# Least agreement with fp32 on ONNX Runtime, on the outputs of one call: what lies below is another network, a
# kernel that is wrong, or a precision that this network does not bear. How it sounds is measured elsewhere.
MIN_SNR_DB: Mapping[str, float] = {
    "fp32": 60.0,
    "fp16": 30.0,
    "bf16": 15.0,
    "int8-dynamic": 10.0,
    "int8-static": 10.0,
    "int8-weights": 20.0,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """How one network is run.

    Attributes:
        runtime: The library.
        precision: Of weights and arithmetic.
        device: `cpu`, or `cuda` with an optional `:number`.
    """

    runtime: str = "onnx"
    precision: str = "fp32"
    device: str = "cpu"

    @property
    def name(self) -> str:
        """Runtime, device and precision: `onnx-cpu-fp32`."""
        return f"{self.runtime}-{self.device}-{self.precision}"

    @property
    def file_precision(self) -> str:
        """Which of a bundle's files is read.

        Raises:
            EngineError: The runtime has no such precision or device, or is unknown.
        """
        if self.runtime not in FILES:
            raise EngineError(f"engine: found {self.runtime!r}; allowed: {', '.join((*FILES, AUTO))}")
        files = FILES[self.runtime]
        if self.precision not in files:
            raise EngineError(
                f"precision: found {self.precision!r} for {self.runtime}; allowed: {', '.join(files)}"
            )
        if self.device.partition(":")[0] not in DEVICES[self.runtime]:
            allowed = ", ".join(DEVICES[self.runtime])
            raise EngineError(f"device: found {self.device!r} for {self.runtime}; allowed: {allowed}")
        return files[self.precision]


def processor_choice(file_precision: str) -> Choice | None:
    """Return how a file of a bundle is run on a processor, None if no runtime here does."""
    for runtime, files in FILES.items():
        for precision, file in files.items():
            if file == file_precision and "cpu" in DEVICES[runtime]:
                return Choice(runtime, precision)
    return None


REFERENCE = Choice()
"""What every other choice is held against."""


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """How the networks of a voice are run.

    Attributes:
        default: All that are not named. A network that the bundle does not have in this precision is run in
            fp32 (on ONNX Runtime, where the runtime has no fp32); at least one must have it. The runtime
            `auto` is what `tuned` says.
        networks: Those that are run otherwise, in exactly this way.
        on_failure: What becomes of a network that cannot be run as chosen, or fails its self-test.
        min_snr_db: Precision to the least agreement with the reference in the self-test (dB).
        engines: The folder where engines for NVIDIA GPUs are kept, and what was found by tuning.
        tuned: What runs each network of a voice fastest here; {} if that is not known.
    """

    default: Choice = REFERENCE
    networks: Mapping[NetworkName, Choice] = field(default_factory=dict)
    on_failure: OnFailure = "refuse"
    min_snr_db: Mapping[str, float] = field(default_factory=lambda: MIN_SNR_DB)
    engines: Path = Path()
    tuned: Callable[[VoiceManifest], Mapping[NetworkName, Choice]] = lambda _: {}

    def choices(self, manifest: VoiceManifest) -> dict[NetworkName, Choice]:
        """Return how each network of a voice is run.

        Raises:
            EngineError: A combination that does not exist.
            VoiceBundleError: No network has the default precision, or a named one lacks its own.
        """
        wanted = {network: self.networks.get(network, self.default) for network in manifest.network_names}
        tuned = self.tuned(manifest) if self.wants_tuning else {}
        return {
            network: tuned.get(network, REFERENCE)
            if choice.runtime == AUTO
            else self._checked(manifest, network, choice)
            for network, choice in wanted.items()
        }

    @property
    def wants_tuning(self) -> bool:
        """Whether it depends on what was found by tuning."""
        return AUTO in (choice.runtime for choice in (self.default, *self.networks.values()))

    def files(self, manifest: VoiceManifest) -> set[str]:
        """Return the names of the files that are read; see `choices` for what may be wrong."""
        return {
            manifest.network_file(network, choice.file_precision)
            for network, choice in self.choices(manifest).items()
        }

    def _checked(self, manifest: VoiceManifest, network: NetworkName, choice: Choice) -> Choice:
        precision = choice.file_precision
        must_have_it = network in self.networks or precision not in manifest.precisions
        if must_have_it or precision in manifest.networks.get(network, {}):
            manifest.network_file(network, precision)  # refuses what the bundle lacks
            return choice
        return Choice(choice.runtime, "fp32", choice.device) if "fp32" in FILES[choice.runtime] else REFERENCE
