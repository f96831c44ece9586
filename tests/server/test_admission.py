"""Admission as a client meets it. What it decides is in tests/streaming/scheduling/test_admission.py."""

from __future__ import annotations

import asyncio
from typing import Any

from server.config import AdmissionConfig, AuthConfig, ServerConfig
from tests.server.harness import LONG_TEXT, Server, ask, limits, running
from tests.streaming.doubles import at_rest


def config(**admission: Any) -> ServerConfig:
    base = limits()
    return ServerConfig(
        limits=base.limits, cache=base.cache, workers=base.workers, admission=AdmissionConfig(**admission)
    )


def fill(server: Server) -> None:
    """Make the voice so expensive that one stream is too much."""
    capacity = server.backend.admission.capacity
    capacity.note_block("fake", 1000.0, 1.0, first=True)


async def test_a_request_that_would_make_others_stutter_is_refused_and_the_connection_lives_on() -> None:
    async with running(config()) as server, server.client() as client:
        fill(server)
        await client.send("open", ctx=1, text=LONG_TEXT, end=True)
        error = await client.expect("error", 1)
        assert error["code"] == "overloaded"
        assert 100 <= error["retry_after_ms"] <= 10_000
        server.backend.admission.capacity.voice("fake").cpu_s = 0.0
        server.backend.admission.capacity.voice("fake").first_block_s = 0.0
        await client.speaks()


async def test_a_request_that_may_wait_is_refused_when_it_has_waited() -> None:
    async with running(config(policy="queue", queue_s=0.01)) as server, server.client() as client:
        fill(server)
        await client.send("open", ctx=1, text="你好。", end=True)
        assert (await client.expect("error", 1))["code"] == "overloaded"


async def test_what_waits_to_be_let_in_can_be_cancelled() -> None:
    async with running(config(policy="queue", queue_s=60)) as server, server.client() as client:
        fill(server)
        await client.send("open", ctx=1, text="你好。", end=True)
        await client.send("cancel", ctx=1)
        assert (await client.expect("cancelled", 1))["samples"] == 0
        assert (await ask(server, "GET", "/v1/load"))[1]["admission"]["queued"] == 0


async def test_everybody_is_let_in_when_admission_is_off() -> None:
    async with running(config(policy="off")) as server, server.client() as client:
        fill(server)
        await client.speaks()


async def test_text_of_all_utterances_together_is_bounded() -> None:
    async with running(limits(chars_in_all=20)) as server, server.client() as client:
        await client.send("open", ctx=1, text="这里有十二个字在等着说")
        await client.send("open", ctx=2, text="这里也有十二个字在等着")
        error = await client.expect("error", 2)
        assert error["code"] == "overloaded"
        assert "characters wait to be spoken; the limit is 20" in error["message"]
        await client.send("cancel", ctx=1)
        await client.expect("cancelled", 1)
        await client.speaks()


async def test_a_key_has_its_own_account() -> None:
    keys = ({"token": "a", "name": "web", "weight": 2.0}, "b")
    base = limits()
    config = ServerConfig(limits=base.limits, cache=base.cache, auth=AuthConfig(tokens=keys))  # type: ignore[arg-type]
    async with running(config) as server:
        for token in ("a", "b"):
            async with server.client(query=f"?token={token}") as client:
                await client.speaks()
        served = {name: tenant.served_s for name, tenant in server.backend._tenants.items()}
        assert set(served) == {"web", "key 2"}
        assert all(seconds > 0.0 for seconds in served.values())
        assert server.backend._tenants["web"].weight == 2.0


async def test_clients_that_are_killed_leave_nothing_behind() -> None:
    """Half of the clients are cut off in the middle of their speech, fifty times."""
    async with running() as server:
        backend = server.backend
        for _ in range(50):
            async with server.client() as one, server.client() as two:
                for client in (one, two):
                    await client.send("open", ctx=1, text=LONG_TEXT)
                    await client.expect("audio", 1)
                one.socket.transport.abort()
                while server.native.n_connections > 1:  # noqa: ASYNC110 -- nothing tells
                    await asyncio.sleep(0)
                assert backend.admission.statistics().streams == 1
                assert backend.admission.statistics().chars <= len(LONG_TEXT)
        await server.no_connections()
        await at_rest(backend.scheduler)
        assert backend.scheduler.statistics().waiting == 0
        assert backend.admission.statistics().streams == backend.admission.statistics().chars == 0
        assert backend.cache.statistics().filling == 0
