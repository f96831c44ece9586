"""A model on a port of its own, and an ear that a test can hold shut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from clients.examples.fake_llm import FakeModel
from clients.examples.playhead import WrittenPlayhead
from clients.examples.turn import Ear
from clients.python.sinks import Sink


@asynccontextmanager
async def serving(model: FakeModel) -> AsyncIterator[str]:
    """Serve a model; yield its base URL."""
    runner = web.AppRunner(model.app(), access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def fast(*replies: str, **fields: object) -> FakeModel:
    return FakeModel(replies, token_s=0.0, first_token_s=0.0, **fields)  # type: ignore[arg-type]


@dataclass
class Recorder:
    """A sink that keeps what it is given. While it is shut, it takes one chunk and then listens to that."""

    is_shut: bool = False
    pcm: bytes = b""
    began: asyncio.Event = field(default_factory=asyncio.Event)
    endings: list[str] = field(default_factory=list)

    async def write(self, data: bytes, /) -> None:
        self.pcm += data
        self.began.set()
        if self.is_shut:
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.endings.append("closed")

    async def abort(self) -> None:
        self.endings.append("aborted")

    async def opened(self) -> Sink:
        return self

    def ear(self) -> Ear:
        return Ear(self.opened, WrittenPlayhead)
