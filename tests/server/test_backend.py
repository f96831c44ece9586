from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.backend import Backend, open_library, start_backend, text_policy, voice_folders
from server.config import ServerConfig, TextConfig, VoiceConfig
from streaming.errors import BadRequestError, ConfigError, UnknownVoiceError
from streaming.scheduling.workers import Workers
from tests.server.harness import OneVoice
from tests.streaming.doubles import fake_voice


@pytest.fixture
async def backend() -> Backend:
    return Backend(ServerConfig(), OneVoice(fake_voice()), Workers(1))


@pytest.mark.parametrize("language", ["", "zh", "zh-CN", "zh_cn", "EN", "zh-CN-x-private"])
async def test_a_language_that_the_voice_speaks_is_fine(backend: Backend, language: str) -> None:
    assert backend.voice("", language=language).manifest.name == "fake"
    await backend.close()


@pytest.mark.parametrize("language", ["fr", "zh-TW", "z"])
async def test_another_language_is_refused_with_those_there_are(backend: Backend, language: str) -> None:
    with pytest.raises(BadRequestError, match="allowed: zh-CN, en-US"):
        backend.voice("", language=language)
    await backend.close()


async def test_voice_and_model_must_exist(backend: Backend) -> None:
    with pytest.raises(UnknownVoiceError, match="no voice 'x'; known: fake"):
        backend.voice("x")
    with pytest.raises(UnknownVoiceError, match="no model 'x'; known: fake"):
        backend.voice("fake", model="x")
    assert backend.voice("", model="fake").manifest.name == "fake"
    await backend.close()


def test_a_requests_delay_wins_over_the_configured_one() -> None:
    text = TextConfig(max_delay_ms=300, max_segment_chars=50)
    assert text_policy(text, 9, None).max_delay_ms == 300
    assert text_policy(text, 9, 0).max_delay_ms == 0
    assert text_policy(text, 9, None).max_chars == 9
    assert text_policy(text, 9, None).segments.max_chars == 50


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    config = ServerConfig(voice=VoiceConfig(folders=(tmp_path / "absent",)))
    with pytest.raises(ConfigError, match=r"voice\.folders: no folder .*absent"):
        open_library(config)


def test_a_default_voice_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"voice\.default: no voice 'nobody'; known: fake"):
        open_library(ServerConfig(voice=VoiceConfig(engine="fake", default="nobody")))


def test_no_voice_at_all_is_refused(tmp_path: Path) -> None:
    config = ServerConfig(voice=VoiceConfig(embedded=False, folders=(tmp_path,)))
    with pytest.raises(ConfigError, match="no bundle was found"):
        start_backend(config)


def test_a_broken_bundle_is_the_reason_given_when_nothing_else_speaks(tmp_path: Path) -> None:
    bundle = tmp_path / "broken"
    bundle.mkdir()
    (bundle / "voice.yaml").write_text("format: 7\n", encoding="utf-8")
    config = ServerConfig(voice=VoiceConfig(embedded=False, folders=(tmp_path,)))
    with pytest.raises(ConfigError, match="format is 7"):
        start_backend(config)


def test_the_embedded_folder_comes_first_so_that_others_can_replace_its_voices() -> None:
    first, second = voice_folders(ServerConfig(voice=VoiceConfig(folders=(Path("/mine"),))))
    assert first.name == "voices"
    assert second == Path("/mine")


async def test_closing_stops_the_threads() -> None:
    backend = Backend(ServerConfig(), OneVoice(fake_voice()), Workers(1))
    await backend.close()
    with pytest.raises(RuntimeError, match="closed"):
        await asyncio.wait_for(backend.workers.run(0.0, int), 5)
