"""`zhiyin voices optimize` and `zhiyin engine build`: what they refuse before any work; the work itself is
tested under tests/training."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import optimise_command
from server.cli import main
from server.engine_command import network_sizes
from streaming.engines.fake import fake_manifest


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 1
    return capsys.readouterr().err


def test_what_is_asked_for_wrongly_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["voices", "optimize", "shanquan", "--precision", "int4"])
    assert "allowed: int8-dynamic, int8-static" in capsys.readouterr().err
    assert "no voice 'nobody'" in refused(capsys, "voices", "optimize", "nobody")
    missing = tmp_path / "none.txt"
    assert "--calibration" in refused(capsys, "voices", "optimize", "shanquan", "--calibration", str(missing))
    missing.write_text("\n \n")
    assert "found 0 texts; allowed: 1 to 1000" in refused(
        capsys, "voices", "optimize", "shanquan", "--calibration", str(missing)
    )
    assert "no voice 'nobody'" in refused(capsys, "engine", "build", "nobody")


def test_without_onnx_it_is_said_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(optimise_command, "find_spec", lambda name: None)
    assert "needs onnx and onnxruntime, once: pip install 'zhiyin[optimize,cpu]'" in refused(
        capsys, "voices", "optimize", "shanquan"
    )


def test_without_numba_nothing_is_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(optimise_command, "find_spec", lambda name: None if name == "numba" else name)
    asked = ("voices", "optimize", "shanquan", "--precision", "int8-static,int8-weights")
    assert "optimizing needs numba, once: pip install 'zhiyin[numba]'" in refused(capsys, *asked)


def test_engines_are_built_of_what_tensorrt_reads_only(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["engine", "build", "shanquan", "--precision", "int8-weights"])
    assert "invalid choice: 'int8-weights'" in capsys.readouterr().err


def test_a_voice_of_the_project_is_copied_and_ones_own_is_not(tmp_path: Path) -> None:
    embedded = optimise_command.EMBEDDED_VOICES / "shanquan"
    assert optimise_command._target(tmp_path / "mine", None) == tmp_path / "mine"
    assert optimise_command._target(embedded, tmp_path) == tmp_path / "shanquan"
    assert optimise_command._target(embedded, None).parent != optimise_command.EMBEDDED_VOICES


def test_engines_are_built_for_the_sizes_that_a_voice_uses() -> None:
    manifest = fake_manifest()
    assert network_sizes(manifest, "decoder")["window"] == (8, 16, 32)
    assert network_sizes(manifest, "vocoder") == {
        "frames": (1, 16, 64),
        "samples": (200, 3200, 12_800),
    }
