from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streaming.text.symbols import SymbolTables
from tests.training.tiny import SHIPPED, humming_corpus, tiny_settings
from training.features import extract_features, frame_durations, load_statistics, load_utterances, token_means
from training.mel import extract
from training.settings import TrainingSettings, load_settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TrainingSettings:
    return tiny_settings(tmp_path_factory.mktemp("settings") / "tiny.yaml")


@pytest.fixture(scope="module")
def out(settings: TrainingSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features")
    humming_corpus(settings, folder)
    extract_features(settings, folder)
    return folder


@pytest.mark.parametrize("seed", range(5))
def test_durations_sum_to_the_frames_and_are_never_negative(seed: int) -> None:
    audio = load_settings(SHIPPED).audio
    rng = np.random.default_rng(seed)
    boundaries = np.concatenate([[0.0], np.cumsum(rng.uniform(0.0, 0.2, 30))])
    n_samples = int(boundaries[-1] * audio.sample_rate) + int(rng.integers(-150, 150))
    n_frames = 1 + n_samples // audio.hop_length
    durations = frame_durations(boundaries.tolist(), n_frames, audio)
    assert durations.sum() == n_frames
    assert durations.min() >= 0


def test_boundaries_are_rounded_once_and_do_not_drift() -> None:
    audio = load_settings(SHIPPED).audio  # 12.5 ms a frame
    durations = frame_durations([0.0, 0.030, 0.060, 0.090, 0.100], 9, audio)
    assert durations.tolist() == [2, 3, 2, 2]


def test_boundaries_behind_the_last_frame_leave_nothing() -> None:
    audio = load_settings(SHIPPED).audio
    assert frame_durations([0.0, 0.05, 0.2, 0.3], 10, audio).tolist() == [4, 6, 0]


def test_token_means_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    durations = rng.integers(0, 6, 40)
    values = (rng.uniform(1.0, 2.0, durations.sum()) * (rng.random(durations.sum()) > 0.4)).astype(np.float32)
    edges = [0, *np.cumsum(durations).tolist()]
    expected = []
    for start, end in pairwise(edges):
        kept = [value for value in values[start:end] if value != 0]
        expected.append(sum(kept) / len(kept) if kept else 0.0)
    assert 0.0 in expected
    np.testing.assert_allclose(token_means(values, durations), expected, rtol=1e-6)


def test_utterances_come_back_as_they_were_extracted(settings: TrainingSettings, out: Path) -> None:
    items = list(load_utterances(out, "train", SymbolTables()))
    assert [item.name for item in items] == ["00002", "00003", "00004"]
    for item in items:
        audio, _ = soundfile.read(out / "corpus" / "wav" / f"{item.name}.wav", dtype="int16")
        features = extract(audio.astype(np.float32) / 32768.0, settings.audio)
        assert np.array_equal(item.audio, audio)
        assert np.array_equal(item.mel, features.mel)
        assert np.array_equal(item.f0_hz, features.f0_hz)
        assert item.ids.shape == (3, 4)
        assert item.durations.sum() == len(item.mel)


def test_splits_share_nothing(out: Path) -> None:
    names = {
        split: {item.name for item in load_utterances(out, split, SymbolTables())}
        for split in ("train", "validation")
    }
    assert names["validation"] == {"00000", "00001"}
    assert not names["train"] & names["validation"]


def test_statistics_are_of_the_training_split_and_f0_counts_its_zeros(out: Path) -> None:
    items = list(load_utterances(out, "train", SymbolTables()))
    statistics = load_statistics(out)
    mel = np.concatenate([item.mel for item in items])
    f0 = np.concatenate([item.f0_hz * item.voiced for item in items])
    energy = np.concatenate([item.energy for item in items])
    assert (f0 == 0).any()
    np.testing.assert_allclose(statistics.mel_mean, mel.mean(0), atol=1e-5)
    np.testing.assert_allclose(statistics.mel_std, np.maximum(mel.std(0), 1e-5), atol=1e-4)
    assert statistics.f0_mean == pytest.approx(f0.mean(), rel=1e-4)
    assert statistics.f0_std == pytest.approx(f0.std(), rel=1e-4)
    assert statistics.energy_mean == pytest.approx(energy.mean(), rel=1e-4)
    assert statistics.energy_std == pytest.approx(energy.std(), rel=1e-4)
