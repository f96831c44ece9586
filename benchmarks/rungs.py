"""The rungs of the ladder that are an EnginePlan: what a configuration can choose on a machine.

Input   a bundle
Output  the bundle with all precisions that can be made of it; plans by name
State   none
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from server.import_command import print_progress
from streaming.engines.choice import Choice, EnginePlan
from streaming.voice import load_manifest

INT8, STATIC, BF16 = (
    Choice(precision="int8-dynamic"),
    Choice(precision="int8-static"),
    Choice("openvino", "bf16"),
)
PRECISIONS = ("int8-dynamic", "int8-static")
FP32 = "fp32"

CPU_RUNGS: Mapping[str, EnginePlan] = {
    FP32: EnginePlan(),
    "int8-dynamic": EnginePlan(INT8),
    "int8-static": EnginePlan(STATIC),
    "int8-static encoder and vocoder": EnginePlan(networks={"encoder": STATIC, "vocoder": STATIC}),
    "int8-static encoder": EnginePlan(networks={"encoder": STATIC}),
    "int8-static vocoder": EnginePlan(networks={"vocoder": STATIC}),
    "bf16": EnginePlan(BF16),
    "bf16 vocoder": EnginePlan(networks={"vocoder": BF16}),
    "int8-static encoder, bf16 vocoder": EnginePlan(networks={"encoder": STATIC, "vocoder": BF16}),
}


def with_precisions(folder: Path, scratch: Path) -> Path:
    """Return a copy of a bundle that has every precision of the rungs that can be made of it."""
    from streaming.errors import VoiceBundleError
    from training.optimise_voice import optimise_voice  # onnx: only where it is needed

    current = folder
    for precision in PRECISIONS:
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
