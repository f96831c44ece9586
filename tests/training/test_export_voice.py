from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn

from streaming.text.symbols import SymbolTables
from tests.training.tiny import tiny_settings
from training.export_voice import embedded_manifest, load_acoustic, load_trained, load_vocoder, save_state
from training.features import Statistics
from training.nets.embedded_streaming import StreamingEmbeddedVocoder
from training.nets.embedded_vocoder import EmbeddedVocoder
from training.nets.sambert import Sambert
from training.nets.source import HarmonicNoiseSource
from training.settings import TrainingSettings
from training.train_acoustic import acoustic_config
from training.train_vocoder import new_source

STATISTICS = Statistics([0.5] * 80, [0.1] * 80, 119.0, 97.0, 10.0, 2.0)


@pytest.fixture
def settings(tmp_path: Path) -> TrainingSettings:
    return tiny_settings(tmp_path / "tiny.yaml")


@pytest.fixture
def out(settings: TrainingSettings, tmp_path: Path) -> Path:
    """A folder whose networks were trained, except for the vocoder's body."""
    checkpoint(tmp_path / "acoustic", net=new_acoustic(settings, 1), average=new_acoustic(settings, 2))
    checkpoint(tmp_path / "vocoder-source", net=filled(new_source(settings), 0.25))
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "statistics.json").write_text(json.dumps(asdict(STATISTICS)), "utf-8")
    return tmp_path


def new_acoustic(settings: TrainingSettings, seed: int) -> Sambert:
    torch.manual_seed(seed)
    return Sambert(acoustic_config(settings.acoustic, settings.audio))


def filled(net: nn.Module, value: float) -> nn.Module:
    for parameter in net.parameters():
        nn.init.constant_(parameter, value)
    return net


def new_vocoder(settings: TrainingSettings, value: float) -> nn.Module:
    return filled(EmbeddedVocoder(new_source(settings), 80, settings.vocoder.channels), value)


def checkpoint(folder: Path, **nets: nn.Module) -> None:
    folder.mkdir()
    torch.save({name: net.state_dict() for name, net in nets.items()} | {"step": 1}, folder / "checkpoint.pt")


def equal(net: nn.Module, other: nn.Module) -> bool:
    ours, theirs = net.state_dict(), other.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_averaged_weights_are_exported(settings: TrainingSettings, out: Path) -> None:
    acoustic = load_acoustic(settings, out)
    assert equal(acoustic, new_acoustic(settings, 2))
    assert not acoustic.training


def shipping(settings: TrainingSettings, part: str) -> TrainingSettings:
    vocoder = settings.vocoder.model_copy(update={"ships": part})
    return settings.model_copy(update={"vocoder": vocoder})


def test_the_source_alone_ships_where_the_configuration_says_so(
    settings: TrainingSettings, out: Path
) -> None:
    vocoder = load_vocoder(shipping(settings, "source"), out)
    assert isinstance(vocoder, HarmonicNoiseSource)
    assert equal(vocoder, filled(new_source(settings), 0.25))


def test_a_body_takes_the_sources_place(settings: TrainingSettings, out: Path) -> None:
    checkpoint(out / "vocoder-body", net=new_vocoder(settings, 0.5), average=new_vocoder(settings, 0.125))
    vocoder = load_vocoder(shipping(settings, "body"), out)
    assert isinstance(vocoder, EmbeddedVocoder)
    assert equal(vocoder, new_vocoder(settings, 0.125))


def test_the_state_file_holds_weights_and_statistics(settings: TrainingSettings, out: Path) -> None:
    settings = shipping(settings, "source")
    path = save_state(settings, load_trained(settings, out), out / "state")
    assert path == out / "state" / "tiny.pt"
    state = torch.load(path, weights_only=True)
    assert set(state) == {"acoustic", "vocoder", "statistics"}
    assert Statistics(**state["statistics"]) == STATISTICS
    new_acoustic(settings, 3).load_state_dict(state["acoustic"])
    new_source(settings).load_state_dict(state["vocoder"])


def test_a_training_that_never_ran_is_an_error(settings: TrainingSettings, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="acoustic"):
        load_acoustic(settings, tmp_path)


def test_the_manifest_takes_its_numbers_from_where_they_were_used(settings: TrainingSettings) -> None:
    vocoder = StreamingEmbeddedVocoder(new_source(settings))
    manifest = embedded_manifest(settings, STATISTICS, new_acoustic(settings, 1), vocoder)
    assert (manifest.sample_rate, manifest.hop_length, manifest.n_mels) == (16000, 200, 80)
    assert manifest.f0 is not None
    assert (manifest.f0.offset_hz, manifest.f0.scale_hz) == (119.0, 97.0)
    assert manifest.vocoder.state_size == vocoder.initial_state().shape[1]
    assert manifest.vocoder.lookahead_frames == settings.vocoder.lookahead_frames
    assert dict(manifest.emotions) == {
        name: SymbolTables().emotion_id(name) for name in settings.corpus.emotions
    }
