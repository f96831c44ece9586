from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.tiny import SHIPPED, humming_corpus, tiny_settings
from training import train_acoustic
from training.features import extract_features
from training.nets.sambert import Sambert
from training.settings import TrainingSettings, load_settings
from training.train_acoustic import acoustic_config, learning_rate, train

CPU = torch.device("cpu")


@pytest.fixture
def settings(tmp_path: Path) -> TrainingSettings:
    """One step that changes nothing: what a run starts from is what its checkpoint holds."""
    tiny = tiny_settings(tmp_path / "tiny.yaml")
    still = tiny.acoustic.model_copy(update={"steps": 1, "learning_rate": 0.0})
    return tiny.model_copy(update={"acoustic": still})


@pytest.fixture
def out(settings: TrainingSettings, tmp_path: Path) -> Path:
    humming_corpus(settings, tmp_path)
    extract_features(settings, tmp_path)
    return tmp_path


def state_file(settings: TrainingSettings, path: Path, seed: int) -> tuple[Path, dict[str, Tensor]]:
    torch.manual_seed(seed)
    weights = Sambert(acoustic_config(settings.acoustic, settings.audio)).state_dict()
    torch.save({"acoustic": weights, "vocoder": {}, "statistics": {}}, path)
    return path, weights


def assert_checkpoint_is(out: Path, weights: dict[str, Tensor]) -> None:
    checkpoint = torch.load(out / "acoustic" / "checkpoint.pt", weights_only=True)
    for part in ("net", "average"):
        assert all(torch.equal(checkpoint[part][name], weights[name]) for name in weights)


def test_training_starts_from_given_weights_and_a_checkpoint_comes_before_them(
    settings: TrainingSettings, out: Path
) -> None:
    first, weights = state_file(settings, out / "first.pt", seed=1)
    second, _ = state_file(settings, out / "second.pt", seed=2)
    train(settings, out, CPU, first)
    assert_checkpoint_is(out, weights)
    train(settings, out, CPU, second)
    assert_checkpoint_is(out, weights)


def test_weights_of_other_sizes_are_refused(settings: TrainingSettings, out: Path) -> None:
    wider = settings.acoustic.model_copy(update={"projection_units": 16})
    path, _ = state_file(settings.model_copy(update={"acoustic": wider}), out / "wide.pt", seed=1)
    with pytest.raises(RuntimeError, match="size mismatch"):
        train(settings, out, CPU, path)
    assert not (out / "acoustic" / "checkpoint.pt").exists()


@pytest.mark.parametrize(("options", "start"), [([], None), (["--from", "state/a.pt"], Path("state/a.pt"))])
def test_the_command_hands_the_state_file_on(
    options: list[str], start: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(train_acoustic, "train", lambda *arguments: calls.append(arguments))
    command = ["train_acoustic", "--config", str(SHIPPED), "--out", "build", "--device", "cpu", *options]
    monkeypatch.setattr(sys, "argv", command)
    train_acoustic.main()
    assert calls == [(load_settings(SHIPPED), Path("build"), CPU, start)]


def test_the_learning_rate_warms_up_and_decays() -> None:
    acoustic = load_settings(SHIPPED).acoustic
    rates = [learning_rate(acoustic, step) for step in range(0, acoustic.steps + 1, 100)]
    peak = rates.index(max(rates))
    assert rates[0] == 0.0
    assert peak * 100 == acoustic.warmup_steps
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(0.05 * acoustic.learning_rate)
