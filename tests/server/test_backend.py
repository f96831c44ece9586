from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from server.backend import Backend, open_library, start_backend, text_policy
from server.config import ServerConfig, TextConfig, VoiceConfig
from streaming.errors import (
    BadRequestError,
    ConfigError,
    OverloadedError,
    UnknownVoiceError,
    VoiceBundleError,
)
from streaming.loaded_voice import LoadedVoice
from streaming.scheduling.scheduler import Scheduler
from streaming.text.pauses import Pauses
from streaming.utterance import PendingVoice
from streaming.voices import VoiceLibrary
from tests.server.harness import one_voice
from tests.streaming.doubles import VOICES, GatedLoad, called, fake_voice, settle, write_bundle


@pytest.fixture
async def backend() -> Backend:
    return Backend(ServerConfig(), one_voice(fake_voice()), Scheduler(1))


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


def test_a_requests_pauses_win_over_the_configured_ones() -> None:
    text = TextConfig(sentence_pause_ms=100)
    assert text_policy(text, 9, None).pauses == Pauses(100, 500)
    assert text_policy(text, 9, None, 0, 700).pauses == Pauses(0, 700)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    config = ServerConfig(voice=VoiceConfig(folders=(tmp_path / "absent",)))
    with pytest.raises(ConfigError, match=r"voice\.folders: no folder .*absent"):
        open_library(config)


def test_a_default_voice_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"voice\.default: no voice 'nobody'; known: fake"):
        start_backend(ServerConfig(voice=VoiceConfig(engine="fake", default="nobody")))


def test_a_voice_to_preload_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"voice\.preload: no voice 'nobody'; known: fake"):
        start_backend(ServerConfig(voice=VoiceConfig(engine="fake", preload=("nobody",))))


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


def copied(folder: Path, *names: str) -> ServerConfig:
    """A configuration with copies of the test voice under other names, and no other voice."""
    for name in names:
        shutil.copytree(VOICES / "tiny_16k", folder / name)
        manifest = folder / name / "voice.yaml"
        manifest.write_text(manifest.read_text().replace("name: tiny_16k", f"name: {name}"))
    return ServerConfig(voice=VoiceConfig(embedded=False, folders=(folder,)))


def with_voice(config: ServerConfig, **values: object) -> ServerConfig:
    return ServerConfig(voice=config.voice.model_copy(update=values))


async def test_only_the_default_voice_is_loaded_at_the_start_unless_others_are_asked_for(
    tmp_path: Path,
) -> None:
    config = copied(tmp_path, "a", "b", "c")
    for voice, loaded in (
        ({}, ("a",)),
        ({"default": "c", "preload": ("a",)}, ("c", "a")),
        ({"preload": ("*",)}, ("a", "b", "c")),
    ):
        backend = start_backend(with_voice(config, **voice))
        assert sorted(backend.library.loaded_names) == sorted(loaded)
        await backend.close()


async def test_a_voice_that_cannot_speak_ends_the_start_only_if_it_is_the_default(tmp_path: Path) -> None:
    config = copied(tmp_path, "a", "b")
    (tmp_path / "b" / "memory.fp32.onnx").write_bytes(b"changed")
    backend = start_backend(with_voice(config, preload=("*",)))
    assert backend.library.names == ("a",)
    await backend.close()
    with pytest.raises(ConfigError, match=r"the default voice cannot speak: .*sha256 is"):
        start_backend(with_voice(config, default="b"))


async def test_closing_stops_the_threads() -> None:
    backend = Backend(ServerConfig(), one_voice(fake_voice()), Scheduler(1))
    await backend.close()
    with pytest.raises(RuntimeError, match="closed"):
        await asyncio.wait_for(called(backend.scheduler, int), 5)


# -- voices that are not loaded yet ----------------------------------------------------------


@pytest.fixture
def load() -> GatedLoad:
    return GatedLoad("slow")


@pytest.fixture
def lazy(tmp_path: Path, load: GatedLoad) -> Backend:
    write_bundle(tmp_path, "fast")
    write_bundle(tmp_path, "slow")
    return Backend(ServerConfig(), VoiceLibrary([tmp_path], load=load), Scheduler(1))


def pending(backend: Backend, name: str) -> PendingVoice:
    voice = backend.voice(name)
    assert isinstance(voice, PendingVoice)
    assert voice.manifest.name == name
    return voice


async def test_all_who_wait_for_a_voice_get_the_one_that_is_loaded(lazy: Backend, load: GatedLoad) -> None:
    waiting = [asyncio.ensure_future(pending(lazy, "slow").loaded()) for _ in range(20)]
    await asyncio.to_thread(load.reached.wait, 30)
    assert (await pending(lazy, "fast").loaded()).manifest.name == "fast"  # meanwhile
    load.opened.set()
    voices = await asyncio.gather(*waiting)
    assert len({id(voice) for voice in voices}) == 1
    assert sorted(load.loads) == ["fast", "slow"]
    assert lazy.voice("slow") is voices[0]
    await lazy.close()


async def test_who_stops_waiting_does_not_stop_the_load(lazy: Backend, load: GatedLoad) -> None:
    impatient, patient = (asyncio.ensure_future(pending(lazy, "slow").loaded()) for _ in range(2))
    await settle()
    impatient.cancel()
    await settle()
    assert impatient.cancelled()
    load.opened.set()
    assert (await patient).manifest.name == "slow"
    await lazy.close()


async def test_a_load_that_takes_too_long_is_told_as_overload_and_goes_on(
    tmp_path: Path, load: GatedLoad
) -> None:
    write_bundle(tmp_path, "slow")
    config = ServerConfig(voice=VoiceConfig(load_s=0.001))
    backend = Backend(config, VoiceLibrary([tmp_path], load=load), Scheduler(1))
    with pytest.raises(OverloadedError, match="voice 'slow' is still being loaded"):
        await pending(backend, "slow").loaded()
    load.opened.set()
    await backend.close()
    assert isinstance(backend.voice("slow"), LoadedVoice)


async def test_a_voice_that_turns_out_broken_is_refused_with_the_reason(
    lazy: Backend, load: GatedLoad
) -> None:
    load.error = VoiceBundleError("bad graph")
    load.opened.set()
    expected = "voice 'slow' cannot be used: bad graph; known: fast"
    with pytest.raises(UnknownVoiceError, match=expected):
        await pending(lazy, "slow").loaded()
    with pytest.raises(UnknownVoiceError, match=expected):
        lazy.voice("slow")
    await lazy.close()


async def test_after_a_reload_nobody_is_given_a_load_of_what_was_there_before(
    lazy: Backend, load: GatedLoad, tmp_path: Path
) -> None:
    before = asyncio.ensure_future(pending(lazy, "slow").loaded())
    await asyncio.to_thread(load.reached.wait, 30)
    write_bundle(tmp_path, "slow", description="new")
    assert (await lazy.reload()).changed == ("slow",)
    after = asyncio.ensure_future(pending(lazy, "slow").loaded())
    await settle()
    load.opened.set()
    assert (await after).manifest.description == "new"
    with pytest.raises(UnknownVoiceError, match="changed since it was listed"):
        await before
    await lazy.close()
