from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from server.config import ServerConfig, VoiceConfig
from server.voices_command import list_voices, show_voice
from streaming.errors import UnknownVoiceError

FAKE = ServerConfig(voice=VoiceConfig(engine="fake"))


def test_the_list_has_a_line_per_voice_and_marks_the_default() -> None:
    (line,) = list_voices(FAKE).splitlines()
    assert line.startswith("* fake ")
    for word in ("zh-CN", "16000 Hz", "low-sine", "happy", "Apache-2.0"):
        assert word in line


def test_broken_bundles_are_listed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "cracked").mkdir()
    (tmp_path / "cracked" / "voice.yaml").write_text("format: 7\n", encoding="utf-8")
    text = list_voices(ServerConfig(voice=VoiceConfig(embedded=False, folders=(tmp_path,))))
    assert text.startswith("! cracked: ")
    assert "format is 7" in text


def test_no_voices_is_said(tmp_path: Path) -> None:
    config = ServerConfig(voice=VoiceConfig(embedded=False, folders=(tmp_path,)))
    assert list_voices(config) == "no voices found\n"


def test_show_prints_the_manifest_as_yaml() -> None:
    manifest = yaml.safe_load(show_voice(FAKE, ""))
    assert (manifest["name"], manifest["sample_rate"]) == ("fake", 16000)
    assert manifest["emotions"]["happy"] == 5


def test_showing_an_unknown_voice_names_the_known() -> None:
    with pytest.raises(UnknownVoiceError, match="no voice 'x'; known: fake"):
        show_voice(FAKE, "x")
