"""A real server on port 0 with the fake voice, and clients that see every frame."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgpack
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from server.app import NATIVE, WYOMING, build_app
from server.backend import Backend
from server.config import CacheConfig, LimitConfig, ServerConfig, WorkerConfig, WyomingConfig
from server.native import NativeEndpoint
from server.segment_store import open_store
from server.serving import shut_down
from streaming.engines.choice import Choice, EnginePlan
from streaming.engines.fake import FakeEngine
from streaming.loaded_voice import LoadedVoice
from streaming.scheduling.scheduler import Scheduler
from streaming.synthesis.engine import NetworkName
from streaming.voices import VoiceLibrary
from tests.streaming.doubles import fake_voice

FAKE = EnginePlan(Choice("fake"))
SUBPROTOCOLS = ("tts.v1.json", "tts.v1.msgpack")
LONG_TEXT = "今天天气很好我们去公园散步吧。" * 40  # minutes of speech
Message = dict[str, Any]


def one_voice(voice: LoadedVoice) -> VoiceLibrary:
    """The fake voice on an engine that the test holds in its hand, loaded."""
    library = VoiceLibrary((), plan=FAKE, load=lambda folder, plan: voice)
    library.get()
    return library


@dataclass
class Server:
    """A running server."""

    url: str
    port: int
    engine: FakeEngine
    native: NativeEndpoint
    runner: web.AppRunner
    backend: Backend
    wyoming_port: int | None = None

    async def no_connections(self) -> None:
        """Wait until every connection has ended, with all its tasks."""
        pending = list(self.native._connections.values())
        if pending:
            await asyncio.wait(pending)

    @asynccontextmanager
    async def client(
        self, subprotocol: str | None = SUBPROTOCOLS[0], query: str = "", **options: Any
    ) -> AsyncIterator[RawClient]:
        offered = None if subprotocol is None else [Subprotocol(subprotocol)]
        async with connect(
            self.url + query, subprotocols=offered, compression=None, proxy=None, **options
        ) as socket:
            yield RawClient(socket)


def limits(*, wyoming: bool = False, **values: Any) -> ServerConfig:
    """The default configuration with other limits; no draining unless asked for, no cache, no rest.

    LONG_TEXT is one sentence over and over: with the cache it would cost nothing. And nobody listens here: a
    stream that kept pace with a listener would take as long as its speech.
    """
    return ServerConfig(
        limits=LimitConfig(**{"drain_s": 0, **values}),
        cache=CacheConfig(memory_mb=0),
        workers=WorkerConfig(max_ahead_s=3600.0),
        wyoming=WyomingConfig(port=0 if wyoming else None),
    )


@asynccontextmanager
async def running(
    config: ServerConfig | None = None,
    engine: FakeEngine | None = None,
    n_threads: int = 2,
    library: VoiceLibrary | None = None,
) -> AsyncIterator[Server]:
    engine, config = engine or FakeEngine(), config or limits()
    library = library or one_voice(fake_voice(engine))
    backend = Backend(config, library, Scheduler(n_threads), open_store(config.cache))
    app = build_app(backend)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    if config.wyoming.port is not None:
        await app[WYOMING].listen("127.0.0.1", config.wyoming.port)
    try:
        yield Server(
            f"ws://127.0.0.1:{port}/v1/stream", port, engine, app[NATIVE], runner, backend, app[WYOMING].port
        )
    finally:
        if runner.server is not None:
            await shut_down(runner)


async def ask(server: Server, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Send an HTTP request; return the status and the JSON or text of the answer."""
    url = f"http://127.0.0.1:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as response:
        is_json = response.content_type == "application/json"
        return response.status, await (response.json() if is_json else response.text())


class RawClient:
    """Speaks the protocol frame by frame, with nothing of ours in between but `struct`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.is_json = socket.subprotocol != "tts.v1.msgpack"

    async def send(self, kind: str, **fields: Any) -> None:
        await self.send_map({"type": kind, **fields})

    async def send_map(self, fields: object) -> None:
        await self.socket.send(json.dumps(fields) if self.is_json else b"\x00" + msgpack.packb(fields))

    async def receive(self) -> Message:
        frame = await self.socket.recv()
        assert 0 < len(frame) <= 65536
        if isinstance(frame, str):
            assert self.is_json
            return json.loads(frame)  # type: ignore[no-any-return]
        if frame[0] == 0:
            assert not self.is_json
            return msgpack.unpackb(frame[1:])  # type: ignore[no-any-return]
        kind, flags, ctx, seq, sample, n_samples, sentence, meta = struct.unpack_from("<BBHIQIHH", frame)
        assert kind == 1
        return {
            "type": "audio", "flags": flags, "ctx": ctx, "seq": seq, "sample": sample, "n": n_samples,
            "sentence": sentence, "pcm": frame[24 + meta :],
        }  # fmt: skip

    async def until(self, kind: str, ctx: int | None = None) -> list[Message]:
        """Receive up to and including a message of this kind, of `ctx` if given."""
        received = []
        while True:
            received.append(await self.receive())
            if received[-1]["type"] == kind and ctx in (None, received[-1].get("ctx")):
                return received

    async def expect(self, kind: str, ctx: int | None = None) -> Message:
        return (await self.until(kind, ctx))[-1]

    async def closed(self) -> int | None:
        """Read to the end and return the close code."""
        try:
            while True:
                await self.socket.recv()
        except ConnectionClosed:
            return self.socket.close_code

    async def speaks(self, ctx: int = 999) -> None:
        """Assert that the connection still serves: a whole request goes through."""
        await self.send("open", ctx=ctx, text="好。", end=True)
        assert (await self.expect("done", ctx))["samples"] > 0


@dataclass
class Gate:
    """Stops engine calls in their worker thread until it is opened."""

    at_call: int = 1
    opened: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    n_calls: int = 0

    def __call__(self, network: NetworkName) -> None:
        self.n_calls += 1
        if self.n_calls == self.at_call:
            self.reached.set()
            assert self.opened.wait(30)


def audio_of(messages: list[Message], ctx: int | None = None) -> list[Message]:
    return [m for m in messages if m["type"] == "audio" and ctx in (None, m["ctx"])]


def kinds(messages: list[Message], drop: Callable[[Message], bool] = lambda m: False) -> list[str]:
    return [message["type"] for message in messages if not drop(message)]
