"""What a server offers, asked of the real one with the fake voice."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from clients.demo.voices import DemoError, fetch_voices, voices_url
from server.config import AuthConfig
from streaming.voices import VoiceLibrary
from tests.server.harness import limits, running
from tests.streaming.doubles import load_fake, write_bundle


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://127.0.0.1:8080/v1/stream", "http://127.0.0.1:8080/v1/voices"),
        ("wss://a.example/tts/v1/stream?x=1", "https://a.example/tts/v1/voices"),
    ],
)
def test_voices_are_listed_beside_the_stream(url: str, expected: str) -> None:
    assert voices_url(url) == expected


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/v1/stream", "ws://127.0.0.1:8080/", "nonsense"])
async def test_another_url_is_refused_with_the_right_one(url: str) -> None:
    with pytest.raises(DemoError, match="ws://HOST:PORT/v1/stream"):
        await fetch_voices(url, None)


async def test_a_voice_tells_what_can_be_chosen() -> None:
    async with running() as server:
        [voice] = await fetch_voices(server.url, None)
    assert (voice.name, voice.speakers) == ("fake", ("sine", "low-sine"))
    assert voice.emotions == ("neutral", "happy", "sad")
    assert voice.controls["speed"] == (0.5, 2.0)
    assert voice.honours("emotion_intensity")
    assert not voice.honours("loudness")


async def test_the_default_voice_comes_first(tmp_path: Path) -> None:
    for name in ("anna", "berta", "clara"):
        write_bundle(tmp_path, name)
    library = VoiceLibrary((tmp_path,), load=load_fake, default="berta")
    async with running(library=library) as server:
        voices = await fetch_voices(server.url, None)
    assert [voice.name for voice in voices] == ["berta", "anna", "clara"]


async def test_a_token_is_asked_for_and_sent() -> None:
    config = limits().model_copy(update={"auth": AuthConfig(tokens=("secret",))})
    async with running(config) as server:
        with pytest.raises(DemoError, match="wants a token"):
            await fetch_voices(server.url, None)
        assert await fetch_voices(server.url, "secret")


async def test_no_server_is_said_with_what_to_do(unused_tcp_port: int) -> None:
    with pytest.raises(DemoError, match=r"no server answers at ws://.* zhiyin serve"):
        await fetch_voices(f"ws://127.0.0.1:{unused_tcp_port}/v1/stream", None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (web.json_response({"voices": [], "broken": {}}), "no voice"),
        (web.json_response({"voices": [{"name": "a"}]}), "cannot read the voices"),
        (web.Response(text="hello"), "cannot read the voices"),
        (web.Response(status=404), "answers 404; is this a Zhiyin server"),
    ],
)
async def test_another_server_is_told_from_ours(answer: web.Response, expected: str) -> None:
    async def answers(request: web.Request) -> web.Response:
        return answer

    app = web.Application()
    app.router.add_get("/v1/voices", answers)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        with pytest.raises(DemoError, match=expected):
            await fetch_voices(f"ws://127.0.0.1:{runner.addresses[0][1]}/v1/stream", None)
    finally:
        await runner.cleanup()
