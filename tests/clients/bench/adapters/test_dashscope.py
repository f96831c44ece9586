"""The DashScope adapter against a small server of its protocol."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from clients.bench.adapters.adapter import FailedError, RefusedError, Request, Token, UnreachableError
from clients.bench.adapters.dashscope import DashScopeSettings, dashscope_connect
from clients.bench.adapters.lines import LineAdapter

Answer = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


async def event(socket: ServerConnection, name: str, message: dict[str, Any], **more: str) -> None:
    header = {"task_id": message["header"]["task_id"], "event": name, "attributes": {}, **more}
    await socket.send(json.dumps({"header": header, "payload": {}}))


async def speak(socket: ServerConnection, message: dict[str, Any]) -> None:
    """Start the task, answer each text with itself, finish the task."""
    match message["header"]["action"]:
        case "run-task":
            await event(socket, "task-started", message)
        case "continue-task":
            await event(socket, "result-generated", message)
            await socket.send(message["payload"]["input"]["text"].encode())
        case "finish-task":
            await event(socket, "task-finished", message)


@asynccontextmanager
async def talking(answer: Answer, token: str | None = None) -> AsyncIterator[tuple[LineAdapter, list[Any]]]:
    """An adapter, and what its server receives."""
    received: list[Any] = []

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        received.append(socket.request.headers["Authorization"])
        async for text in socket:
            received.append(json.loads(text))
            await answer(socket, received[-1])

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/api-ws/v1/inference"
        settings = DashScopeSettings(url, token, "cosyvoice-v2", "longxiaochun_v2", 24000, 5.0)
        adapter = LineAdapter(dashscope_connect(settings), 24000, time.perf_counter)
        try:
            yield adapter, received
        finally:
            await adapter.close()


async def audio_of(adapter: LineAdapter, request: Request) -> bytes:
    stream, audio = await adapter.start(request), b""
    while (chunk := await stream.next()) is not None:
        audio += chunk.pcm
    return audio


async def test_a_task_is_run_continued_and_finished_as_the_sdk_does() -> None:
    async with talking(speak, token="secret") as (adapter, received):
        assert await audio_of(adapter, Request("text")) == b"text"
        authorization = received[0]
        run, go_on, finish = [message for message in received if isinstance(message, dict)]
    assert authorization == "Bearer secret"
    headers = [message["header"] for message in (run, go_on, finish)]
    assert [header["action"] for header in headers] == ["run-task", "continue-task", "finish-task"]
    assert len({header["task_id"] for header in headers}) == 1
    assert {header["streaming"] for header in headers} == {"duplex"}
    assert run["payload"]["input"] == {}
    assert run["payload"]["model"] == "cosyvoice-v2"
    assert run["payload"]["parameters"]["format"] == "pcm"
    assert go_on["payload"] == {"input": {"text": "text"}}


async def test_tasks_follow_one_another_on_a_socket() -> None:
    async with talking(speak) as (adapter, received):
        for _ in range(3):
            assert await audio_of(adapter, Request("text")) == b"text"
    ids = [m["header"]["task_id"] for m in received if isinstance(m, dict)]
    assert len(ids) == 9
    assert len(set(ids)) == 3


async def test_text_in_tokens_continues_the_task() -> None:
    async with talking(speak) as (adapter, _):
        tokens = (Token("ab", 0.0), Token("cd", 0.001), Token("ef", 0.002))
        assert await audio_of(adapter, Request("abcdef", tokens, time.perf_counter())) == b"abcdef"


async def test_barging_in_waits_for_the_acknowledgement_and_keeps_the_socket() -> None:
    async def late(socket: ServerConnection, message: dict[str, Any]) -> None:
        if message["header"]["action"] != "finish-task" or message["payload"]["input"]:
            await speak(socket, message)

    async with talking(late) as (adapter, received):
        stream = await adapter.start(Request("text"))
        assert await stream.next() is not None
        await stream.cancel()
        last = [message for message in received if isinstance(message, dict)][-1]
        assert last["payload"]["input"] == {"directive": "cancel"}
        assert stream._line.is_free


@pytest.mark.parametrize(
    ("code", "kind"), [("InvalidParameter", FailedError), ("Throttling.RateQuota", RefusedError)]
)
async def test_a_failed_task_keeps_its_code(code: str, kind: type[Exception]) -> None:
    async def fail(socket: ServerConnection, message: dict[str, Any]) -> None:
        await event(socket, "task-failed", message, error_code=code, error_message="no")

    async with talking(fail) as (adapter, _):
        with pytest.raises(kind) as caught:
            await audio_of(adapter, Request("text"))
        assert caught.value.code == code  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "code"), [("{}", "protocol"), ("no", "protocol"), (None, "connection_lost")]
)
async def test_garbage_and_a_lost_connection_are_failures(answer: str | None, code: str) -> None:
    async def misbehave(socket: ServerConnection, message: dict[str, Any]) -> None:
        await (socket.close() if answer is None else socket.send(answer))

    async with talking(misbehave) as (adapter, _):
        with pytest.raises(FailedError) as caught:
            await audio_of(adapter, Request("text"))
        assert caught.value.code == code


async def test_a_handshake_that_fails_is_said() -> None:
    async with serve(lambda _: None, "127.0.0.1", 0, process_request=refuse) as server:  # type: ignore[arg-type]
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        settings = DashScopeSettings(url, None, "m", "v", 24000, 5.0)
        with pytest.raises(UnreachableError, match="404"):
            await LineAdapter(dashscope_connect(settings), 24000, time.perf_counter).open()


def refuse(socket: ServerConnection, request: object) -> object:
    return socket.respond(404, "not here")
