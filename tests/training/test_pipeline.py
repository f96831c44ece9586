"""All of training/ in order, in small: corpus, features, four trainings, export, evaluation, model card."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from streaming.loaded_voice import load_voice
from streaming.text.symbols import SymbolTables
from streaming.types import Phonemes, Style
from tests.training.tiny import tiny_settings
from training.corpus import make_corpus
from training.evaluate import EVALUATION_NAME, evaluate, speak
from training.export_voice import export_voice, load_saved, load_trained, save_state
from training.features import extract_features, load_statistics, load_utterances
from training.model_card import write_card
from training.reference import speaker_of
from training.settings import TrainingSettings
from training.train_acoustic import train as train_acoustic
from training.train_recogniser import train as train_recogniser
from training.train_vocoder import train_body, train_source
from training.transcribe import main as transcribe_main

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TrainingSettings:
    return tiny_settings(tmp_path_factory.mktemp("settings") / "tiny.yaml")


@pytest.fixture(scope="module")
def out(settings: TrainingSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    make_corpus(settings, folder)
    extract_features(settings, folder)
    train_source(settings, folder, CPU)
    train_acoustic(settings, folder, CPU)
    train_body(settings, folder, CPU)
    train_recogniser(settings, folder)
    lengthen_durations(folder)
    return folder


def lengthen_durations(folder: Path) -> None:
    """Three steps may leave every duration at zero; a voice that says nothing cannot be measured."""
    path = folder / "acoustic" / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    state["average"]["variance_adaptor.duration_predictor.fc.bias"].fill_(1.5)
    torch.save(state, path)


@pytest.fixture(scope="module")
def voice_folder(settings: TrainingSettings, out: Path) -> Path:
    return export_voice(settings, load_trained(settings, out), out / "voices")


def test_the_corpus_is_the_same_in_every_process(tmp_path: Path) -> None:
    """espeak-ng keeps a little state from one sentence to the next, so the promise is per process."""
    config = tmp_path / "tiny.yaml"
    tiny_settings(config)
    for name in ("first", "second"):
        command = [
            sys.executable,
            "-m",
            "training.corpus",
            "--config",
            str(config),
            "--out",
            str(tmp_path / name),
        ]
        subprocess.run(command, check=True, capture_output=True)
    files = [
        file.relative_to(tmp_path / "first") for file in (tmp_path / "first").rglob("*") if file.is_file()
    ]
    assert len(files) == 14
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes(), file


def test_every_utterance_has_as_many_frames_as_its_durations_say(out: Path) -> None:
    for item in load_utterances(out, "train", SymbolTables()):
        assert item.durations.sum() == len(item.mel) == len(item.f0_hz)
        assert (item.durations >= 0).all()
        assert len(item.ids) == len(item.durations) == len(item.tokens)


def test_statistics_come_from_the_training_split(out: Path) -> None:
    mel = np.concatenate([item.mel for item in load_utterances(out, "train", SymbolTables())])
    assert load_statistics(out).mel_mean == pytest.approx(mel.mean(0), abs=1e-5)


def test_every_run_leaves_a_checkpoint_a_log_and_a_plot(out: Path) -> None:
    for run in ("vocoder-source", "vocoder-body", "acoustic", "recogniser"):
        assert {file.name for file in (out / run).iterdir()} >= {"checkpoint.pt", "log.jsonl", "losses.png"}
        row = json.loads((out / run / "log.jsonl").read_text("utf-8").splitlines()[-1])
        assert row["step"] == 3
        assert all(np.isfinite(value) for value in row.values())


def test_a_finished_training_resumes_and_does_nothing_more(settings: TrainingSettings, out: Path) -> None:
    before = torch.load(out / "acoustic" / "checkpoint.pt", weights_only=True)
    train_acoustic(settings, out, CPU)
    after = torch.load(out / "acoustic" / "checkpoint.pt", weights_only=True)
    assert before["step"] == after["step"] == 3
    assert all(torch.equal(before["net"][name], after["net"][name]) for name in before["net"])


def test_the_exported_voice_speaks_like_pytorch(
    settings: TrainingSettings, out: Path, voice_folder: Path
) -> None:
    saved = save_state(settings, load_trained(settings, out), out / "state")
    voice = load_voice(voice_folder)
    reference = speaker_of(settings, load_saved(settings, saved), voice.manifest)
    item = next(load_utterances(out, "validation", SymbolTables()))
    ours = speak(voice, item).audio
    theirs = reference(item.ids, Style(emotion=item.emotion))
    assert len(ours) == len(theirs)
    # Not sample by sample: a rounding difference of 1e-6 in the F0 row grows to 0.1 rad in the last harmonic.
    assert np.sqrt(((ours - theirs) ** 2).mean()) < 0.01 * np.sqrt((theirs**2).mean())


def test_saved_weights_are_exported_like_those_of_the_training(
    settings: TrainingSettings, out: Path, voice_folder: Path, tmp_path: Path
) -> None:
    saved = save_state(settings, load_trained(settings, out), tmp_path / "state")
    again = export_voice(settings, load_saved(settings, saved), tmp_path / "voices")
    for name in ("decoder", "postnet", "vocoder", "memory"):
        file = f"{name}.fp32.onnx"
        assert (again / file).read_bytes() == (voice_folder / file).read_bytes()


def test_evaluation_measures_everything(settings: TrainingSettings, out: Path, voice_folder: Path) -> None:
    items = list(load_utterances(out, "validation", SymbolTables()))
    result = evaluate(settings, out, load_voice(voice_folder), items)
    assert result.sentences == 3
    assert result.copy_log_mel_l1 > 0
    assert 0 <= result.voicing_error <= 1
    assert result.error_rate > 0.5  # three steps do not make a voice


def test_the_model_card_shows_the_measures(settings: TrainingSettings, voice_folder: Path) -> None:
    measures = {
        "sentences": 3, "copy_log_mel_l1": 0.3, "copy_f0_cents": 12.0, "mcd_db": 4.0, "f0_rmse_cents": 90.0,
        "f0_correlation": 0.961, "voicing_error": 0.05, "duration_error_ms": 8.0, "teacher_error_rate": 0.01,
        "error_rate": 0.025,
    }  # fmt: skip
    (voice_folder / EVALUATION_NAME).write_text(json.dumps(measures), "utf-8")
    write_card(settings, voice_folder)
    card = (voice_folder / "MODEL_CARD.md").read_text("utf-8")
    assert "2.50 %" in card
    assert "0.961" in card
    assert (voice_folder / "tones.png").stat().st_size > 1000
    assert load_voice(voice_folder).manifest.quality["f0_correlation"] == pytest.approx(0.961)


def test_the_voice_has_its_emotions(settings: TrainingSettings, out: Path, voice_folder: Path) -> None:
    voice = load_voice(voice_folder)
    assert tuple(voice.manifest.emotions) == tuple(settings.corpus.emotions)
    item = next(load_utterances(out, "validation", SymbolTables()))
    assert Phonemes(item.tokens, item.ids).ids.shape[1] == 4


def test_a_recording_is_read_back(
    settings: TrainingSettings, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "tiny.yaml"
    tiny_settings(config)
    recording = next((out / "corpus" / "wav").glob("*.wav"))
    arguments = [str(recording), "--text", "你好。", "--config", str(config), "--out", str(out)]
    assert transcribe_main(arguments) == 0
    printed = capsys.readouterr().out
    assert "expected: n_c i_c2 h_c ao_c3" in printed
    assert "of 4" in printed
