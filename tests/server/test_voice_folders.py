from __future__ import annotations

import os
from pathlib import Path

import pytest

from server import voice_folders as places
from server.config import ServerConfig, VoiceConfig
from server.voice_folders import EMBEDDED_VOICES, import_folder, user_voices, voice_folders


def test_later_folders_can_replace_voices_of_earlier_ones() -> None:
    config = ServerConfig(voice=VoiceConfig(folders=(Path("/mine"), Path("/other"))))
    assert voice_folders(config) == (EMBEDDED_VOICES, user_voices(), Path("/mine"), Path("/other"))
    assert (EMBEDDED_VOICES / "shanquan" / "voice.yaml").is_file()


def test_the_embedded_voices_can_be_left_out() -> None:
    assert voice_folders(ServerConfig(voice=VoiceConfig(embedded=False))) == (user_voices(),)


def test_an_import_goes_to_the_first_folder_of_the_variable_else_to_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(places, "user_data_path", lambda name, appauthor: tmp_path / name)
    assert import_folder({"ZHIYIN_VOICES": os.pathsep.join(["", "/a", "/b"])}) == Path("/a")
    assert import_folder({}) == tmp_path / "zhiyin" / "voices"
