"""The voices over real sockets: what is said of them, lazy loading, and looking at the folders again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from server.config import AuthConfig, ServerConfig
from server.voices_endpoint import describe
from streaming.engines.fake import fake_manifest
from streaming.errors import VoiceBundleError
from streaming.sambert_manifest import F0Rows
from streaming.voices import VoiceLibrary
from tests.server.harness import SUBPROTOCOLS, ask, audio_of, running
from tests.streaming.doubles import GatedLoad, write_bundle

both = pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)


@pytest.fixture
def load() -> GatedLoad:
    return GatedLoad("slow")


@pytest.fixture
def library(tmp_path: Path, load: GatedLoad) -> VoiceLibrary:
    """`fast` is loaded, `slow` is not, `cracked` cannot be used."""
    for name in ("fast", "slow", "cracked"):
        write_bundle(tmp_path, name)
    (tmp_path / "cracked" / "voice.yaml").write_text("format: 9\n")
    library = VoiceLibrary([tmp_path], load=load)
    library.get("fast")
    return library


# -- the list --------------------------------------------------------------------------------


async def test_the_list_says_what_each_voice_can_do(library: VoiceLibrary) -> None:
    async with running(library=library) as server:
        status, body = await ask(server, "GET", "/v1/voices")
    assert status == 200
    fast, slow = body["voices"]
    assert fast == {
        "name": "fast",
        "default": True,
        "loaded": True,
        "family": "sambert",
        "description": "A sine per phoneme, for tests and demonstrations",
        "languages": ["zh-CN", "en-US"],
        "speakers": ["sine", "low-sine"],
        "emotions": ["neutral", "happy", "sad"],
        "emotion_aliases": {"cheerful": "happy"},
        "controls": fast["controls"],
        "sample_rate": 16000,
        "precisions": [],
        "lookahead_ms": 0.0,
        "licence": "Apache-2.0",
    }
    assert (fast["controls"]["speed"], fast["controls"]["volume"]) == ([0.5, 2.0], [0.0, 100.0])
    assert (slow["name"], slow["default"], slow["loaded"]) == ("slow", False, False)
    assert list(body["broken"]) == ["cracked"]
    assert body["broken"] == {"cracked": "voice.yaml: format is 9; this version reads 2"}


def test_only_controls_that_the_voice_honours_are_listed() -> None:
    assert "emotion_intensity" in describe(fake_manifest())["controls"]  # type: ignore[operator]
    flat = fake_manifest().model_copy(update={"emotions": {"happy": 5}})
    assert "emotion_intensity" not in describe(flat)["controls"]  # type: ignore[operator]


def test_an_alias_that_the_voice_has_itself_is_none() -> None:
    voice = fake_manifest().model_copy(update={"emotions": {"happy": 1, "cheerful": 2, "fear": 3}})
    assert describe(voice)["emotion_aliases"] == {"fearful": "fear"}


def test_look_ahead_is_told_in_milliseconds() -> None:
    voice = fake_manifest()
    ahead = voice.vocoder.model_copy(update={"lookahead_frames": 18})
    f0 = F0Rows(norm="global", offset_hz=0.0, scale_hz=1.0)
    assert describe(voice.model_copy(update={"vocoder": ahead, "f0": f0}))["lookahead_ms"] == 225.0


# -- reload ----------------------------------------------------------------------------------


async def test_a_reload_tells_what_came_went_and_changed(library: VoiceLibrary, tmp_path: Path) -> None:
    async with running(library=library) as server, server.client() as client:
        write_bundle(tmp_path, "new")
        write_bundle(tmp_path, "cracked")
        shutil.rmtree(tmp_path / "slow")
        expected = {"added": ["new"], "removed": ["slow"], "changed": ["cracked"], "broken": {}}
        assert await ask(server, "POST", "/v1/voices/reload") == (200, expected)
        nothing = {"added": [], "removed": [], "changed": [], "broken": {}}
        assert await ask(server, "POST", "/v1/voices/reload") == (200, nothing)
        await client.send("open", ctx=1, voice="new", text="好。", end=True)
        assert (await client.expect("done", 1))["samples"] > 0
        await client.send("open", ctx=2, voice="slow", text="好。", end=True)
        error = await client.expect("error", 2)
        assert (error["code"], error["message"]) == (
            "unknown_voice",
            "no voice 'slow'; known: cracked, fast, new",
        )


async def test_an_utterance_goes_on_when_its_voice_is_dropped(library: VoiceLibrary, tmp_path: Path) -> None:
    async with running(library=library) as server, server.client() as client:
        await client.send("open", ctx=1, voice="fast", text="你好。")
        await client.send("flush", ctx=1)
        await client.expect("flushed", 1)
        shutil.rmtree(tmp_path / "fast")
        _, body = await ask(server, "POST", "/v1/voices/reload")
        assert body["removed"] == ["fast"]
        await client.send("append", ctx=1, text="再见。")
        await client.send("end", ctx=1)
        assert (await client.expect("done", 1))["sentences"] == 2


async def test_a_reload_needs_the_token_and_the_right_method(library: VoiceLibrary) -> None:
    config = ServerConfig(auth=AuthConfig(tokens=("right",)))  # type: ignore[arg-type]
    async with running(config, library=library) as server:
        status, body = await ask(server, "POST", "/v1/voices/reload")
        assert (status, body["error"]["code"]) == (401, "unauthorized")
        right = {"Authorization": "Bearer right"}
        assert (await ask(server, "POST", "/v1/voices/reload", headers=right))[0] == 200
        assert (await ask(server, "GET", "/v1/voices/reload", headers=right))[0] == 405


async def test_the_wire_does_not_tell_where_voices_lie(
    library: VoiceLibrary, load: GatedLoad, tmp_path: Path
) -> None:
    load.error = VoiceBundleError(f"{tmp_path / 'slow' / 'a.onnx'}: no data in /usr/share/espeak-ng-data")
    load.opened.set()
    async with running(library=library) as server, server.client() as client:
        for ctx, name in ((1, "slow"), (2, "slow"), (3, "cracked")):
            await client.send("open", ctx=ctx, voice=name, text="你好。", end=True)
            assert str(tmp_path) not in (await client.expect("error", ctx))["message"]
        expected = {
            "cracked": "voice.yaml: format is 9; this version reads 2",
            "slow": "a.onnx: no data in espeak-ng-data",
        }
        assert (await ask(server, "GET", "/v1/voices"))[1]["broken"] == expected
        assert (await ask(server, "POST", "/v1/voices/reload"))[1]["broken"] == expected


# -- loading on demand -----------------------------------------------------------------------


@both
async def test_a_voice_is_loaded_when_it_is_first_asked_for(
    subprotocol: str, library: VoiceLibrary, load: GatedLoad
) -> None:
    load.opened.set()
    async with running(library=library) as server, server.client(subprotocol) as client:
        for ctx in (1, 2):
            await client.send("open", ctx=ctx, voice="slow", text="你好。", end=True)
            assert (await client.expect("done", ctx))["samples"] > 0
        _, body = await ask(server, "GET", "/v1/voices")
    assert [voice["loaded"] for voice in body["voices"]] == [True, True]
    assert load.loads == ["fast", "slow"]


@both
async def test_while_a_voice_is_loaded_text_is_taken_and_others_speak(
    subprotocol: str, library: VoiceLibrary, load: GatedLoad
) -> None:
    async with running(library=library) as server, server.client(subprotocol) as client:
        await client.send("open", ctx=1, voice="slow", text="你好。")
        await client.send("append", ctx=1, text="再见")
        await client.send("flush", ctx=1, id="mark")
        await client.send("end", ctx=1)
        await client.speaks(2)
        load.opened.set()
        messages = await client.until("done", 1)
        spoken = "".join(message["text"] for message in messages if message["type"] == "sentence")
        assert spoken == "你好。再见"
        assert [message["id"] for message in messages if message["type"] == "flushed"] == ["mark"]


@both
async def test_cancel_while_the_voice_is_loaded_is_answered_at_once(
    subprotocol: str, library: VoiceLibrary, load: GatedLoad
) -> None:
    async with running(library=library) as server, server.client(subprotocol) as client:
        await client.send("open", ctx=1, voice="slow", text="你好。", end=True)
        await client.send("cancel", ctx=1)
        cancelled = await client.expect("cancelled", 1)
        assert (cancelled["samples"], cancelled["text_done"]) == (0, 0)
        await client.send("open", ctx=1, voice="slow", text="再见。", end=True)
        load.opened.set()
        messages = await client.until("done", 1)
        assert [message["text"] for message in messages if message["type"] == "sentence"] == ["再见。"]
        assert audio_of(messages)


async def test_a_connection_ends_while_its_voice_is_loaded(library: VoiceLibrary, load: GatedLoad) -> None:
    async with running(library=library) as server:
        async with server.client() as client:
            await client.send("open", ctx=1, voice="slow", text="你好。", end=True)
            await client.speaks(2)
        await server.no_connections()
        load.opened.set()


async def test_a_voice_that_turns_out_broken_is_refused_with_the_reason(
    library: VoiceLibrary, load: GatedLoad
) -> None:
    load.error = VoiceBundleError("bad graph")
    load.opened.set()
    async with running(library=library) as server, server.client() as client:
        for ctx in (1, 2):  # while it is loaded, and after
            await client.send("open", ctx=ctx, voice="slow", text="你好。", end=True)
            error = await client.expect("error", ctx)
            assert error["code"] == "unknown_voice"
            assert error["message"] == "voice 'slow' cannot be used: bad graph; known: fast"
        await client.speaks(3)
        _, body = await ask(server, "GET", "/v1/voices")
    assert body["broken"]["slow"] == "bad graph"
