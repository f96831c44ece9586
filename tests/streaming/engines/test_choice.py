"""Which runtime, precision and device run which network."""

from __future__ import annotations

from typing import Any

import pytest

from streaming.engines.choice import (
    DEVICES,
    FILES,
    MIN_SNR_DB,
    REFERENCE,
    Choice,
    EnginePlan,
    processor_choice,
)
from streaming.engines.fake import fake_manifest
from streaming.errors import EngineError, VoiceBundleError
from streaming.sambert_manifest import SambertManifest

BF16 = Choice("openvino", "bf16")


def manifest(**precisions: tuple[str, ...]) -> SambertManifest:
    """A bundle whose networks have fp32 and these."""
    names = fake_manifest().network_names
    networks: dict[str, dict[str, str]] = {
        name: {precision: f"{name}.{precision}" for precision in ("fp32", *precisions.get(name, ()))}
        for name in names
    }
    files = {file: "0" * 64 for of_network in networks.values() for file in of_network.values()}
    changed: SambertManifest = fake_manifest().changed(networks=networks, sha256=files)
    return changed


def test_by_default_everything_is_fp32_on_onnx_runtime() -> None:
    assert set(EnginePlan().choices(manifest()).values()) == {REFERENCE}
    assert REFERENCE.name == "onnx-cpu-fp32"


def test_a_network_without_the_default_precision_runs_in_fp32() -> None:
    plan = EnginePlan(Choice(precision="int8-dynamic"))
    found = plan.choices(manifest(decoder=("int8-dynamic",)))
    assert found.pop("decoder") == Choice(precision="int8-dynamic")
    assert set(found.values()) == {REFERENCE}
    assert "decoder.int8-dynamic" in plan.files(manifest(decoder=("int8-dynamic",)))


def test_a_network_that_its_runtime_has_no_fp32_of_runs_on_onnx_runtime() -> None:
    compiled = Choice("numba", "int8-weights")
    found = EnginePlan(compiled).choices(manifest(decoder=("int8-weights",)))
    assert found.pop("decoder") == compiled
    assert set(found.values()) == {REFERENCE}


def test_a_precision_that_no_network_has_is_refused() -> None:
    with pytest.raises(VoiceBundleError, match="no encoder in precision 'fp16'; known: fp32"):
        EnginePlan(Choice(precision="fp16")).choices(manifest())


def test_a_named_network_is_run_in_exactly_this_way() -> None:
    found = EnginePlan(networks={"vocoder": BF16}).choices(manifest())
    assert found.pop("vocoder") == BF16
    assert set(found.values()) == {REFERENCE}
    with pytest.raises(VoiceBundleError, match="no vocoder in precision 'int8-static'; known: fp32"):
        EnginePlan(networks={"vocoder": Choice(precision="int8-static")}).choices(manifest())


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            Choice("tvm"),
            "engine: found 'tvm'; allowed: onnx, onnx-tensorrt, openvino, numba, tensorrt, fake, auto",
        ),
        (Choice("onnx", "bf16"), "precision: found 'bf16' for onnx; allowed: fp32, fp16"),
        (Choice("openvino", "fp32", "cuda"), "device: found 'cuda' for openvino; allowed: cpu"),
        (Choice("onnx", "fp32", "tpu"), "device: found 'tpu' for onnx; allowed: cpu, cuda"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(choice: Choice, message: str) -> None:
    for plan in (EnginePlan(choice), EnginePlan(networks={"decoder": choice})):
        with pytest.raises(EngineError, match=message):
            plan.choices(manifest())


def test_auto_is_what_tuning_found_and_fp32_where_it_found_nothing() -> None:
    auto = Choice("auto")
    assert set(EnginePlan(auto).choices(manifest()).values()) == {REFERENCE}
    plan = EnginePlan(auto, {"decoder": REFERENCE}, tuned=lambda _: {"vocoder": BF16, "decoder": BF16})
    found = plan.choices(manifest())
    assert found.pop("vocoder") == BF16
    assert set(found.values()) == {REFERENCE}
    assert EnginePlan(networks={"vocoder": auto}, tuned=plan.tuned).choices(manifest())["vocoder"] == BF16


def test_a_voice_that_is_not_tuned_is_not_asked_about_without_auto() -> None:
    def fail(_: object) -> dict[Any, Choice]:
        raise AssertionError

    assert set(EnginePlan(tuned=fail).choices(manifest()).values()) == {REFERENCE}


def test_a_file_is_run_by_what_reads_it_on_a_processor() -> None:
    assert processor_choice("fp32") == REFERENCE
    assert processor_choice("int8-static") == Choice(precision="int8-static")
    assert processor_choice("int8-weights") == Choice("numba", "int8-weights")
    assert processor_choice("int8-tensorrt") is None


def test_every_runtime_has_devices_and_every_precision_a_limit() -> None:
    assert FILES.keys() == DEVICES.keys()
    precisions: set[Any] = {precision for of_runtime in FILES.values() for precision in of_runtime}
    assert precisions == MIN_SNR_DB.keys()
