"""Records and reports by hand, servers that misbehave, and the command with short texts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from clients.bench import command
from clients.bench.adapters.adapter import Receipt
from clients.bench.level import LevelRun, Window
from clients.bench.record import Outcome, Record

SHORT_TEXTS = "# short\n\n你好{编号}。\n再见{编号}。\n谢谢{编号}。\n"
LONG_TEXT = "今天天气很好我们去公园散步吧。" * 40  # minutes of speech
READY = {
    "type": "ready", "version": "9.9", "voices": ["a"], "rates": [24000], "formats": ["pcm_s16le"],
    "max_ctx": 16, "max_chars": 4000,
}  # fmt: skip


def record(number: int = 0, outcome: Outcome = "ok", **fields: Any) -> Record:
    """An utterance of 2 s that was due at `number` seconds and spoke after 100 ms."""
    base = Record(
        target="a",
        level=0,
        number=number,
        scheduled_s=float(number),
        sent_s=number + 0.001,
        first_s=number + 0.1,
        end_s=number + 1.0,
        playback_end_s=number + 2.1,
        connect_ms=0.0,
        chars=9,
        audio_ms=2000.0,
        ttfc_ms=100.0,
        audible_ttfc_ms=110.0,
        stream_ms=500.0,
        gaps_ms=(),
        outcome=outcome,
        receipt=Receipt(99.0, 109.0, 1.0, 0.25, False),
    )
    return replace(base, **fields)


def refused(number: int, **fields: Any) -> Record:
    silence: dict[str, Any] = {
        "ttfc_ms": None, "audible_ttfc_ms": None, "first_s": None, "playback_end_s": None, "audio_ms": 0.0,
        "stream_ms": 0.0, "receipt": None, "end_s": number + 0.02, "code": "overloaded",
        "retry_after_ms": 500,
    }  # fmt: skip
    return record(number, **{"outcome": "refused", **silence, **fields})


def failed(number: int, code: str, **fields: Any) -> Record:
    return refused(number, **{"outcome": "error", "code": code, "retry_after_ms": None, **fields})


def run_of(*records: Record, window: Window | None = None) -> LevelRun:
    return LevelRun("a", 0, window or Window(0.0, 10.0), records, (0.1,), 0.05, False)


def texts_file(folder: Path, text: str = SHORT_TEXTS) -> str:
    path = folder / "texts.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)


async def bench(*arguments: str) -> int:
    """Run the command, in a thread of its own as a process would."""
    return await asyncio.to_thread(command.main, arguments)


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The last line that was printed."""
    found: dict[str, Any] = json.loads(capsys.readouterr().out.rstrip("\n").rpartition("\n")[2])
    return found


def measured(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [level for level in report["levels"] if level["purpose"] != "idle"]


@asynccontextmanager
async def native_server(answer: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """A server of the native protocol that is ready, and then does what the test says."""

    async def handle(socket: ServerConnection) -> None:
        await socket.send(b"\x00" + msgpack.packb(READY))
        await answer(socket)

    async with serve(
        handle, "127.0.0.1", 0, subprotocols=[Subprotocol("tts.v1.msgpack")], compression=None
    ) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/stream"


async def silent(socket: ServerConnection) -> None:
    """Take everything, answer nothing."""
    async for _ in socket:
        pass


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def speech_server(handler: Handler) -> AsyncIterator[str]:
    """An OpenAI-style server."""
    app = web.Application()
    app.router.add_post("/v1/audio/speech", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/audio/speech"
    finally:
        await runner.cleanup()


async def pcm_answer(request: web.Request, *pieces: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "audio/pcm", "Server": "fake<tts>/1"})
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    await response.write_eof()
    return response
