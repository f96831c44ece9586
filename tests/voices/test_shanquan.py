"""The voice that ships: it says Mandarin with its tones, and says the same thing every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.loaded_voice import LoadedVoice, load_voice
from streaming.synthesis.segment import SegmentSynthesis
from streaming.text.linguistics import spoken_word, to_phonemes
from streaming.text.symbols import SymbolTables
from streaming.types import FloatArray, Phonemes, Style

FOLDER = Path(__file__).parents[2] / "voices" / "shanquan"
SENTENCE = "今天是2026年11月22日，气温零下5℃，行长在重庆银行等你。"
MAX_BUNDLE_BYTES = 40_000_000


@pytest.fixture(scope="module")
def voice() -> LoadedVoice:
    return load_voice(FOLDER)


def speak(voice: LoadedVoice, phonemes: Phonemes | None, style: Style) -> tuple[FloatArray, list[int]]:
    """Say something; return its samples and where its tokens start."""
    assert phonemes is not None
    synthesis = SegmentSynthesis(voice.engine, voice.manifest, phonemes, style)
    pieces = []
    while (chunk := synthesis.advance()) is not None:
        pieces.append(chunk.samples)
    return np.concatenate(pieces), synthesis.token_start_samples.tolist()


def f0_hz(samples: FloatArray, sample_rate: int) -> float:
    """F0 of a voiced stretch: the highest autocorrelation between 100 and 350 Hz."""
    centred = samples.astype(np.float64) - samples.mean()
    correlation = np.correlate(centred, centred, "full")[len(centred) - 1 :]
    lags = np.arange(sample_rate // 350, sample_rate // 100)
    return float(sample_rate / lags[np.argmax(correlation[lags] / (len(centred) - lags))])


def tone_contour(voice: LoadedVoice, tone: int) -> tuple[float, float]:
    """F0 in Hz near the start and the end of 'ma' in a tone, in the carrier 这是…字."""
    words = [
        spoken_word("这是", ["zhe4", "shi4"]),
        spoken_word("x", [f"ma{tone}"]),
        spoken_word("字", ["zi4"], 4),
    ]
    samples, starts = speak(voice, to_phonemes(words, SymbolTables()), Style())
    start, end = starts[6], starts[7]  # the final of the third syllable
    window = voice.manifest.sample_rate * 3 // 100
    first = samples[start : start + window]
    return f0_hz(first, 16000), f0_hz(samples[end - window : end], 16000)


def test_the_bundle_is_small_and_complete() -> None:
    names = {file.name for file in FOLDER.iterdir()}
    assert {"voice.yaml", "MODEL_CARD.md", "tones.png", "sandhi.png", "evaluation.json"} <= names
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= MAX_BUNDLE_BYTES


def test_a_sentence_has_a_plausible_length_and_level(voice: LoadedVoice) -> None:
    samples, _ = speak(voice, voice.frontend.phonemes(SENTENCE), Style())
    seconds = len(samples) / voice.manifest.sample_rate
    assert 6.0 < seconds < 12.0  # 33 syllables
    assert 0.5 < np.abs(samples).max() < 1.0  # heard well, not clipped
    assert abs(samples.mean()) < 0.01
    windows = np.sqrt((samples[: len(samples) // 160 * 160].reshape(-1, 160) ** 2).mean(1))
    assert (windows[:10] > 0.01).any()  # speech begins within 100 ms


def test_the_same_request_gives_the_same_samples(voice: LoadedVoice) -> None:
    phonemes = voice.frontend.phonemes(SENTENCE)
    first, _ = speak(voice, phonemes, Style(seed=7))
    second, _ = speak(voice, phonemes, Style(seed=7))
    other, _ = speak(voice, phonemes, Style(seed=8))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_tones_have_their_contours(voice: LoadedVoice) -> None:
    contours = {tone: tone_contour(voice, tone) for tone in (1, 2, 3, 4)}
    high = contours[1][0]
    assert contours[1][1] == pytest.approx(high, rel=0.12)  # level
    assert contours[2][1] > 1.08 * contours[2][0]  # rising
    assert max(contours[3]) < 0.85 * high  # low
    assert contours[4][1] < 0.85 * contours[4][0]  # falling
    assert contours[4][0] > 0.9 * high  # from high up


def test_emotions_differ_in_pace_and_pitch(voice: LoadedVoice) -> None:
    phonemes = voice.frontend.phonemes("妈妈拿来了一满篮毛梨。")
    spoken = {name: speak(voice, phonemes, Style(emotion=name))[0] for name in ("neutral", "happy", "sad")}
    assert len(spoken["happy"]) < len(spoken["neutral"]) < len(spoken["sad"])
    pitch = {name: np.median([f0_hz(part, 16000) for part in np.array_split(samples[1600:-4800], 40)])
             for name, samples in spoken.items()}  # fmt: skip
    assert pitch["happy"] > pitch["neutral"] > pitch["sad"]


@pytest.mark.parametrize("emotion", ["happy", "sad"])
def test_the_intensity_of_an_emotion_sets_its_pace(voice: LoadedVoice, emotion: str) -> None:
    phonemes = voice.frontend.phonemes("妈妈拿来了一满篮毛梨。")
    styles = [Style(emotion=emotion, emotion_intensity=intensity) for intensity in (0.0, 0.5, 1.0, 1.5)]
    neutral, *lengths = (len(speak(voice, phonemes, style)[0]) for style in (Style(), *styles))
    assert lengths[0] == neutral
    assert lengths == sorted(lengths, reverse=emotion == "happy")
    assert len(set(lengths)) == len(lengths)


@pytest.mark.parametrize("text", ["打开WiFi设置，连接ABC网络。", "花儿在这儿开了。", "绿女穷熊炯"])
def test_mixed_text_erhua_and_rare_syllables_are_spoken(voice: LoadedVoice, text: str) -> None:
    samples, _ = speak(voice, voice.frontend.phonemes(text), Style())
    assert len(samples) > 16000
    assert 0.02 < np.sqrt((samples**2).mean()) < 0.4
