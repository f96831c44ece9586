from __future__ import annotations

import pytest

from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.manifest import VoiceManifest
from streaming.synthesis.family import new_synthesis
from streaming.synthesis.segment import SegmentSynthesis
from streaming.types import StageTimes, Style
from tests.streaming.doubles import drain, joined, phonemes


def test_a_sambert_voice_is_spoken_by_its_own_synthesis_into_the_times_given():
    times = StageTimes()
    synthesis = new_synthesis(FakeEngine(), fake_manifest(), phonemes(3, 9, 143), Style(), times=times)
    assert isinstance(synthesis, SegmentSynthesis)
    assert joined(drain(synthesis)).size == synthesis.token_start_samples[-1]
    assert times.total_ms > 0.0


def test_a_family_that_nothing_speaks_is_our_bug():
    stranger = VoiceManifest(
        family="stranger", name="x", languages=("zh-CN",), sample_rate=16000, speakers=("a",), licence="none"
    )
    with pytest.raises(TypeError, match="stranger"):
        new_synthesis(FakeEngine(), stranger, phonemes(3), Style())
