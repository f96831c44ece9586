"""The cache of spoken segments over real sockets: what a client notices of it, and what HTTP tells."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from server.config import AuthConfig, CacheConfig, PhraseConfig, ServerConfig
from server.segment_store import open_store
from streaming.engines.fake import FakeEngine
from streaming.errors import ConfigError
from streaming.voices import VoiceLibrary
from tests.server.harness import SUBPROTOCOLS, Gate, Message, RawClient, Server, ask, audio_of, running
from tests.streaming.doubles import load_fake, write_bundle

FROM_CACHE = 16  # flag of an audio frame
TEXT = "你好，欢迎使用语音合成服务。今天天气很好！"
both = pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)


async def spoken(client: RawClient, ctx: int, **fields: Any) -> list[Message]:
    await client.send("open", ctx=ctx, end=True, **{"text": TEXT, **fields})
    return await client.until("done", ctx)


def pcm(messages: list[Message]) -> bytes:
    return b"".join(message["pcm"] for message in audio_of(messages))


def without_context(messages: list[Message], kind: str) -> list[Message]:
    return [{**message, "ctx": 0} for message in messages if message["type"] == kind]


@both
async def test_the_second_answer_comes_from_the_cache_and_is_the_same(subprotocol: str) -> None:
    async with running(ServerConfig()) as server, server.client(subprotocol) as client:
        first, second = [await spoken(client, ctx, words=True) for ctx in (1, 2)]
    assert pcm(second) == pcm(first) != b""
    for kind in ("sentence", "words"):
        assert without_context(second, kind) == without_context(first, kind) != []
    assert (first[-1]["cached"], second[-1]["cached"]) == (False, True)
    assert {message["flags"] & FROM_CACHE for message in audio_of(first)} == {0}
    assert {message["flags"] & FROM_CACHE for message in audio_of(second)} == {FROM_CACHE}
    stages = second[-1]["stages"]
    assert (stages["frontend_ms"], stages["decoder_ms"], stages["vocoder_ms"]) == (0.0, 0.0, 0.0)


async def test_the_cache_is_shared_by_connections_and_by_all_output_formats() -> None:
    async with running(ServerConfig()) as server:
        async with server.client() as client:
            expected = pcm(await spoken(client, 1, rate=8000))
            other = await spoken(client, 2, rate=24000, format="pcm_f32le")
        async with server.client() as client:
            again = await spoken(client, 1, rate=8000)
    assert pcm(again) == expected
    assert other[-1]["cached"]
    assert again[-1]["cached"]


async def test_two_clients_at_once_cost_one_synthesis() -> None:
    gate = Gate(at_call=8)
    engine = FakeEngine(before_call=gate)
    async with running(ServerConfig(), engine) as server, server.client() as one, server.client() as two:
        asking = [asyncio.create_task(spoken(client, 1)) for client in (one, two)]
        await asyncio.to_thread(gate.reached.wait, 30)
        gate.opened.set()
        first, second = await asyncio.gather(*asking)
    assert pcm(first) == pcm(second)
    assert engine.calls.count("encoder") == first[-1]["sentences"]


async def test_a_cancel_does_not_take_the_audio_from_the_other_client() -> None:
    gate = Gate(at_call=8)
    engine = FakeEngine(before_call=gate)
    async with running(ServerConfig(), engine) as server, server.client() as one, server.client() as two:
        await one.send("open", ctx=1, text=TEXT, end=True)
        await asyncio.to_thread(gate.reached.wait, 30)
        listening = asyncio.create_task(spoken(two, 1))
        while (await ask(server, "GET", "/v1/cache"))[1]["shared"] == 0:
            pass
        await one.send("cancel", ctx=1)
        await one.expect("cancelled", 1)
        gate.opened.set()
        heard = await listening
        assert heard[-1]["samples"] > 0
        again = await spoken(one, 2)
    assert pcm(again) == pcm(heard)
    assert again[-1]["cached"]


async def test_without_memory_nothing_is_cached() -> None:
    async with running(ServerConfig(cache=CacheConfig(memory_mb=0))) as server, server.client() as client:
        for ctx in (1, 2):
            assert not (await spoken(client, ctx))[-1]["cached"]
        _, found = await ask(server, "GET", "/v1/cache")
    assert (found["limit_bytes"], found["entries"], found["hits"]) == (0, 0, 0)


async def test_a_reloaded_voice_is_heard_as_it_is_now(tmp_path: Path) -> None:
    write_bundle(tmp_path, "fast")
    library = VoiceLibrary([tmp_path], load=load_fake)
    library.get("fast")
    async with running(ServerConfig(), library=library) as server, server.client() as client:
        await spoken(client, 1)
        write_bundle(tmp_path, "fast", block_frames=(5, 9))
        assert (await ask(server, "POST", "/v1/voices/reload"))[1]["changed"] == ["fast"]
        assert not (await spoken(client, 2))[-1]["cached"]


async def test_the_statistics_add_up_and_clearing_forgets() -> None:
    async with running(ServerConfig()) as server, server.client() as client:
        sentences = (await spoken(client, 1))[-1]["sentences"]
        await spoken(client, 2)
        status, found = await ask(server, "GET", "/v1/cache")
        assert status == 200
        assert found["used_bytes"] > 0
        assert found == {
            "hits": sentences,
            "store_hits": 0,
            "shared": 0,
            "misses": sentences,
            "evictions": 0,
            "entries": sentences,
            "filling": 0,
            "used_bytes": found["used_bytes"],
            "limit_bytes": 256_000_000,
            "finishing": 0,
            "disk": None,
        }
        assert await ask(server, "POST", "/v1/cache/clear?voice=nobody") == (200, {"cleared": 0})
        assert await ask(server, "POST", "/v1/cache/clear?voice=fake") == (200, {"cleared": sentences})
        assert not (await spoken(client, 3))[-1]["cached"]
        assert await ask(server, "POST", "/v1/cache/clear") == (200, {"cleared": sentences})
        assert (await ask(server, "GET", "/v1/cache"))[1]["used_bytes"] == 0


async def test_the_cache_needs_the_token_and_the_right_method() -> None:
    config = ServerConfig(auth=AuthConfig(tokens=("right",)))  # type: ignore[arg-type]
    right = {"Authorization": "Bearer right"}
    async with running(config) as server:
        for method, path in (("GET", "/v1/cache"), ("POST", "/v1/cache/clear")):
            status, body = await ask(server, method, path)
            assert (status, body["error"]["code"]) == (401, "unauthorized")
            assert (await ask(server, method, path, headers=right))[0] == 200
        assert (await ask(server, "GET", "/v1/cache/clear", headers=right))[0] == 405


async def warm(server: Server, n_entries: int) -> None:
    while server.backend.cache.statistics().entries < n_entries:  # noqa: ASYNC110 -- nothing tells
        await asyncio.sleep(0)


async def test_phrases_of_the_configuration_are_spoken_in_idle_time_and_then_cost_nothing() -> None:
    phrases = ("好的，您请说。", "あ", "再见。")  # the second cannot be pronounced
    config = ServerConfig(cache=CacheConfig(warm_up=phrases))
    async with running(config) as server, server.client() as client:
        await warm(server, 2)
        n_calls = len(server.engine.calls)
        await client.send("open", ctx=1, text="好的，您请说。", end=True)
        assert (await client.expect("done", 1))["cached"]
        assert len(server.engine.calls) == n_calls


async def test_a_phrase_may_name_its_voice_and_style_and_what_is_wrong_with_it_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("fast", "slow"):
        write_bundle(tmp_path, name)
    phrases = (
        PhraseConfig(text="好的。", voice="nobody"),
        PhraseConfig(text="好的。", speed=9.0),
        PhraseConfig(text="好的。", voice="slow", speed=0.5),
    )
    config = ServerConfig(cache=CacheConfig(warm_up=phrases))
    library = VoiceLibrary([tmp_path], load=load_fake)
    async with running(config, library=library) as server, server.client() as client:
        await warm(server, 1)
        for ctx, (voice, speed, cached) in enumerate([("slow", 0.5, True), ("fast", 0.5, False)], 1):
            await client.send("open", ctx=ctx, text="好的。", voice=voice, speed=speed, end=True)
            assert (await client.expect("done", ctx))["cached"] == cached
    assert "'nobody'" in caplog.text
    assert "speed" in caplog.text


async def test_after_a_reload_the_phrases_are_spoken_again(tmp_path: Path) -> None:
    write_bundle(tmp_path, "fast")
    config = ServerConfig(cache=CacheConfig(warm_up=("好的。",)))
    library = VoiceLibrary([tmp_path], load=load_fake)
    async with running(config, library=library) as server, server.client() as client:
        await warm(server, 1)
        write_bundle(tmp_path, "fast", block_frames=(5, 9))
        assert (await ask(server, "POST", "/v1/voices/reload"))[1]["changed"] == ["fast"]
        await warm(server, 2)
        await client.send("open", ctx=1, text="好的。", end=True)
        assert (await client.expect("done", 1))["cached"]


async def test_what_was_spoken_survives_a_restart(tmp_path: Path) -> None:
    config = ServerConfig(cache=CacheConfig(disk_mb=10, folder=tmp_path / "segments"))
    async with running(config) as server, server.client() as client:
        first = await spoken(client, 1, words=True)
    async with running(config) as server, server.client() as client:
        second = await spoken(client, 1, words=True)
        found = (await ask(server, "GET", "/v1/cache"))[1]
        assert server.engine.calls == []
        sentences = first[-1]["sentences"]
        assert (found["store_hits"], found["misses"], found["entries"]) == (sentences, 0, sentences)
        assert found["disk"] == {
            "entries": sentences,
            "used_bytes": found["disk"]["used_bytes"],
            "limit_bytes": 10_000_000,
            "unwritten": 0,
            "unread": 0,
        }
        assert await ask(server, "POST", "/v1/cache/clear") == (200, {"cleared": sentences})
    assert pcm(second) == pcm(first) != b""
    for kind in ("sentence", "words"):
        assert without_context(second, kind) == without_context(first, kind) != []
    assert second[-1]["cached"]
    async with running(config) as server, server.client() as client:
        assert not (await spoken(client, 1))[-1]["cached"]


async def test_a_voice_that_has_changed_is_not_heard_from_the_disk_as_it_was(tmp_path: Path) -> None:
    config = ServerConfig(cache=CacheConfig(disk_mb=10, folder=tmp_path / "segments"))
    for block_frames, cached in (((4, 8), False), ((4, 8), True), ((5, 9), False)):
        write_bundle(tmp_path / "voices", "fast", block_frames=block_frames)
        library = VoiceLibrary([tmp_path / "voices"], load=load_fake)
        async with running(config, library=library) as server, server.client() as client:
            assert (await spoken(client, 1))[-1]["cached"] == cached


async def test_a_folder_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_bytes(b"no database" * 1000)
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "file"):
        with pytest.raises(ConfigError, match=re.escape(f"cache.folder: {folder} cannot be used")):
            open_store(CacheConfig(disk_mb=1, folder=folder))


async def test_a_disk_without_its_library_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "diskcache", None)
    monkeypatch.delitem(sys.modules, "streaming.scheduling.store", raising=False)
    with pytest.raises(
        ConfigError, match=re.escape("diskcache is not installed; pip install 'zhiyin[disk]'")
    ):
        open_store(CacheConfig(disk_mb=1, folder=tmp_path))


def test_a_disk_needs_memory() -> None:
    with pytest.raises(ValidationError, match="disk_mb needs a memory_mb above 0"):
        CacheConfig(memory_mb=0, disk_mb=1)


async def test_a_cancelled_sentence_is_finished_for_the_next_if_that_is_wanted() -> None:
    config = ServerConfig(cache=CacheConfig(on_cancel="finish"))
    async with running(config) as server, server.client() as client:
        await client.send("open", ctx=1, text=TEXT, end=True, window_ms=200)
        await client.until("audio", 1)
        await client.send("cancel", ctx=1)
        await client.expect("cancelled", 1)
        while (await ask(server, "GET", "/v1/cache"))[1]["finishing"]:
            pass
        n_encoders = server.engine.calls.count("encoder")
        again = await spoken(client, 2)
        assert server.engine.calls.count("encoder") - n_encoders == again[-1]["sentences"] - 1
