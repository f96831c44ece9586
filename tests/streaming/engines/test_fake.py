from __future__ import annotations

import numpy as np
import pytest

from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.errors import SynthesisError
from streaming.synthesis.segment import SegmentSynthesis
from streaming.types import Style
from tests.streaming.doubles import drain, joined, phonemes


def audio(*sy_ids: int):
    return joined(drain(SegmentSynthesis(FakeEngine(), fake_manifest(), phonemes(*sy_ids), Style())))


def frequency_hz(samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size), 1 << 16))
    return float(np.argmax(spectrum)) * 16_000 / (1 << 16)


@pytest.mark.parametrize("sy", [0, 7, 33])
def test_a_phoneme_is_a_sine_whose_frequency_tells_it(sy: int):
    assert frequency_hz(audio(sy)) == pytest.approx(120 + 8 * (sy + 40), abs=15)


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_pitch_multiplies_the_frequency_of_the_sine(factor: float):
    synthesis = SegmentSynthesis(FakeEngine(), fake_manifest(), phonemes(7), Style(pitch=factor))
    assert frequency_hz(joined(drain(synthesis))) == pytest.approx(factor * (120 + 8 * 47), abs=15)


def test_the_sine_is_audible_and_pauses_are_silent():
    assert np.abs(audio(5)).max() > 0.3
    assert np.abs(audio(143)).max() < 0.02


def test_the_same_request_gives_the_same_samples():
    np.testing.assert_array_equal(audio(3, 9, 143), audio(3, 9, 143))


def test_history_is_heard_so_that_lost_state_is_noticed():
    alone, after = audio(30), audio(9, 30)
    assert not np.allclose(alone, after[-alone.size :], atol=1e-3)


def test_only_the_call_that_should_fail_fails():
    engine = FakeEngine(fail_at={"decoder": 3})
    synthesis = SegmentSynthesis(engine, fake_manifest(), phonemes(3, 9, 143), Style())
    with pytest.raises(SynthesisError, match="decoder failed on purpose at call 3"):
        synthesis.advance()
    assert engine.calls == ["encoder", "memory", "decoder", "decoder", "decoder"]


def test_before_call_sees_every_call():
    seen: list[str] = []
    engine = FakeEngine(before_call=seen.append)
    drain(SegmentSynthesis(engine, fake_manifest(), phonemes(3, 143), Style()))
    assert seen == engine.calls


def test_delay_is_kept_by_every_call(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    engine = FakeEngine(delay_s=0.5)
    drain(SegmentSynthesis(engine, fake_manifest(), phonemes(3), Style()))
    assert slept == [0.5] * len(engine.calls)


def test_the_log_of_calls_is_bounded_and_calls_are_still_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("streaming.engines.fake.MAX_LOGGED_CALLS", 3)
    engine = FakeEngine(fail_at={"decoder": 3})
    synthesis = SegmentSynthesis(engine, fake_manifest(), phonemes(3, 9, 143), Style())
    with pytest.raises(SynthesisError, match="decoder failed on purpose at call 3"):
        synthesis.advance()
    assert engine.calls == ["encoder", "memory", "decoder"]
