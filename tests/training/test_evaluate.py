from __future__ import annotations

import numpy as np
import pytest

from streaming.types import FloatArray
from tests.training.tiny import SHIPPED
from training.evaluate import (
    N_CEPSTRA,
    Comparison,
    Spoken,
    cepstra,
    count_errors,
    duration_error_ms,
    warping_path,
)
from training.features import Statistics, Utterance
from training.mel import FrameFeatures
from training.recogniser import Recogniser, Units
from training.settings import load_settings

N_MELS = 80
TOKENS = (
    "m_c$tone1$s_begin$word_begin",
    "a_c$tone1$s_end$word_end",
    "#4$tone_none$s_none$word_none",
)


def features(n_frames: int = 40, seed: int = 0) -> FrameFeatures:
    rng = np.random.default_rng(seed)
    return FrameFeatures(
        mel=rng.uniform(0.2, 0.8, (n_frames, N_MELS)).astype(np.float32),
        f0_hz=rng.uniform(100.0, 300.0, n_frames).astype(np.float32),
        voiced=np.ones(n_frames, np.float32),
        energy=np.ones(n_frames, np.float32),
    )


def with_changes(given: FrameFeatures, **changes: FloatArray) -> FrameFeatures:
    names = ("mel", "f0_hz", "voiced", "energy")
    return FrameFeatures(**{name: changes.get(name, getattr(given, name)) for name in names})


def compare(ours: FrameFeatures, theirs: FrameFeatures) -> dict[str, float]:
    comparison = Comparison()
    comparison.add(ours, theirs)
    return comparison.measures()


def mel_of(log_amplitude: FloatArray) -> FloatArray:
    """Mel in [0, 1] of natural log amplitudes."""
    return np.asarray((log_amplitude / np.log(10.0) * 20.0 + 80.0) / 100.0, np.float32)


def utterance(durations: list[int]) -> Utterance:
    frames = features(sum(durations))
    return Utterance(
        name="00000",
        text="妈。",
        emotion="neutral",
        tokens=TOKENS,
        ids=np.zeros((3, 4), np.int64),
        durations=np.array(durations),
        mel=frames.mel,
        f0_hz=frames.f0_hz,
        voiced=frames.voiced,
        energy=frames.energy,
        audio=np.zeros(200 * sum(durations), np.int16),
    )


def test_a_cosine_over_the_mel_bands_is_one_cepstrum() -> None:
    bands = np.cos(np.pi * 3 * (2 * np.arange(N_MELS) + 1) / (2 * N_MELS))
    expected = np.zeros(N_CEPSTRA)
    expected[2] = 0.5
    np.testing.assert_allclose(cepstra(mel_of(bands[None]))[0], expected, atol=1e-4)


def test_loudness_is_not_in_the_cepstra() -> None:
    mel = features().mel
    np.testing.assert_allclose(cepstra(mel), cepstra(mel + 0.1), atol=1e-4)


def test_a_stretched_sequence_is_warped_back() -> None:
    theirs = cepstra(features(20).mel)
    ours = np.repeat(theirs, 2, axis=0)
    a, b = warping_path(ours, theirs)
    assert (a[0], b[0], a[-1], b[-1]) == (0, 0, 39, 19)
    assert (np.diff(a) >= 0).all()
    assert (a // 2 == b).all()


def test_identical_sentences_have_no_distance() -> None:
    measures = compare(features(), features())
    assert measures["mcd_db"] == 0.0
    assert measures["f0_rmse_cents"] == 0.0
    assert measures["f0_correlation"] == pytest.approx(1.0)
    assert measures["voicing_error"] == 0.0


def test_speaking_rate_costs_nothing() -> None:
    slow = {
        name: np.repeat(getattr(features(), name), 3, axis=0) for name in ("mel", "f0_hz", "voiced", "energy")
    }
    measures = compare(FrameFeatures(**slow), features())
    assert measures["mcd_db"] == 0.0
    assert measures["f0_rmse_cents"] == 0.0


def test_distortion_is_that_of_the_formula() -> None:
    """A difference of 0.1 in one coefficient: 10 / ln 10 * sqrt(2 * 0.1 ** 2) dB."""
    bands = 0.2 * np.cos(np.pi * (2 * np.arange(N_MELS) + 1) / (2 * N_MELS))
    flat = with_changes(features(10), mel=mel_of(np.zeros((10, N_MELS))))
    tilted = with_changes(features(10), mel=mel_of(np.tile(bands, (10, 1))))
    assert compare(tilted, flat)["mcd_db"] == pytest.approx(10 / np.log(10) * np.sqrt(2) * 0.1, rel=1e-3)


def test_an_octave_is_1200_cents_and_keeps_the_correlation() -> None:
    measures = compare(with_changes(features(), f0_hz=2 * features().f0_hz), features())
    assert measures["f0_rmse_cents"] == pytest.approx(1200.0, abs=0.1)
    assert measures["f0_correlation"] == pytest.approx(1.0)


def test_an_inverted_melody_has_a_correlation_of_minus_one() -> None:
    measures = compare(with_changes(features(), f0_hz=np.float32(40000.0) / features().f0_hz), features())
    assert measures["f0_correlation"] == pytest.approx(-1.0)


def test_voicing_errors_are_counted_and_their_f0_is_not() -> None:
    voiced = features().voiced.copy()
    voiced[:10] = 0.0
    f0_hz = features().f0_hz.copy()
    f0_hz[:10] *= 4
    measures = compare(with_changes(features(), voiced=voiced, f0_hz=f0_hz), features())
    assert measures["voicing_error"] == pytest.approx(10 / 40)
    assert measures["f0_rmse_cents"] == 0.0


def test_a_whispering_voice_has_voicing_errors_and_no_f0_to_judge() -> None:
    measures = compare(with_changes(features(), voiced=np.zeros(40, np.float32)), features())
    assert measures["voicing_error"] == 1.0
    assert np.isnan([measures["f0_rmse_cents"], measures["f0_correlation"]]).all()


def test_duration_error_is_per_phone_and_leaves_pauses_out() -> None:
    settings = load_settings(SHIPPED)  # 12.5 ms a frame
    spoken = Spoken(np.zeros(0, np.float32), 200 * np.array([0, 4, 14, 90]))
    assert duration_error_ms(spoken, utterance([4, 10, 5]), settings) == 0.0
    assert duration_error_ms(spoken, utterance([5, 7, 5]), settings) == pytest.approx((1 + 3) / 2 * 12.5)


class FixedRecogniser(Recogniser):
    """Hears the same, whatever is said."""

    def transcribe(self, inputs: FloatArray) -> list[str]:
        assert inputs.shape == (19, N_MELS + 2)
        return ["m_c", "a_c4"]


def test_a_wrong_tone_is_one_error() -> None:
    statistics = Statistics([0.0] * N_MELS, [1.0] * N_MELS, 0.0, 1.0, 0.0, 1.0)
    recogniser = FixedRecogniser(N_MELS + 2, Units(("", "m_c")), 8, 1)
    assert count_errors(recogniser, features(19), utterance([4, 10, 5]), statistics) == 1
