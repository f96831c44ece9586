"""The networks of one voice bundle, each on the runtime that was chosen for it.

Input   a bundle, an EnginePlan
Output  BundleEngine
State   the loaded networks; none per stream
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from streaming.engines.choice import REFERENCE, Choice, EnginePlan
from streaming.engines.network import Network, open_network
from streaming.errors import EngineError, SynthesisError
from streaming.manifest import VoiceManifest
from streaming.synthesis.engine import Array, NetworkName

SILENCE = 1e-6  # mean square

logger = logging.getLogger(__name__)


class BundleEngine:
    """Runs the networks of one voice bundle. Thread-safe."""

    def __init__(self, folder: Path, manifest: VoiceManifest, plan: EnginePlan | None = None) -> None:
        """Load every network of the bundle; the files' checksums are the caller's matter.

        Raises:
            EngineError: A network cannot be run as chosen here, and the plan says `refuse`.
            VoiceBundleError: A network is missing in its precision, cannot be loaded, or is not of this
                project's contract.
        """
        self._folder = folder
        self._manifest = manifest
        self._plan = EnginePlan() if plan is None else plan
        self.choices: dict[NetworkName, Choice] = {}
        """How each network is run."""
        self._networks: dict[NetworkName, Network] = {}
        if self._plan.wants_tuning and not self._plan.tuned(manifest):
            logger.warning(
                "voice %s: engine auto, but it was not tuned on this processor; it runs in %s. "
                "zhiyin tune %s measures what is fastest",
                manifest.name, REFERENCE.name, manifest.name,
            )  # fmt: skip
        for network, choice in self._plan.choices(manifest).items():
            try:
                self._open(network, choice)
            except EngineError as error:
                self._fall_back(network, choice, error)

    @property
    def name(self) -> str:
        """Runtime, device and precision; of networks that differ from most, too.

        `onnx-cpu-fp32`, or `onnx-cpu-fp32 vocoder=openvino-cpu-bf16`.
        """
        names = [choice.name for choice in self.choices.values()]
        most = max(names, key=names.count)
        others = [f"{name}={choice.name}" for name, choice in self.choices.items() if choice.name != most]
        return " ".join([most, *others])

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run one network; inputs that the graph does not have are an error of ours.

        Raises:
            SynthesisError: The runtime failed; the cause is chained.
        """
        try:
            return self._networks[network](inputs)
        except Exception as error:  # each runtime raises classes of its own, with no common base
            msg = f"{network} failed in {self.choices[network].name}: {error}"
            raise SynthesisError(msg) from error

    def test(
        self, reference: BundleEngine, inputs: Mapping[NetworkName, Mapping[str, Array]]
    ) -> dict[NetworkName, float]:
        """Hold every network that is not run like the reference against it, on these inputs.

        Those below the plan's limit fall back, or are refused. Blocking.

        Returns:
            Agreement in dB of the networks that were tested: the least over their outputs.

        Raises:
            EngineError: A network does not agree, and the plan says `refuse`.
        """
        found: dict[NetworkName, float] = {}
        for network, choice in list(self.choices.items()):
            if choice == REFERENCE or network not in inputs:
                continue
            expected = reference.run(network, inputs[network])
            found[network] = snr_db(expected, self.run(network, inputs[network]))
            limit = self._plan.min_snr_db[choice.precision]
            logger.info(
                "voice %s: %s in %s agrees with fp32 to %.1f dB",
                self._manifest.name, network, choice.name, found[network],
            )  # fmt: skip
            if not found[network] >= limit:
                reason = f"it agrees with fp32 to {found[network]:.1f} dB; needed are {limit:g}"
                self._fall_back(network, choice, EngineError(reason))
        return found

    def _fall_back(self, network: NetworkName, choice: Choice, reason: EngineError) -> None:
        """Run a network like the reference from now on, if the plan allows it; loudly.

        Raises:
            EngineError: The plan says `refuse`; of the class of the reason.
        """
        text = f"voice {self._manifest.name}: {network} cannot be run in {choice.name}: {reason}"
        if self._plan.on_failure == "refuse":
            raise type(reason)(text) from reason
        logger.error("%s; it falls back to %s", text, REFERENCE.name)
        self._open(network, REFERENCE)

    def _open(self, network: NetworkName, choice: Choice) -> None:
        self._networks[network] = open_network(self._path(network, choice), choice, self._plan.engines)
        self.choices[network] = choice

    def _path(self, network: NetworkName, choice: Choice) -> Path:
        return self._folder / self._manifest.network_file(network, choice.file_precision)


def snr_db(reference: Mapping[str, Array], found: Mapping[str, Array]) -> float:
    """Return the signal-to-noise ratio of the worst output; -inf for other shapes or what is no number."""
    return min(_snr_db(value, found.get(name)) for name, value in reference.items())


def _snr_db(reference: Array, output: Array | None) -> float:
    if output is None or output.shape != reference.shape:
        return -np.inf
    found = np.asarray(output)  # a state may be resident
    if not np.isfinite(found).all():
        return -np.inf
    noise = float(np.square(found.astype(np.float64) - reference).sum())
    signal = float(np.square(reference.astype(np.float64)).sum())
    if noise == 0.0:
        return np.inf
    # An output that is silent by nature (a state at rest) is not held to relative accuracy.
    return 10.0 * float(np.log10(max(signal, SILENCE * reference.size) / noise))
