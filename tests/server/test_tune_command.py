"""What runs each network fastest: on the small voice of the tests, never by the clock of the wall."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server import tune_command
from server.backend import engine_plan
from server.cli import main
from server.config import VoiceConfig
from server.tune_command import settings_of
from streaming import tuning
from streaming.engines import tuned
from streaming.engines.choice import REFERENCE, Choice, EnginePlan
from streaming.engines.tuned import read_tuned, write_tuned
from streaming.loaded_voice import load_voice
from streaming.manifest import VoiceManifest
from streaming.recorded_calls import record_calls
from streaming.tuning import Tried, best, candidates, try_network, whole_sentences
from streaming.voice import load_manifest
from tests.streaming.doubles import VOICES

FOLDER = VOICES / "tiny_16k"
BF16, FP32 = Choice("openvino", "bf16"), Choice("openvino", "fp32")


@pytest.fixture(autouse=True)
def engine_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of this test's for what is kept."""
    folder = tmp_path / "engines"
    monkeypatch.setenv("ZHIYIN_VOICE__ENGINE_FOLDER", str(folder))
    return folder


@pytest.fixture(scope="module")
def manifest() -> VoiceManifest:
    return load_manifest(FOLDER)


@pytest.fixture(scope="module")
def calls(manifest: VoiceManifest) -> Any:
    return record_calls(FOLDER, manifest, ("你好，欢迎。",))


def test_candidates_are_what_the_bundle_and_the_runtimes_have(manifest: VoiceManifest) -> None:
    assert candidates(manifest, "vocoder") == [REFERENCE, FP32, BF16]
    files = {**manifest.networks["decoder"], "int8-dynamic": "decoder.fp32.onnx", "fp16": "decoder.fp32.onnx"}
    more = manifest.changed(networks={**manifest.networks, "decoder": files})
    assert Choice(precision="int8-dynamic") in candidates(more, "decoder")
    assert Choice(precision="fp16") not in candidates(more, "decoder")  # a processor gains nothing by it


def test_every_candidate_is_measured_and_fp32_can_always_be_chosen(
    manifest: VoiceManifest, calls: Any
) -> None:
    tried = {one.choice: one for one in try_network(FOLDER, manifest, "vocoder", calls["vocoder"], 0.0)}
    assert tried.keys() == {REFERENCE, FP32, BF16}
    assert all(one.ms_per_call > 0.0 for one in tried.values())
    assert tried[REFERENCE].agreement_db == np.inf
    assert tried[FP32].agreement_db > 80.0 > tried[BF16].agreement_db > 0.0
    assert not tried[REFERENCE].reason


def test_a_library_that_is_missing_is_a_reason_and_no_failure(
    manifest: VoiceManifest, calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "streaming.engines.openvino", raising=False)
    tried = try_network(FOLDER, manifest, "vocoder", calls["vocoder"], 0.0)
    assert best(tried).choice == REFERENCE
    assert all("not installed" in one.reason for one in tried[1:])


@pytest.mark.parametrize(
    ("times_ms", "agreements", "chosen"),
    [
        ({REFERENCE: 10.0, FP32: 12.0, BF16: 6.0}, {FP32: 90.0, BF16: 40.0}, BF16),
        ({REFERENCE: 10.0, FP32: 8.0, BF16: 6.0}, {FP32: 90.0, BF16: 20.0}, FP32),
        ({REFERENCE: 10.0, FP32: 9.8, BF16: 9.7}, {FP32: 90.0, BF16: 40.0}, REFERENCE),
    ],
)
def test_the_fastest_is_chosen_of_those_that_agree_and_gain_enough(
    times_ms: dict[Choice, float], agreements: dict[Choice, float], chosen: Choice
) -> None:
    agreements = {REFERENCE: np.inf, **agreements}
    tried = [
        Tried(c, times_ms[c], agreements[c], tuning._reason(c, times_ms, 9.5, agreements)) for c in times_ms
    ]
    assert best(tried).choice == chosen


def test_whole_sentences_are_compared(manifest: VoiceManifest) -> None:
    share = whole_sentences(FOLDER, manifest, EnginePlan(networks={"vocoder": BF16}), ("你好。",), 0.0)
    assert 0.0 < share < 1000.0


@pytest.mark.parametrize(("share", "told"), [(0.8, "engine: openvino"), (1.0, "nothing to set")])
def test_what_gains_nothing_in_whole_sentences_is_not_proposed(
    share: float,
    told: str,
    engine_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tune_command, "try_network", lambda *a, **k: [Tried(BF16, 1.0, 40.0)])
    monkeypatch.setattr(tune_command, "whole_sentences", lambda *a: share)
    assert main(["tune", "tiny_16k", "--voices", str(VOICES), "--seconds", "0"]) == 0
    assert told in capsys.readouterr().out
    plan = engine_plan(VoiceConfig(engine="auto", engine_folder=engine_folder))
    assert set(plan.choices(load_manifest(FOLDER)).values()) == {BF16 if share < 0.9 else REFERENCE}


def test_auto_speaks_as_tuned_and_in_fp32_where_nothing_is_known(
    engine_folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = engine_plan(VoiceConfig(engine="auto", engine_folder=engine_folder, min_snr_db={"bf16": 5.0}))
    with caplog.at_level("INFO"):
        assert load_voice(FOLDER, plan).engine.name == "onnx-cpu-fp32"
    assert "zhiyin tune tiny_16k measures what is fastest" in caplog.text
    manifest = load_manifest(FOLDER)
    choices = dict.fromkeys(manifest.network_names, REFERENCE) | {"vocoder": BF16}
    path = write_tuned(engine_folder, manifest, choices, "it was")
    with caplog.at_level("INFO"):
        assert load_voice(FOLDER, plan).engine.name == "onnx-cpu-fp32 vocoder=openvino-cpu-bf16"
    assert caplog.text.count("measures what is fastest") == 1
    assert json.loads(path.read_text())["why"] == "it was"
    other = manifest.changed(sha256={**manifest.sha256, "vocoder.fp32.onnx": "0" * 64})
    assert read_tuned(engine_folder, other) == {}
    monkeypatch.setattr(tuned, "processor_name", lambda: "another")
    assert read_tuned(engine_folder, manifest) == {}
    path.write_text("[1]")
    assert read_tuned(engine_folder, manifest) == {}


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZHIYIN_VOICE__ENGINE_FOLDER", str(tmp_path / "file"))
    assert main(["tune", "tiny_16k", "--voices", str(VOICES), "--seconds", "0"]) == 1
    assert "voice.engine_folder" in capsys.readouterr().err


def test_settings_are_a_piece_of_configuration() -> None:
    assert settings_of({"decoder": REFERENCE, "vocoder": BF16}) == (
        "voice:\n  networks:\n    vocoder:\n"
        "      engine: openvino\n      precision: bf16\n      device: cpu\n"
    )
    assert settings_of({"decoder": REFERENCE}) == ""


def test_the_command_prints_what_it_tried_and_writes_no_file_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["tune", "tiny_16k", "--voices", str(VOICES), "--seconds", "0"]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in ("encoder", "vocoder")] == ["encoder", "vocoder"]
    assert sum(line.startswith(" * ") for line in lines) == 5
    assert main([*command, "--write", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err
