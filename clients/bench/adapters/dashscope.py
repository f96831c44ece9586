"""DashScope's duplex protocol, as CosyVoice's clients speak it: task after task on a WebSocket.

Input   text
Output  PCM
State   the socket, the task that runs
A client waits for `task-started` before it sends text: that round trip is part of what its users wait for. A
task is cancelled with the directive of SDK 2; what the server sends until `task-finished` is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from clients.bench.adapters.adapter import FailedError, RefusedError
from clients.bench.adapters.lines import Connect, Introduction
from clients.bench.adapters.websocket import open_socket

SERVER_HEADER = "Server"
BUSY = "Throttling"  # Throttling.RateQuota, Throttling.AllocationQuota


@dataclass(frozen=True, slots=True)
class DashScopeSettings:
    """How to connect, and what every task says."""

    url: str
    token: str | None
    model: str
    voice: str
    sample_rate: int
    timeout_s: float


class DashScopeLine:
    """A connection; see `lines.Line`."""

    def __init__(self, settings: DashScopeSettings, socket: ClientConnection) -> None:
        self._settings = settings
        self._socket = socket
        self._task_id = ""  # of the task that runs

    @property
    def is_free(self) -> bool:
        """Whether it is open and no task runs."""
        return self._socket.state is State.OPEN and not self._task_id

    async def introduce(self) -> Introduction:
        """Return what the handshake said."""
        response = self._socket.response
        version = response.headers.get(SERVER_HEADER, "unknown") if response else "unknown"
        return Introduction(version, self._settings.sample_rate)

    async def begin(self, text: str) -> None:
        """Run a task; send text when it has started."""
        settings = self._settings
        self._task_id = uuid4().hex
        parameters = {
            "text_type": "PlainText",
            "voice": settings.voice,
            "format": "pcm",
            "sample_rate": settings.sample_rate,
            "volume": 50,
            "rate": 1.0,
            "pitch": 1.0,
        }
        task = {"task_group": "audio", "task": "tts", "function": "SpeechSynthesizer"}
        await self._send("run-task", {**task, "model": settings.model, "parameters": parameters, "input": {}})
        while await self._receive() != "task-started":
            pass
        await self.append(text)

    async def append(self, text: str) -> None:
        """Send more text."""
        await self._send("continue-task", {"input": {"text": text}})

    async def end(self) -> None:
        """Finish the task."""
        await self._send("finish-task", {"input": {}})

    async def next(self) -> bytes | None:
        """Return the next audio, or None at the end of the task."""
        while True:
            received = await self._receive()
            if isinstance(received, bytes):
                return received
            if received == "task-finished":
                self._task_id = ""
                return None

    async def cancel(self) -> None:
        """Cancel the task, and wait for the acknowledgement."""
        await self._send("finish-task", {"input": {"directive": "cancel"}})
        while await self.next() is not None:
            pass

    def abort(self) -> None:
        """Drop the connection."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        await self._socket.close()

    async def _send(self, action: str, payload: Mapping[str, Any]) -> None:
        header = {"action": action, "task_id": self._task_id, "streaming": "duplex"}
        message = json.dumps({"header": header, "payload": payload}, ensure_ascii=False)
        try:
            await self._socket.send(message)
        except ConnectionClosed as error:
            raise FailedError("connection_lost", str(error)) from error

    async def _receive(self) -> bytes | str:
        """Return audio, or the name of an event."""
        try:
            message = await self._socket.recv()
        except ConnectionClosed as error:
            raise FailedError("connection_lost", str(error)) from error
        if isinstance(message, bytes):
            return message
        try:
            header = json.loads(message)["header"]
            event = str(header["event"])
        except (ValueError, LookupError, TypeError) as error:
            raise FailedError("protocol", f"a message without an event: {error!r}") from error
        if event == "task-failed":
            code = str(header.get("error_code", "unknown"))
            if code.startswith(BUSY):
                raise RefusedError(code, None)
            raise FailedError(code, str(header.get("error_message", "")))
        return event


def dashscope_connect(settings: DashScopeSettings) -> Connect:
    """Return what opens a connection."""

    async def connect(is_slow: bool) -> DashScopeLine:
        headers = {"Authorization": f"Bearer {settings.token or 'none'}"}  # its clients always have one
        socket = await open_socket(settings.url, headers, settings.timeout_s, is_slow=is_slow)
        return DashScopeLine(settings, socket)

    return connect
