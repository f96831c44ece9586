from __future__ import annotations

import asyncio
import json

import pytest
from websockets.exceptions import InvalidStatus

from tests.server.dashscope.client import INFERENCE, dashscope_client, maps
from tests.server.harness import limits, running

REALTIME = "/api-ws/v1/realtime?model=qwen3-tts-flash-realtime"


async def test_refusals_are_bounded_over_all_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.dashscope.refusals.MAX_REFUSALS", 2)
    async with running(limits(requests=1)) as server, dashscope_client(server):
        async with dashscope_client(server) as first, dashscope_client(server):
            for path in (INFERENCE, REALTIME):
                with pytest.raises(InvalidStatus) as refusal:
                    async with dashscope_client(server, path):
                        pass
                response = refusal.value.response
                assert response.status_code == 429
                assert response.headers["Retry-After"]
                fields = json.loads(response.body)
                assert set(fields) == {"code", "message", "request_id"}
                assert fields["code"] == "Throttling.RateQuota"
            await first.run("a")
            assert maps((await first.rest())[0], "task-failed")
        async with dashscope_client(server) as again:  # there is room for refusals once more
            await again.run("b")
            assert maps((await again.rest())[0], "task-failed")


async def test_shutdown_does_not_wait_for_those_who_are_refused() -> None:
    async with (
        running(limits(requests=1, drain_s=20)) as server,
        dashscope_client(server) as inside,
        dashscope_client(server) as refused,
    ):
        await inside.speaks()
        async with asyncio.timeout(5):
            await server.backend.door.close(20)
            assert await refused.rest() == ([], 1001)
        with pytest.raises(InvalidStatus) as refusal:
            async with dashscope_client(server):
                pass
        assert json.loads(refusal.value.response.body)["message"] == "the server is shutting down"
