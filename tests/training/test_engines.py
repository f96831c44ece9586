"""NVIDIA's parser and builder accept every network that ships, in every precision: real engines, no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.cli import main
from streaming.voice import find_voices, load_manifest

VOICES = Path(__file__).parents[2] / "voices"
SHIPPED = sorted(find_voices([VOICES]))
BUILD = ["--library", "tensorrt_rtx", "--cache"]


@pytest.fixture(scope="module", params=SHIPPED)
def optimised(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shipped voice with the precisions for GPUs."""
    into = tmp_path_factory.mktemp("voices")
    assert (
        main(["voices", "optimize", request.param, "--precision", "fp16,int8-tensorrt", "--into", str(into)])
        == 0
    )
    return into / str(request.param)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8-tensorrt"])
def test_engines_are_built_once(
    optimised: Path, precision: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["engine", "build", optimised.name, "--voices", str(optimised.parent)]
    command += ["--precision", precision, *BUILD, str(tmp_path)]
    assert main(command) == 0
    networks = load_manifest(optimised).network_names
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(networks) == len(list(tmp_path.glob("*.engine")))
    assert all(" MB in " in line for line in lines)
    assert main(command) == 0
    assert [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "there already"
    ] * len(networks)


def test_a_precision_that_a_voice_lacks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["engine", "build", SHIPPED[0], "--precision", "fp16", *BUILD, str(tmp_path)]) == 1
    assert "has no vocoder in precision 'fp16'; known: fp32" in capsys.readouterr().err
