from __future__ import annotations

import pytest

from streaming.engines.fake import fake_manifest
from streaming.errors import BadRequestError, UnknownVoiceError
from streaming.manifest import EMOTION_ALIASES, VoiceManifest
from streaming.text.symbols import SymbolTables
from streaming.types import Style


def voice_with(**emotions: int) -> VoiceManifest:
    return fake_manifest().model_copy(update={"emotions": emotions})


@pytest.mark.parametrize("name", ["fear", "emotion_fear", "fearful", "emotion_fearful"])
def test_an_emotion_is_known_by_its_name_its_prefixed_name_and_its_aliases(name: str):
    assert voice_with(neutral=1, fear=4).emotion_id(name) == 4


def test_a_voices_own_name_comes_before_the_alias():
    assert voice_with(neutral=1, fear=4, fearful=9).emotion_id("fearful") == 9


def test_an_alias_of_an_emotion_that_the_voice_lacks_is_unknown():
    with pytest.raises(UnknownVoiceError, match="no emotion 'fearful'; known: neutral, happy"):
        voice_with(neutral=1, happy=5).emotion_id("fearful")


def test_aliases_lead_to_emotions_that_checkpoints_have():
    known = set(SymbolTables().emotions)
    assert set(EMOTION_ALIASES.values()) <= known
    assert not set(EMOTION_ALIASES) & known


@pytest.mark.parametrize("intensity", [0.0, 0.5, 1.0, 2.0])
def test_a_voice_with_a_neutral_emotion_takes_every_allowed_intensity(intensity: float):
    fake_manifest().check_style(Style(emotion="happy", emotion_intensity=intensity))


@pytest.mark.parametrize("intensity", [-0.1, 2.1, float("nan")])
def test_other_intensities_are_refused_with_the_range(intensity: float):
    with pytest.raises(BadRequestError, match=r"emotion_intensity is .*; allowed is 0\.0 to 2\.0"):
        fake_manifest().check_style(Style(emotion_intensity=intensity))


@pytest.mark.parametrize(("emotions", "listed"), [({"happy": 5}, "happy"), ({}, "none")])
def test_a_voice_without_a_neutral_emotion_has_no_intensity(emotions: dict[str, int], listed: str):
    voice = voice_with(**emotions)
    voice.check_style(Style())
    with pytest.raises(BadRequestError, match=rf"has no 'neutral' .*\(emotions: {listed}\), only 1\.0"):
        voice.check_style(Style(emotion_intensity=0.5))
