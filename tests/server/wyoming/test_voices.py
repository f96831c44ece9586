from __future__ import annotations

import pytest

from server.wyoming.messages import VoiceChoice
from server.wyoming.voices import Info, chosen_voice, info_event, own_encoding
from streaming.errors import UnknownVoiceError
from tests.server.harness import running
from tests.streaming.doubles import fake_voice

MANIFEST = fake_voice().manifest


def test_every_voice_has_languages_and_speakers() -> None:
    other = MANIFEST.changed(name="other", languages=["en-GB"], speakers=["amy", "bob"])
    (program,) = info_event([MANIFEST, other]).data["tts"]
    assert program["installed"] is program["supports_synthesize_streaming"] is True
    assert [voice["name"] for voice in program["voices"]] == [MANIFEST.name, "other"]
    assert program["voices"][1]["languages"] == ["en-GB"]
    assert program["voices"][1]["speakers"] == [{"name": "amy"}, {"name": "bob"}]
    assert all({"attribution", "installed", "description", "version"} <= set(v) for v in program["voices"])


async def test_the_answer_is_made_anew_when_voices_change_and_only_then(monkeypatch) -> None:
    async with running() as server:
        info = Info(server.backend)
        before = info.answer()
        assert info.answer() is before
        changed = {"fake": MANIFEST.changed(description="another one")}
        monkeypatch.setattr(type(server.backend.library), "manifests", changed)
        assert b"another one" in info.answer() != before


async def test_a_voice_is_meant_by_name_by_language_or_not_at_all(monkeypatch) -> None:
    async with running() as server:
        library = server.backend.library
        voices = {
            name: MANIFEST.changed(name=name, languages=languages)
            for name, languages in (("a", ["en-US"]), (library.default_name, ["zh-CN"]), ("z", ["en-GB"]))
        }
        monkeypatch.setattr(type(library), "manifests", voices)
        assert chosen_voice(server.backend, VoiceChoice()) == ""
        assert chosen_voice(server.backend, VoiceChoice(name="z", language="zh")) == "z"
        assert chosen_voice(server.backend, VoiceChoice(language="zh")) == library.default_name
        assert chosen_voice(server.backend, VoiceChoice(language="en_GB")) == "z"
        with pytest.raises(UnknownVoiceError, match="no language 'fr'; known: zh-CN, en-US, en-GB"):
            chosen_voice(server.backend, VoiceChoice(language="fr"))


async def test_the_rate_is_the_voices_own() -> None:
    async with running() as server:
        assert own_encoding(server.backend, "").rate == MANIFEST.sample_rate
        with pytest.raises(UnknownVoiceError):
            own_encoding(server.backend, "nobody")
