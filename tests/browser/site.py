"""A real server on port 0 with what the browser tests add to it, and a proxy that is a bad network.

Output  addresses
State   the server; the proxy's connections
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from server.app import NATIVE, build_app
from server.backend import Backend, start_backend
from server.config import CacheConfig, LimitConfig, ServerConfig
from server.native import NativeEndpoint
from server.segment_store import open_store
from server.serving import shut_down
from streaming.engines.fake import FakeEngine
from streaming.scheduling.scheduler import Scheduler
from tests.server.harness import one_voice
from tests.streaming.doubles import fake_voice

STATIC = Path(__file__).parent / "static"


@dataclass
class Site:
    """A running server with the page."""

    port: int
    engine: FakeEngine
    native: NativeEndpoint

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def stream(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/stream"


def small_config(**values: Any) -> ServerConfig:
    """The default configuration with short goodbyes and a cache, as a server has it."""
    return ServerConfig(limits=LimitConfig(drain_s=0), cache=CacheConfig(memory_mb=64), **values)


@asynccontextmanager
async def serving(config: ServerConfig | None = None, *, is_real: bool = False) -> AsyncIterator[Site]:
    """Serve the fake voice, or the embedded one, and the tests' own scripts under /test/."""
    engine, config = FakeEngine(), config or small_config()
    if is_real:
        backend = await asyncio.to_thread(start_backend, config)
    else:
        backend = Backend(config, one_voice(fake_voice(engine)), Scheduler(2), open_store(config.cache))
    app = build_app(backend)
    app.router.add_static("/test/", STATIC)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Site(runner.addresses[0][1], engine, app[NATIVE])
    finally:
        await shut_down(runner)


# From the number of a piece of data from the server to the seconds that it is held back.
Pause = Callable[[int], float]


@dataclass
class Proxy:
    """Forwards TCP. What comes from the server passes in small pieces, each held back as `pause` says."""

    port: int = 0
    pause: Pause = lambda number: 0.0
    piece_bytes: int = 4096
    n_pieces: int = 0
    n_connections: int = 0
    is_open: bool = True
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Cut every connection, without a goodbye."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def accept(self, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_open:
            writer.transport.abort()
            return
        self.n_connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        self._writers |= {writer, far_writer}
        with suppress(OSError):
            await asyncio.gather(self._up(reader, far_writer), self._down(far_reader, writer))
        for end in (writer, far_writer):
            end.transport.abort()
            self._writers.discard(end)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(self.piece_bytes):
            self.n_pieces += 1
            await asyncio.sleep(self.pause(self.n_pieces))
            writer.write(data)
            await writer.drain()
        writer.write_eof()


def jitter(bytes_per_s: float, seed: int, piece_bytes: int = 4096) -> Pause:
    """A line of so many bytes per second on average, whose pieces take between nothing and twice their time."""
    source = random.Random(seed)
    return lambda number: source.uniform(0.0, 2.0) * piece_bytes / bytes_per_s


@asynccontextmanager
async def proxied(site: Site, pause: Pause = lambda number: 0.0) -> AsyncIterator[Proxy]:
    """Listen before `site`."""
    proxy = Proxy(pause=pause)

    def on_connection(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Coroutine[Any, Any, None]:
        return proxy.accept(site.port, reader, writer)

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
