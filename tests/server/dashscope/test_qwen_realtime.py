"""Qwen-TTS's realtime socket event by event."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.config import AuthConfig
from streaming.engines.fake import FakeEngine
from tests.server.harness import LONG_TEXT, Gate, Server, limits, running

Event = dict[str, Any]
ANNOUNCED = ["response.created", "response.output_item.added", "response.content_part.added"]
ENDED = ["response.audio.done", "response.content_part.done", "response.output_item.done", "response.done"]


class RealtimeClient:
    """Speaks the protocol event by event."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"event_id": "e", "type": kind, **fields}))

    async def update(self, **session: Any) -> Event:
        await self.send("session.update", session={"voice": "Cherry", **session})
        return (await self.until("session.updated"))[-1]

    async def text(self, text: str) -> None:
        await self.send("input_text_buffer.append", text=text)

    async def until(self, kind: str) -> list[Event]:
        events: list[Event] = []
        while not events or events[-1]["type"] != kind:
            events.append(json.loads(await self.socket.recv()))
            assert events[-1]["event_id"]
        return events

    async def rest(self) -> tuple[list[Event], int | None]:
        events: list[Event] = []
        try:
            while True:
                events.append(json.loads(await self.socket.recv()))
        except ConnectionClosed:
            return events, self.socket.close_code


@asynccontextmanager
async def realtime(
    server: Server, model: str = "qwen3-tts-flash-realtime", **options: Any
) -> AsyncIterator[RealtimeClient]:
    url = f"ws://127.0.0.1:{server.port}/api-ws/v1/realtime?model={model}"
    async with connect(url, compression=None, proxy=None, **options) as socket:
        yield RealtimeClient(socket)


async def native(server: Server, text: str) -> bytes:
    async with server.client() as client:
        await client.send("open", ctx=1, text=text, end=True, rate=24000)
        return b"".join(m["pcm"] for m in await client.until("done") if m["type"] == "audio")


def audio_of(events: list[Event]) -> bytes:
    return b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.audio.delta")


def kinds(events: list[Event]) -> list[str]:
    """The types, a run of deltas as one."""
    names = [event["type"] for event in events]
    return [
        name
        for before, name in zip(["", *names], names, strict=False)
        if (before, name) != ("response.audio.delta", "response.audio.delta")
    ]


async def test_a_session_with_server_commit() -> None:
    async with running() as server, realtime(server) as client:
        (created,) = await client.until("session.created")
        assert created["session"]["model"] == "qwen3-tts-flash-realtime"
        assert {"id", "object", "mode", "voice", "response_format", "sample_rate"} <= set(created["session"])
        updated = await client.update(mode="server_commit", response_format="pcm", sample_rate=24000)
        assert updated["session"]["voice"] == "Cherry"
        for letter in "你好。再见。":
            await client.text(letter)
        await client.send("session.finish")
        events, close_code = await client.rest()
        assert kinds(events) == [*ANNOUNCED, "response.audio.delta", *ENDED, "session.finished"]
        assert audio_of(events) == await native(server, "你好。再见。")
        done = events[-2]["response"]
        assert (done["status"], done["usage"]) == ("completed", {"characters": 10})
        assert len({event.get("response_id", done["id"]) for event in events}) == 1
        assert close_code == 1000


async def test_a_commit_ends_a_response_and_text_begins_the_next() -> None:
    async with running() as server, realtime(server) as client:
        for text in ("你好", "再见"):
            await client.text(text)
            await client.send("input_text_buffer.commit")
            events = await client.until("response.done")
            assert "input_text_buffer.committed" in kinds(events)
            assert audio_of(events) == await native(server, text)


async def test_with_server_commit_text_without_an_end_is_spoken_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.dashscope.qwen_messages.SERVER_COMMIT_MS", 20)
    async with running() as server, realtime(server) as client:
        await client.text("你好")
        await client.until("response.audio.delta")


async def test_with_commit_only_a_commit_speaks() -> None:
    async with running() as server, realtime(server) as client:
        await client.until("session.created")
        await client.update(mode="commit")
        await client.text("不要说这个。")
        await client.send("input_text_buffer.clear")
        await client.text("你")
        await client.text("好。")
        await client.send("input_text_buffer.commit")
        await client.text("再见。")
        await client.send("session.finish")
        events, _ = await client.rest()
        one = [*ANNOUNCED, "response.audio.delta", *ENDED]
        assert kinds(events) == [
            "input_text_buffer.cleared",
            "input_text_buffer.committed",
            *one,
            *one,
            "session.finished",
        ]
        assert audio_of(events) == await native(server, "你好。") + await native(server, "再见。")


async def test_nothing_follows_a_cancelled_response() -> None:
    async with running() as server, realtime(server) as client:
        await client.text(LONG_TEXT)
        await client.until("response.audio.delta")
        await client.send("response.cancel")
        events = await client.until("response.done")
        assert events[-1]["response"]["status"] == "cancelled"
        cancelled = events[-1]["response"]["id"]
        await client.send("response.cancel")  # late: no error
        await client.text("好。")
        await client.send("session.finish")
        events, _ = await client.rest()
        assert kinds(events) == [*ANNOUNCED, "response.audio.delta", *ENDED, "session.finished"]
        assert cancelled not in json.dumps(events)
        assert audio_of(events) == await native(server, "好。")


async def test_a_cancel_after_the_finish_still_finishes_the_session() -> None:
    async with running() as server, realtime(server) as client:
        await client.text(LONG_TEXT)
        await client.send("session.finish")
        await client.until("response.audio.delta")
        await client.send("response.cancel")
        events, close_code = await client.rest()
        assert kinds(events)[-2:] == ["response.done", "session.finished"]
        assert close_code == 1000


async def test_a_finish_of_nothing_finishes_at_once() -> None:
    async with running() as server, realtime(server) as client:
        await client.send("session.finish")
        events, close_code = await client.rest()
        assert kinds(events) == ["session.created", "session.finished"]
        assert close_code == 1000


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"type": "dance"}, "InvalidParameter"),
        ({"type": "session.update", "session": {"voice": "nobody"}}, "InvalidParameter"),
        ({"type": "session.update", "session": {"response_format": "midi"}}, "InvalidParameter"),
        ({"type": "session.update", "session": {"speech_rate": 9}}, "InvalidParameter"),
        ({"type": "session.update", "session": {"mode": "other"}}, "InvalidParameter"),
        ({"type": "input_text_buffer.commit"}, "InvalidParameter"),
        ({"type": "input_text_buffer.append"}, "InvalidParameter"),
        ({"type": "input_text_buffer.append", "text": "好" * 30_000}, "InvalidParameter"),
        ({"type": "input_text_buffer.append", "text": "あ。" * 2}, "InvalidParameter"),
        ([], "InvalidParameter"),
    ],
    ids=range(10),
)
async def test_an_error_is_told_and_the_session_goes_on(sent: object, code: str) -> None:
    async with running(limits(message_bytes=10**6)) as server, realtime(server) as client:
        await client.socket.send(json.dumps(sent))
        error = (await client.until("error"))[-1]["error"]
        assert error["code"] == code
        assert error["message"]
        await client.text("好。")
        await client.send("session.finish")
        events, _ = await client.rest()
        assert events[-1]["type"] == "session.finished"
        assert audio_of(events) == await native(server, "好。")


async def test_a_failing_model_fails_the_response_and_no_more() -> None:
    async with running(engine=FakeEngine(fail_at={"vocoder": 1})) as server, realtime(server) as client:
        await client.update(mode="commit")
        await client.text("你好。")
        await client.send("input_text_buffer.commit")
        events = await client.until("response.done")
        assert kinds(events)[-2:] == ["error", "response.done"]
        assert events[-2]["error"] == {"code": "InternalError", "message": "synthesis failed"}
        assert events[-1]["response"]["status"] == "failed"
        await client.text("你好。")
        await client.send("input_text_buffer.commit")
        assert (await client.until("response.done"))[-1]["response"]["status"] == "completed"


async def test_responses_that_wait_are_bounded() -> None:
    gate = Gate()
    config = limits(contexts_per_connection=2)
    async with running(config, FakeEngine(before_call=gate)) as server, realtime(server) as client:
        await client.update(mode="commit")
        for _ in range(3):
            await client.text("好。")
            await client.send("input_text_buffer.commit")
        error = (await client.until("error"))[-1]["error"]
        assert error["code"] == "Throttling.RateQuota"
        gate.opened.set()
        await client.send("session.finish")
        events, _ = await client.rest()
        assert kinds(events).count("response.done") == 2


async def test_a_flood_of_malformed_messages_ends_the_session() -> None:
    async with running(limits(bad_messages=3)) as server, realtime(server) as client:
        for _ in range(3):
            await client.socket.send("x")
        events, _ = await client.rest()
        assert kinds(events) == ["session.created", "error", "error", "error"]


async def test_a_model_that_there_is_not_ends_the_session() -> None:
    async with running() as server:
        for model, code in (("no-such", "ModelNotFound"), ("", "InvalidParameter")):
            async with realtime(server, model) as client:
                events, close_code = await client.rest()
                assert [event["error"]["code"] for event in events] == [code]
                assert close_code == 1000


async def test_without_a_valid_key_the_handshake_is_refused() -> None:
    config = limits().model_copy(update={"auth": AuthConfig(tokens=("secret",))})  # type: ignore[arg-type]
    async with running(config) as server:
        with pytest.raises(InvalidStatus) as refusal:
            async with realtime(server):
                pass
        assert refusal.value.response.status_code == 401


async def test_a_full_server_says_so() -> None:
    async with running(limits(requests=1)) as server, realtime(server), realtime(server) as client:
        events, _ = await client.rest()
        assert [event["error"]["code"] for event in events] == ["Throttling.RateQuota"]


async def test_a_fault_of_ours_on_a_message_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with running() as server, realtime(server) as client:
        await client.text(LONG_TEXT)
        await client.until("response.audio.delta")
        monkeypatch.setattr("server.dashscope.qwen_realtime.Response.append", broken)
        await client.text("好。")
        events, close_code = await client.rest()
        assert [name for name in kinds(events) if "delta" not in name] == ["error", "response.done"]
        error = {"code": "InternalError", "message": "synthesis failed"}
        assert [event["error"] for event in events if event["type"] == "error"] == [error]
        assert close_code == 1000


async def test_a_fault_of_ours_at_the_beginning_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("server.dashscope.qwen_realtime.begin", broken)
    async with running() as server, realtime(server) as client:
        events, close_code = await client.rest()
        assert [event["error"]["code"] for event in events] == ["InternalError"]
        assert close_code == 1000


async def test_text_is_spoken_in_order_when_the_mode_is_changed() -> None:
    async with running() as server, realtime(server) as client:
        await client.update(mode="commit")
        await client.text("你好。")
        await client.update(mode="server_commit")
        await client.text("再见。")
        await client.send("session.finish")
        events, _ = await client.rest()
        assert audio_of(events) == await native(server, "你好。再见。")


async def test_an_idle_session_is_closed() -> None:
    async with running(limits(idle_s=0.05)) as server, realtime(server) as client:
        events, close_code = await client.rest()
        assert kinds(events) == ["session.created", "error"]
        assert events[-1]["error"]["code"] == "RequestTimeOut"
        assert close_code == 1000


async def test_a_client_that_leaves_takes_everything_with_it() -> None:
    async with running() as server:
        async with realtime(server) as client:
            await client.text(LONG_TEXT)
            await client.until("response.audio.delta")
        await server.backend.door._empty.wait()
        assert len(server.engine.calls) < 500


async def test_shutdown_ends_what_is_spoken() -> None:
    async with running() as server, realtime(server) as client:
        await client.text(LONG_TEXT)
        await client.until("response.audio.delta")
        closing = asyncio.create_task(server.backend.door.close(0))
        events, close_code = await client.rest()
        assert kinds(events)[-2:] == ["error", "response.done"]
        error = {"code": "Throttling.RateQuota", "message": "the server is shutting down"}
        assert [event["error"] for event in events if event["type"] == "error"] == [error]
        assert events[-1]["response"]["status"] == "failed"
        assert close_code == 1001
        await closing
