from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from server.config import AuthConfig, ServerConfig
from server.reload_command import RELOAD_PATH, reload_voices
from server.voices_endpoint import RELOAD_PATH as SERVED_PATH
from streaming.errors import ConfigError
from streaming.voices import VoiceLibrary
from tests.server.harness import running
from tests.streaming.doubles import load_fake, write_bundle


def test_the_command_and_the_server_mean_the_same_place() -> None:
    assert RELOAD_PATH == SERVED_PATH


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "ws://127.0.0.1:{port}/v1/stream?token=x"])
async def test_the_news_are_told_a_line_per_kind(tmp_path: Path, url: str) -> None:
    write_bundle(tmp_path, "a")
    library = VoiceLibrary([tmp_path], load=load_fake)
    async with running(library=library) as server:
        address = url.format(port=server.port)
        assert await asyncio.to_thread(reload_voices, address, "") == "nothing has changed\n"
        write_bundle(tmp_path, "b")
        (write_bundle(tmp_path, "c") / "voice.yaml").write_text("format: 9\n")
        added, broken = (await asyncio.to_thread(reload_voices, address, "")).splitlines()
    assert added == "added: b, c"
    assert broken.startswith("! c: ")
    assert "format is 9" in broken


async def test_the_token_is_sent_and_a_wrong_one_is_the_servers_answer() -> None:
    config = ServerConfig(auth=AuthConfig(tokens=("right",)))  # type: ignore[arg-type]
    async with running(config) as server:
        address = f"http://127.0.0.1:{server.port}"
        assert await asyncio.to_thread(reload_voices, address, "right") == "nothing has changed\n"
        with pytest.raises(ConfigError, match="the token is not valid"):
            await asyncio.to_thread(reload_voices, address, "wrong")


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://host", "http://", ""])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="allowed: http://HOST:PORT"):
        reload_voices(url, "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:port"])
def test_no_server_is_said(url: str) -> None:
    with pytest.raises(ConfigError, match=f"no server answers at {url}/v1/voices/reload: "):
        reload_voices(url, "")


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=404, text="not here"),
        web.Response(status=400, text='["odd"]'),
        web.Response(text="hello"),
        web.Response(text="{}"),
        web.Response(text="[]"),
    ],
)
async def test_another_kind_of_server_is_told_apart(answer: web.Response) -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        return answer

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        with pytest.raises(ConfigError, match="does not answer as a zhiyin server does"):
            await asyncio.to_thread(reload_voices, f"http://127.0.0.1:{runner.addresses[0][1]}", "")
    finally:
        await runner.cleanup()
