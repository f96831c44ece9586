from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.tiny import SHIPPED, humming_corpus, tiny_settings
from training import train_vocoder
from training.features import extract_features
from training.nets.embedded_vocoder import EmbeddedVocoder
from training.settings import TrainingSettings, load_settings
from training.train_vocoder import decayed, new_source, train_body

CPU = torch.device("cpu")


@pytest.fixture
def settings(tmp_path: Path) -> TrainingSettings:
    """One step that changes nothing: what a run starts from is what its checkpoint holds."""
    tiny = tiny_settings(tmp_path / "tiny.yaml")
    still = tiny.vocoder.model_copy(update={"body_steps": 1, "body_learning_rate": 0.0})
    return tiny.model_copy(update={"vocoder": still})


@pytest.fixture
def out(settings: TrainingSettings, tmp_path: Path) -> Path:
    humming_corpus(settings, tmp_path)
    extract_features(settings, tmp_path)
    return tmp_path


def body_weights(settings: TrainingSettings) -> dict[str, Tensor]:
    """A vocoder whose last layer is not the zeros that training begins with."""
    torch.manual_seed(1)
    net = EmbeddedVocoder(new_source(settings), settings.audio.n_mels, settings.vocoder.channels)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.01)
    return net.state_dict()


def assert_checkpoint_has(out: Path, weights: dict[str, Tensor], part: str = "net", prefix: str = "") -> None:
    found = torch.load(out / "vocoder-body" / "checkpoint.pt", weights_only=True)[part]
    assert all(torch.equal(found[prefix + name], weights[name]) for name in weights)


def test_the_body_starts_from_given_weights_without_a_trained_source(
    settings: TrainingSettings, out: Path
) -> None:
    weights = body_weights(settings)
    torch.save({"acoustic": {}, "vocoder": weights, "statistics": {}}, out / "state.pt")
    train_body(settings, out, CPU, out / "state.pt")
    assert_checkpoint_has(out, weights)
    assert_checkpoint_has(out, weights, "average")


def test_a_state_file_of_a_source_alone_gives_the_source(settings: TrainingSettings, out: Path) -> None:
    torch.manual_seed(2)
    source = new_source(settings).state_dict()
    torch.save({"acoustic": {}, "vocoder": source, "statistics": {}}, out / "state.pt")
    train_body(settings, out, CPU, out / "state.pt")
    assert_checkpoint_has(out, source, prefix="source.")


def test_a_checkpoint_comes_before_given_weights(settings: TrainingSettings, out: Path) -> None:
    weights = body_weights(settings)
    torch.save({"acoustic": {}, "vocoder": weights, "statistics": {}}, out / "state.pt")
    train_body(settings, out, CPU, out / "state.pt")
    others = {name: value + 1 for name, value in weights.items()}
    torch.save({"acoustic": {}, "vocoder": others, "statistics": {}}, out / "other.pt")
    train_body(settings, out, CPU, out / "other.pt")
    assert_checkpoint_has(out, weights)


def test_without_a_source_or_a_state_file_there_is_nothing_to_start_from(
    settings: TrainingSettings, out: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="vocoder-source"):
        train_body(settings, out, CPU)


@pytest.mark.parametrize(("options", "start"), [([], None), (["--from", "state/a.pt"], Path("state/a.pt"))])
def test_the_command_hands_the_state_file_on(
    options: list[str], start: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(train_vocoder, "train_body", lambda *arguments: calls.append(arguments))
    command = ["train_vocoder", "body", "--config", str(SHIPPED), "--out", "build", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", [*command, *options])
    train_vocoder.main()
    assert calls == [(load_settings(SHIPPED), Path("build"), CPU, start)]


def test_the_source_takes_no_state_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train_vocoder", "source", "--config", str(SHIPPED), "--out", "build", "--from", "a.pt"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit):
        train_vocoder.main()
    assert "--from is for the body" in capsys.readouterr().err


def test_the_learning_rate_falls_to_a_tenth() -> None:
    assert [decayed(1.0, step, 100) for step in (0, 50, 100, 200)] == pytest.approx([1.0, 0.1**0.5, 0.1, 0.1])
