from __future__ import annotations

from server.config import AuthConfig, ServerConfig
from tests.server.harness import ask, limits, running


async def test_the_load_is_told() -> None:
    async with running() as server, server.client() as client:
        await client.speaks()
        status, load = await ask(server, "GET", "/v1/load")
        assert status == 200
        assert load["admission"]["admitted"] == 1
        assert load["admission"]["streams"] == load["admission"]["chars"] == 0
        assert load["scheduler"]["finished"] > 0
        assert load["scheduler"]["rows"] >= load["scheduler"]["calls"] > 0
        assert load["cost_per_audio_s"]["fake"] > 0.0
        assert set(load["loop_lag"]) == {"p50_ms", "p99_ms", "max_ms"}
        assert load["connections"] == 1
        assert load["cpu_s"] > 0.0
        assert load["memory_mb"] is None or 1.0 < load["memory_mb"] <= load["peak_memory_mb"]


async def test_the_load_needs_the_token() -> None:
    config = ServerConfig(auth=AuthConfig(tokens=("secret",)), limits=limits().limits)
    async with running(config) as server:
        assert (await ask(server, "GET", "/v1/load"))[0] == 401
        headers = {"Authorization": "Bearer secret"}
        assert (await ask(server, "GET", "/v1/load", headers=headers))[0] == 200
