from __future__ import annotations

import pytest

from server.config import NamesConfig
from server.voice_names import NamedVoice, VoiceNames
from streaming.errors import UnknownModelError, UnknownVoiceError

OWN = ("shanquan", "alloy-own")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("", NamedVoice()),
        ("shanquan", NamedVoice("shanquan")),
        ("shanquan::happy", NamedVoice("shanquan", "", "happy")),
        ("shanquan:annie", NamedVoice("shanquan", "annie")),
        (":annie:sad", NamedVoice("", "annie", "sad")),
        ("alloy", NamedVoice()),
        ("sambert-zhichu-v1", NamedVoice()),
        ("longxiaochun", NamedVoice()),
        ("nova", NamedVoice("shanquan", "", "happy")),
        ("nova::sad", NamedVoice("shanquan", "", "sad")),
        ("guest-7", NamedVoice("alloy-own")),
    ],
)
def test_a_name_means_a_voice(name: str, meant: NamedVoice) -> None:
    names = VoiceNames(NamesConfig(voices={"nova": "shanquan::happy", "guest-?": "alloy-own"}))
    assert names.voice(name, OWN) == meant


def test_an_own_voice_wins_over_a_configured_name() -> None:
    names = VoiceNames(NamesConfig(voices={"shanquan": "other"}))
    assert names.voice("shanquan", OWN) == NamedVoice("shanquan")


def test_an_unknown_name_is_refused_with_what_is_known() -> None:
    with pytest.raises(UnknownVoiceError, match="no voice 'nobody'; known: shanquan, alloy-own, alloy"):
        VoiceNames(NamesConfig()).voice("nobody", OWN)


def test_any_name_is_the_default_voice_where_that_is_configured() -> None:
    names = VoiceNames(NamesConfig(unknown="default"))
    assert names.voice("nobody", OWN) == NamedVoice()
    assert names.check_model("no-such", OWN) == ""


@pytest.mark.parametrize(
    ("model", "voice"), [("", ""), ("tts-1", ""), ("cosyvoice-v2", ""), ("shanquan", "shanquan")]
)
def test_a_model_is_known_or_one_of_our_voices(model: str, voice: str) -> None:
    assert VoiceNames(NamesConfig()).check_model(model, OWN) == voice


def test_an_unknown_model_has_a_code_of_its_own() -> None:
    with pytest.raises(UnknownModelError, match="no model 'no-such'; known: zhiyin, ") as refused:
        VoiceNames(NamesConfig()).check_model("no-such", OWN)
    assert refused.value.code == "unknown_model"


def test_lists_show_no_patterns() -> None:
    names = VoiceNames(NamesConfig())
    assert "alloy" in names.aliases
    assert "tts-1" in names.models
    assert not any("*" in name for name in (*names.aliases, *names.models))
