"""ElevenLabs' `stream-input`: a WebSocket per utterance, audio as base64 in JSON.

Input   text
Output  PCM
State   the socket; whether its one utterance has been begun
`auto_mode` is on: without it the protocol holds text back until 120 characters are there.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.protocol import State

from clients.bench.adapters.adapter import FailedError, RefusedError
from clients.bench.adapters.lines import Connect, Introduction
from clients.bench.adapters.websocket import open_socket

INACTIVITY_S = 180  # the most that the protocol allows: warm connections wait for their turn
BUSY = ("system_busy", "rate_limit_exceeded", "too_many_concurrent_requests")


@dataclass(frozen=True, slots=True)
class ElevenLabsSettings:
    """How to connect; the voice is part of the URL."""

    url: str
    token: str | None
    model: str
    sample_rate: int
    timeout_s: float


class ElevenLabsLine:
    """A connection; see `lines.Line`."""

    def __init__(self, settings: ElevenLabsSettings, socket: ClientConnection) -> None:
        self._settings = settings
        self._socket = socket
        self._is_used = False

    @property
    def is_free(self) -> bool:
        """Whether it is open and has not carried an utterance."""
        return self._socket.state is State.OPEN and not self._is_used

    async def introduce(self) -> Introduction:
        """Return what the handshake said."""
        response = self._socket.response
        version = response.headers.get("Server", "unknown") if response else "unknown"
        return Introduction(version, self._settings.sample_rate)

    async def begin(self, text: str) -> None:
        """Send the first message, which says nothing, and text right behind it."""
        self._is_used = True
        await self._send({"text": " "})
        await self.append(text)

    async def append(self, text: str) -> None:
        """Send more text; an empty one would be the end."""
        if text:
            await self._send({"text": text})

    async def end(self) -> None:
        """Send the empty text that ends the input."""
        await self._send({"text": ""})

    async def next(self) -> bytes | None:
        """Return the next audio, or None at the end: the last message, or the server's close."""
        while True:
            try:
                message = json.loads(await self._socket.recv())
                audio, is_final = message.get("audio"), message.get("isFinal")
            except ConnectionClosedOK:
                return None
            except ConnectionClosed as error:
                raise FailedError("connection_lost", str(error)) from error
            except (ValueError, AttributeError) as error:
                raise FailedError("protocol", f"no JSON object: {error}") from error
            if "error" in message:
                code = str(message["error"])
                if code in BUSY:
                    raise RefusedError(code, None)
                raise FailedError(code, str(message.get("message", "")))
            if audio:
                return base64.b64decode(audio)
            if is_final:
                return None

    async def cancel(self) -> None:
        """Close the socket: this protocol has no other way."""
        await self._socket.close()

    def abort(self) -> None:
        """Drop the connection."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        await self._socket.close()

    async def _send(self, message: Mapping[str, Any]) -> None:
        try:
            await self._socket.send(json.dumps(message, ensure_ascii=False))
        except ConnectionClosed as error:
            raise FailedError("connection_lost", str(error)) from error


def elevenlabs_connect(settings: ElevenLabsSettings) -> Connect:
    """Return what opens a connection."""
    parts = urlsplit(settings.url)
    query = {
        "model_id": settings.model,
        "output_format": f"pcm_{settings.sample_rate}",
        "auto_mode": "true",
        "inactivity_timeout": str(INACTIVITY_S),
        **dict(parse_qsl(parts.query)),
    }
    url = urlunsplit(parts._replace(query=urlencode(query)))

    async def connect(is_slow: bool) -> ElevenLabsLine:
        headers = {"xi-api-key": settings.token} if settings.token else {}
        return ElevenLabsLine(settings, await open_socket(url, headers, settings.timeout_s, is_slow=is_slow))

    return connect
