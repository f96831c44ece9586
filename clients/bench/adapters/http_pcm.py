"""Speech over HTTP: JSON is posted, the answer is raw PCM as it is made. OpenAI's API, and our `/v1/tts`.

Input   requests
Output  streams
State   the HTTP session with its connections
The text is sent whole: such an API cannot take it as it is written. PCM has no header, so its rate is
what the user says it is. Interrupting closes the response, which is all that there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import socket as sockets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from clients.bench.adapters.adapter import (
    Chunk,
    FailedError,
    Receipt,
    RefusedError,
    Request,
    ServerInfo,
    UnreachableError,
)

BUSY_STATUS = (429, 503)
KEEP_ALIVE_S = 4.0  # below the 5 s after which common servers hang up
SLOW_READ_BYTES = 8192  # what is read ahead for slow readers
SLOW_RECEIVE_BYTES = (
    65536  # their kernel buffer; less than a loopback segment would make TCP wait for its timers
)
READ_BYTES = 65536
CLOSE_S = 1.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How to ask.

    Attributes:
        text_field: What the text is called in the JSON.
        fields: The rest of the JSON.
        sample_rate: Of the PCM.
    """

    url: str
    token: str | None
    text_field: str
    fields: Mapping[str, Any]
    sample_rate: int
    timeout_s: float
    clock: Callable[[], float]


class HttpStream:
    """An answer; see `adapter.Stream`."""

    receipt: Receipt | None = None  # there is none

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        sent_s: float,
        connect_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.sent_s = sent_s
        self.connect_s = connect_s
        self._response = response
        self._clock = clock
        self._half = b""  # chunks may end in the middle of a sample
        self._is_first = True

    async def next(self) -> Chunk | None:
        """Return the next audio, or None at the end."""
        while True:
            try:
                data = await self._response.content.readany()
            except (aiohttp.ClientError, OSError) as error:
                raise FailedError("connection_lost", str(error)) from error
            now_s = self._clock()
            if not data:
                return None
            if self._is_first and data.startswith((b"RIFF", b"ID3", b"OggS", b"fLaC")):
                raise FailedError("not_pcm", "the answer is a file with a header, not raw PCM")
            self._is_first = False
            data = self._half + data
            whole = len(data) & ~1
            self._half = data[whole:]
            if whole:
                return Chunk(data[:whole], now_s)

    async def cancel(self) -> None:
        """Close the response: the server notices that nobody listens."""
        self._response.close()

    def abort(self) -> None:
        """Drop the connection."""
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._response.close()

    def abandon(self) -> None:
        """Drop the connection, unless the answer was read to its end."""
        self._response.close()


class HttpAdapter:
    """See `adapter.Adapter`."""

    def __init__(self, settings: HttpSettings) -> None:
        self.sample_rate = settings.sample_rate
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> ServerInfo:
        """Ask anything of the host: whatever it answers, somebody is there."""
        headers = {"Authorization": f"Bearer {self._settings.token}"} if self._settings.token else None
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),  # the caller watches over progress
            trace_configs=[_connect_trace(self._settings.clock)],
        )
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return ServerInfo(await self._greet())
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise UnreachableError(_words(error)) from error

    async def warm(self, n_connections: int) -> None:
        """Open connections by asking for the root of the host so many times at once."""
        async with asyncio.TaskGroup() as group:
            for _ in range(n_connections):
                group.create_task(self._warm_one())

    async def start(self, request: Request) -> HttpStream:
        """Send a request and wait for the head of its answer."""
        assert self._session is not None, "open it first"
        if len(request.tokens) > 1:
            raise FailedError("no_trickle", "this API takes the whole text at once")
        settings = self._settings
        body = {**settings.fields, settings.text_field: request.text}
        waited = SimpleNamespace(began_s=0.0, connect_s=0.0)
        sent_s = settings.clock()
        try:
            response = await self._session.post(
                settings.url,
                json=body,
                trace_request_ctx=waited,
                read_bufsize=SLOW_READ_BYTES if request.is_slow else READ_BYTES,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise FailedError(_code(error), _words(error)) from error
        if response.status != 200:
            await _refuse(response)
        if request.is_slow:
            _narrow(response)
        # Sent is when the request left, which is after the connection was there.
        return HttpStream(response, sent_s + waited.connect_s, waited.connect_s, settings.clock)

    async def cool(self) -> None:
        """Do nothing: what nobody uses closes by itself after KEEP_ALIVE_S."""

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _warm_one(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._greet()

    async def _greet(self) -> str:
        assert self._session is not None
        parts = urlsplit(self._settings.url)
        async with self._session.get(f"{parts.scheme}://{parts.netloc}/", allow_redirects=False) as response:
            await response.read()
            return response.headers.get("Server", "unknown")


def _connect_trace(clock: Callable[[], float]) -> aiohttp.TraceConfig:
    """Return a trace that notes in the request's own object how long it waited for a connection."""
    trace = aiohttp.TraceConfig()

    async def begin(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx.began_s = clock()

    async def end(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx.connect_s = clock() - context.trace_request_ctx.began_s

    trace.on_connection_create_start.append(begin)
    trace.on_connection_create_end.append(end)
    return trace


async def _refuse(response: aiohttp.ClientResponse) -> None:
    """Raise what an answer other than 200 means."""
    status, text = response.status, ""
    with contextlib.suppress(aiohttp.ClientError, OSError, UnicodeDecodeError):
        text = (await response.text())[:200]
    response.release()
    if status in BUSY_STATUS:
        raise RefusedError(f"http_{status}", _retry_after_ms(response.headers.get("Retry-After")))
    raise FailedError(f"http_{status}", text or response.reason or "")


def _retry_after_ms(value: str | None) -> int | None:
    """Read Retry-After, which is seconds or a date; None for neither."""
    if value is None:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        return max(0, round(1000 * float(value)))
    with contextlib.suppress(ValueError, TypeError):
        return max(0, round(1000 * (email.utils.parsedate_to_datetime(value).timestamp() - time.time())))
    return None


def _narrow(response: aiohttp.ClientResponse) -> None:
    """Make the kernel's buffer of a slow reader small; the default holds seconds of speech."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        socket = connection.transport.get_extra_info("socket")
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, SLOW_RECEIVE_BYTES)


def _code(error: Exception) -> str:
    return "connect" if isinstance(error, aiohttp.ClientConnectorError) else "connection_lost"


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        return "no server answers"
    return str(error) or type(error).__name__
