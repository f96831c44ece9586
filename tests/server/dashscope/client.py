"""A client of DashScope's sockets that sees every frame and its order."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.server.harness import Server

Map = dict[str, Any]
Frame = Map | bytes
INFERENCE = "/api-ws/v1/inference"
TERMINAL = ("task-finished", "task-failed")


class DashScopeClient:
    """Speaks the protocol frame by frame."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, action: str, task_id: str, streaming: str = "duplex", **payload: Any) -> None:
        header = {"action": action, "task_id": task_id, "streaming": streaming}
        await self.socket.send(json.dumps({"header": header, "payload": payload}))

    async def run(self, task_id: str, **parameters: Any) -> None:
        """A CosyVoice task; raw PCM unless something else is asked for."""
        parameters = {"format": "pcm", "sample_rate": 16000, "voice": "longxiaochun", **parameters}
        await self.send("run-task", task_id, model="cosyvoice-v2", parameters=parameters, input={})

    async def text(self, task_id: str, text: str) -> None:
        await self.send("continue-task", task_id, input={"text": text})

    async def flush(self, task_id: str) -> None:
        await self.send("continue-task", task_id, input={"flush": True})

    async def finish(self, task_id: str) -> None:
        await self.send("finish-task", task_id, input={})

    async def cancel(self, task_id: str) -> None:
        await self.send("finish-task", task_id, input={"directive": "cancel"})

    async def sambert(
        self, task_id: str, text: str, model: str = "sambert-zhichu-v1", **parameters: Any
    ) -> None:
        await self.send("run-task", task_id, "out", model=model, parameters=parameters, input={"text": text})

    async def receive(self) -> Frame:
        frame = await self.socket.recv()
        assert len(frame) > 0
        return json.loads(frame) if isinstance(frame, str) else frame

    async def until(self, name: str) -> list[Frame]:
        """Receive up to and including an event of this name (or `audio`)."""
        frames: list[Frame] = []
        while True:
            frames.append(await self.receive())
            if kind(frames[-1]) == name:
                return frames
            assert kind(frames[-1]) not in TERMINAL, frames[-1]

    async def rest(self) -> tuple[list[Frame], int | None]:
        """Receive all there is until the socket closes; the frames and the close code."""
        frames: list[Frame] = []
        try:
            while True:
                frames.append(await self.receive())
        except ConnectionClosed:
            return frames, self.socket.close_code

    async def speaks(self, task_id: str = "again") -> None:
        """Assert that the connection still serves: a whole task goes through."""
        await self.run(task_id)
        await self.text(task_id, "好。")
        await self.finish(task_id)
        assert audio_of(await self.until("task-finished"))


@asynccontextmanager
async def dashscope_client(
    server: Server, path: str = INFERENCE, **options: Any
) -> AsyncIterator[DashScopeClient]:
    url = f"ws://127.0.0.1:{server.port}{path}"
    async with connect(url, compression=None, proxy=None, **options) as socket:
        yield DashScopeClient(socket)


def kind(frame: Frame) -> str:
    if isinstance(frame, bytes):
        return "audio"
    name: str = frame["header"]["event"]
    return frame["payload"].get("output", {}).get("type", name) if name == "result-generated" else name


def kinds(frames: list[Frame]) -> list[str]:
    return [kind(frame) for frame in frames]


def audio_of(frames: list[Frame]) -> bytes:
    return b"".join(frame for frame in frames if isinstance(frame, bytes))


def maps(frames: list[Frame], name: str) -> list[Map]:
    return [frame for frame in frames if isinstance(frame, dict) and kind(frame) == name]
