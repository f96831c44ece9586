"""Which runtime and precision is the fastest for each network of a voice on this machine.

Input   a bundle, a time to measure
Output  what was tried for each network: time per call, agreement with fp32, or why not
State   none
Candidates take turns on the same calls of real sentences, so that whatever else the machine does meets all
alike. Not here: how a choice sounds (benchmarks/quality.py); candidates are held to an agreement at which no
difference is heard.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streaming.engines.bundle import BundleEngine, snr_db
from streaming.engines.choice import DEVICES, FILES, REFERENCE, Choice, EnginePlan
from streaming.engines.network import Network, open_network
from streaming.errors import VoiceBundleError
from streaming.frontends import make_frontend
from streaming.manifest import VoiceManifest
from streaming.recorded_calls import speak_text
from streaming.synthesis.engine import Array, NetworkName

Calls = Sequence[Mapping[str, Array]]

MAX_CALLS = 40
UNHEARD_DB = 30.0
WORTH = 0.95  # of the time of fp32: less gain is not worth another runtime
FAKE = "fake"


@dataclass(frozen=True, slots=True)
class Tried:
    """One candidate for one network.

    Attributes:
        choice: Runtime, precision and device.
        ms_per_call: Mean over the calls, in the best round; NaN if it cannot be run.
        agreement_db: Least agreement with fp32 over the calls and their outputs.
        reason: Why it is not chosen; "" if it could be.
    """

    choice: Choice
    ms_per_call: float
    agreement_db: float
    reason: str = ""


def candidates(manifest: VoiceManifest, network: NetworkName, device: str = "cpu") -> list[Choice]:
    """Return what could run a network on a device, fp32 on ONNX Runtime first, on the processor."""
    files = manifest.networks[network]
    kind = device.partition(":")[0]
    found = [
        Choice(runtime, precision, device)
        for runtime, precisions in FILES.items()
        for precision, file in precisions.items()
        if runtime != FAKE and file in files and kind in DEVICES[runtime]
        if not (kind == "cpu" and precision == "fp16")  # a processor gains nothing by it
    ]
    return [REFERENCE, *(choice for choice in found if choice != REFERENCE)]


def try_network(
    folder: Path,
    manifest: VoiceManifest,
    network: NetworkName,
    calls: Calls,
    seconds: float,
    *,
    device: str = "cpu",
    engines: Path = Path(),
) -> list[Tried]:
    """Measure every candidate for one network. Blocking, about `seconds` and the time to load them.

    Args:
        folder: The bundle.
        manifest: Of the bundle.
        network: Which.
        calls: What it is called with.
        seconds: To measure.
        device: What to try besides fp32 on the processor.
        engines: Where engines for NVIDIA GPUs are kept.
    """
    calls = calls[:: max(len(calls) // MAX_CALLS, 1)]
    opened: dict[Choice, Network] = {}
    refused: list[Tried] = []
    for choice in candidates(manifest, network, device):
        try:
            path = folder / manifest.network_file(network, choice.file_precision)
            opened[choice] = open_network(path, choice, engines)
        except VoiceBundleError as error:
            refused.append(Tried(choice, float("nan"), float("nan"), str(error)))
    expected = [opened[REFERENCE](call) for call in calls]
    agreements = {
        choice: min(snr_db(one, run(call)) for one, call in zip(expected, calls, strict=True))
        for choice, run in opened.items()
    }
    times_ms = _times_ms(opened, calls, seconds)
    slowest_ms = WORTH * times_ms[REFERENCE]
    tried = [
        Tried(choice, times_ms[choice], agreements[choice], _reason(choice, times_ms, slowest_ms, agreements))
        for choice in opened
    ]
    return [*tried, *refused]


def best(tried: Sequence[Tried]) -> Tried:
    """Return the fastest of those that can be chosen; fp32 on ONNX Runtime always can."""
    return min((one for one in tried if not one.reason), key=lambda one: one.ms_per_call)


def whole_sentences(
    folder: Path, manifest: VoiceManifest, plan: EnginePlan, texts: Sequence[str], seconds: float
) -> float:
    """Return the time that whole sentences take with a plan over that with fp32, in turn, best of each.

    A call that is repeated finds its weights in the cache of the processor; in a sentence, between others, it
    does not. Blocking, about `seconds`.
    """
    frontend = make_frontend(manifest)
    engines = [BundleEngine(folder, manifest), BundleEngine(folder, manifest, plan)]
    best_s: dict[tuple[int, str], float] = {}
    until_s = time.perf_counter() + seconds
    while True:
        for text in texts:
            for number, engine in enumerate(engines):
                begun_s = time.perf_counter()
                speak_text(engine, manifest, frontend, text)
                took_s = time.perf_counter() - begun_s
                best_s[number, text] = min(best_s.get((number, text), took_s), took_s)
        if time.perf_counter() >= until_s:
            return sum(best_s[1, text] for text in texts) / sum(best_s[0, text] for text in texts)


def _reason(
    choice: Choice, times_ms: Mapping[Choice, float], slowest_ms: float, agreements: Mapping[Choice, float]
) -> str:
    if choice == REFERENCE:
        return ""
    if agreements[choice] < UNHEARD_DB:
        return f"agrees with fp32 to {agreements[choice]:.0f} dB; {UNHEARD_DB:.0f} are asked for"
    if times_ms[choice] > slowest_ms:
        return f"{times_ms[choice] / times_ms[REFERENCE]:.0%} of the time of fp32"
    return ""


def _times_ms(opened: Mapping[Choice, Network], calls: Calls, seconds: float) -> dict[Choice, float]:
    """Return the mean time per call of each, of its best round."""
    best_ms = dict.fromkeys(opened, float("inf"))
    until_s = time.perf_counter() + seconds
    while True:
        for choice, run in opened.items():
            begun_s = time.perf_counter()
            for call in calls:
                run(call)
            best_ms[choice] = min(best_ms[choice], 1000.0 * (time.perf_counter() - begun_s) / len(calls))
        if time.perf_counter() >= until_s:
            return best_ms
