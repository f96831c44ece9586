"""Static INT8 of convolutions: calibrated on real calls, without the layers that hurt.

Input   an fp32 graph, calls to calibrate on, calls to compare on
Output  a graph with Q/DQ pairs around its convolutions; what each group of layers costs
State   none
Two flavours: for CPUs unsigned activations with a zero point and signed weights per channel, the pair that
has fast kernels there; for TensorRT everything signed and symmetric, biases left in float, which is what its
parser accepts. Only convolutions: with what lies around them quantised as well, blocks of other sizes would
give other samples.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from streaming.engines.bundle import snr_db
from streaming.engines.network import OUTPUT_SUFFIX
from streaming.synthesis.engine import Array
from training.quantise import quiet_quantiser

Flavour = Literal["cpu", "tensorrt"]
Call = Mapping[str, Array]
Progress = Callable[[str], None]

QUANTISED_OPS = ["Conv"]
LEAST_CHANNELS = 8  # narrower layers cost nothing and carry the finest detail
MOST_GROUPS = 32  # each is quantised and run once
TARGET_DB = 20.0


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What quantising one group of layers alone does to the outputs.

    Attributes:
        group: Common beginning of their names.
        nodes: Their names.
        snr_db: Agreement with fp32, all calls together.
        share: Of all multiplications of the quantisable layers.
    """

    group: str
    nodes: tuple[str, ...]
    snr_db: float
    share: float


@dataclass(frozen=True, slots=True)
class Quantised:
    """What became of a graph.

    Attributes:
        snr_db: Agreement with fp32 of the graph that was written.
        groups: All groups, the most sensitive first.
        excluded: Groups that stayed in float.
    """

    snr_db: float
    groups: tuple[Sensitivity, ...]
    excluded: tuple[str, ...]


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped
    def __init__(self, calls: Iterable[Call]) -> None:
        self._calls = iter(calls)

    def get_next(self) -> dict[str, Array] | None:
        return next((dict(call) for call in self._calls), None)


class StaticQuantiser:
    """Quantises one graph again and again with the same ranges."""

    def __init__(self, source: Path, calibration: Sequence[Call], comparison: Sequence[Call]) -> None:
        """Calibrate (runs all calls once) and compute what fp32 says to those of the comparison."""
        onnxruntime.set_default_logger_severity(3)  # the calibrator warns of what its own graph leaves over
        self._source = source
        self._comparison = comparison
        with tempfile.TemporaryDirectory() as folder:
            calibrator = create_calibrator(
                str(source),
                QUANTISED_OPS,
                augmented_model_path=str(Path(folder) / "augmented.onnx"),
                calibrate_method=CalibrationMethod.MinMax,
            )
            calibrator.collect_data(_Reader(calibration))
            self._ranges = calibrator.compute_data()
        self._expected = _run_all(onnx.load(str(source)), comparison)

    def groups(self) -> dict[str, dict[str, float]]:
        """Return groups of layers: name to their nodes, each with its multiplications per frame."""
        model = onnx.load(str(self._source))
        weights = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
        nodes: dict[str, float] = {}
        for node in model.graph.node:
            if node.op_type in QUANTISED_OPS and node.input[1] in weights:
                dims = weights[node.input[1]]
                if min(dims[0], dims[1]) >= LEAST_CHANNELS:
                    nodes[node.name] = float(np.prod(dims))
        return _grouped(nodes)

    def quantise(self, nodes: Sequence[str], flavour: Flavour = "cpu") -> onnx.ModelProto:
        """Return the graph with these layers quantised."""
        is_cpu = flavour == "cpu"
        with quiet_quantiser():
            quantizer = QDQQuantizer(
                onnx.load(str(self._source)),
                per_channel=is_cpu,
                reduce_range=False,
                weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QUInt8 if is_cpu else QuantType.QInt8,
                tensors_range=self._ranges,
                nodes_to_quantize=list(nodes),
                nodes_to_exclude=[],
                op_types_to_quantize=QUANTISED_OPS,
                extra_options={}
                if is_cpu
                else {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
            )
            quantizer.quantize_model()
        model: onnx.ModelProto = quantizer.model.model
        return model

    def agreement_db(self, model: onnx.ModelProto) -> float:
        """Return how well a graph agrees with fp32 over all calls of the comparison: the worst output."""
        return snr_db(self._expected, _run_all(model, self._comparison))


def quantise_statically(
    source: Path,
    target: Path,
    calls: Sequence[Call],
    progress: Progress,
    *,
    flavour: Flavour = "cpu",
    target_db: float = TARGET_DB,
) -> Quantised | None:
    """Write `source` with as many convolutions on 8-bit integers to `target` as the outputs bear.

    Args:
        source: The fp32 graph.
        target: Where the other goes.
        calls: What the network is called with; every fourth is kept for the comparison.
        progress: Told what each group of layers costs.
        flavour: For which runtime.
        target_db: Least agreement with fp32.

    Returns:
        What was done; None, and nothing is written, where no layer can be quantised.
    """
    quantiser = StaticQuantiser(source, [c for i, c in enumerate(calls) if i % 4], calls[::4])
    weights = quantiser.groups()
    total = sum(size for nodes in weights.values() for size in nodes.values())
    groups = []
    for group, nodes in weights.items():
        agreement = quantiser.agreement_db(quantiser.quantise(list(nodes), flavour))
        share = sum(nodes.values()) / total
        groups.append(Sensitivity(group, tuple(nodes), agreement, share))
        progress(f"{source.name}: {group or 'all'} alone: {agreement:.1f} dB, {share:.0%} of the weights")
    groups.sort(key=lambda found: found.snr_db)
    for n_excluded in range(len(groups)):
        kept = groups[n_excluded:]
        model = quantiser.quantise([node for found in kept for node in found.nodes], flavour)
        agreement = quantiser.agreement_db(model)
        if agreement >= target_db:
            onnx.save(model, str(target))
            return Quantised(agreement, tuple(groups), tuple(found.group for found in groups[:n_excluded]))
    return None


def _grouped(nodes: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Group layers by the module that they belong to: the smallest that does not make too many groups."""
    for n_levels in range(1, 8):
        found: dict[str, dict[str, float]] = {}
        for name, size in nodes.items():
            found.setdefault("/".join(name.strip("/").split("/")[:-n_levels]), {})[name] = size
        if len(found) <= MOST_GROUPS:
            break
    return found


def _run_all(model: onnx.ModelProto, calls: Sequence[Call]) -> dict[str, Any]:
    """Return all outputs of all calls, end to end."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name.removesuffix(OUTPUT_SUFFIX) for output in session.get_outputs()]
    outputs: dict[str, list[Any]] = {name: [] for name in names}
    for call in calls:
        for name, value in zip(names, session.run(None, dict(call)), strict=True):
            outputs[name].append(value.ravel())
    return {name: np.concatenate(values) for name, values in outputs.items()}
