from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from server.config import AuthConfig, ServerConfig
from tests.server.harness import Server, limits, running


async def get(server: Server, path: str, **options: Any) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
        is_json = response.content_type == "application/json"
        return response.status, await (response.json() if is_json else response.text())


async def test_health_tells_version_voices_and_connections() -> None:
    async with running() as server, server.client() as client:
        await client.receive()
        status, body = await get(server, "/healthz")
    assert status == 200
    assert (body["status"], body["voices"], body["broken_voices"]) == ("ok", ["fake"], [])
    assert body["connections"] == 1
    assert body["version"]
    assert body["uptime_s"] >= 0


async def test_voices_need_the_token_if_there_is_one() -> None:
    config = ServerConfig(auth=AuthConfig(tokens=("right",)))  # type: ignore[arg-type]
    async with running(config) as server:
        status, body = await get(server, "/v1/voices")
        assert (status, body["error"]["code"]) == (401, "unauthorized")
        assert (await get(server, "/v1/voices", headers={"Authorization": "Bearer right"}))[0] == 200
        assert (await get(server, "/healthz"))[0] == 200


async def test_the_front_page_says_what_to_try() -> None:
    async with running() as server:
        status, body = await get(server, "/")
    assert status == 200
    assert "zhiyin say" in body
    assert f"ws://127.0.0.1:{server.port}/v1/stream" in body
    assert "POST /v1/voices/reload" in body


async def test_ready_while_another_connection_would_be_taken() -> None:
    async with running(limits(connections=1)) as server:
        assert await get(server, "/readyz") == (200, {"status": "ready"})
        async with server.client() as client:
            await client.receive()
            assert await get(server, "/readyz") == (503, {"status": "full"})


@pytest.mark.parametrize("path", ["/v1/stream", "/nothing"])
async def test_wrong_requests_are_refused(path: str) -> None:
    async with running() as server:
        status, _ = await get(server, path)
    assert status in (400, 404)
