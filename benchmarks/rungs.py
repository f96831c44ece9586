"""The rungs of the ladder that are an EnginePlan: what a configuration can choose on a machine.

Input   a bundle
Output  the bundle with all precisions that can be made of it; plans by name
State   none
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from server.import_command import print_progress
from streaming.engines.choice import Choice, EnginePlan
from streaming.errors import EngineError, VoiceBundleError
from streaming.voice import load_manifest

INT8, STATIC, WEIGHTS, BF16 = (
    Choice(precision="int8-dynamic"),
    Choice(precision="int8-static"),
    Choice("numba", "int8-weights"),
    Choice("openvino", "bf16"),
)
PRECISIONS = ("int8-dynamic", "int8-static", "int8-weights")
FP32 = "fp32"

CPU_RUNGS: Mapping[str, EnginePlan] = {
    FP32: EnginePlan(),
    "int8-dynamic": EnginePlan(INT8),
    "int8-static": EnginePlan(STATIC),
    "int8-static encoder and vocoder": EnginePlan(networks={"encoder": STATIC, "vocoder": STATIC}),
    "int8-static encoder": EnginePlan(networks={"encoder": STATIC}),
    "int8-static vocoder": EnginePlan(networks={"vocoder": STATIC}),
    "int8-weights decoder": EnginePlan(networks={"decoder": WEIGHTS}),
    "int8-static, int8-weights decoder": EnginePlan(STATIC, networks={"decoder": WEIGHTS}),
    "bf16": EnginePlan(BF16),
    "bf16 vocoder": EnginePlan(networks={"vocoder": BF16}),
    "int8-static encoder, bf16 vocoder": EnginePlan(networks={"encoder": STATIC, "vocoder": BF16}),
}


GPU_RUNGS: Mapping[str, EnginePlan] = {
    "ONNX Runtime, CUDA fp32": EnginePlan(Choice(device="cuda")),
    "ONNX Runtime, TensorRT fp16": EnginePlan(Choice("onnx-tensorrt", "fp16", "cuda")),
    "TensorRT fp32": EnginePlan(Choice("tensorrt", "fp32", "cuda")),
    "TensorRT fp16": EnginePlan(Choice("tensorrt", "fp16", "cuda")),
    "TensorRT int8": EnginePlan(Choice("tensorrt", "int8-static", "cuda")),
}
GPU_PRECISIONS = ("fp16", "int8-tensorrt")


def rungs_for(folder: Path, device: str) -> dict[str, EnginePlan]:
    """Return what a configuration can choose on a device, by name; its libraries may be missing."""
    plans = possible_rungs(folder)
    if device == "cpu":
        return plans
    return {FP32: plans[FP32], **GPU_RUNGS}


def build_missing_engines(folder: Path, engines: Path) -> None:
    """Build the TensorRT engines of the rungs, as a user would.

    Raises:
        EngineError: TensorRT or the GPU is not to be had.
    """
    from server.cli import main  # the command that users build with

    for precision in (FP32, *GPU_PRECISIONS):
        command = ["engine", "build", folder.name, "--voices", str(folder.parent), "--precision", precision]
        if main([*command, "--cache", str(engines)]):
            raise EngineError("the engines could not be built; the reason stands above")


def with_precisions(folder: Path, scratch: Path, precisions: Sequence[str] = PRECISIONS) -> Path:
    """Return a copy of a bundle that has every precision of the rungs that can be made of it."""
    from training.optimise_voice import optimise_voice  # onnx: only where it is needed

    current = folder
    for precision in precisions:
        target = scratch / precision / folder.name
        try:
            optimise_voice(current, target, [precision], print_progress)
        except VoiceBundleError as error:
            print_progress(str(error))
            continue
        current = target
    return current


def possible_rungs(folder: Path) -> dict[str, EnginePlan]:
    """Return the rungs that a bundle has the files for."""
    manifest = load_manifest(folder)

    def is_possible(plan: EnginePlan) -> bool:
        return all(
            choice.file_precision in manifest.networks[network] for network, choice in plan.networks.items()
        ) and (plan.default.file_precision in manifest.precisions)

    return {name: plan for name, plan in CPU_RUNGS.items() if is_possible(plan)}
