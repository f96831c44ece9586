"""A WebSocket with JSON maps both ways and bytes to the client: what other vendors' protocols are made of.

Input   an HTTP request; maps and bytes to send, each utterance's in its own lane
Output  the client's maps, one by one
State   the socket, its one writer, whether an utterance is live
It does not know the messages. Somebody must always be in `receive`: pings are answered only there.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from server.backend import Backend
from server.config import LimitConfig
from server.connection import CLOSE_GOING_AWAY, CLOSE_NORMAL, CLOSE_S, close_reason
from server.framing import Frame
from server.lanes import Lane, OnWrite, Outbox
from server.native import keep_buffers_small
from streaming.errors import BadRequestError, IdleTimeoutError

logger = logging.getLogger(__name__)

BYTES_PER_CHAR = 6  # of a Hanzi in JSON that is ASCII only: \u4f60
MESSAGE_BYTES = 4096  # besides the text

Map = dict[str, Any]

_numbers = itertools.count(1)


def json_frame(fields: Mapping[str, Any]) -> Frame:
    """Return a text frame. Lone surrogates in a client's text come back as `?`."""
    return Frame(
        json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"), is_text=True
    )


class JsonSocket:
    """See `accepted`. Belongs to one event loop; one task receives."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport, limits: LimitConfig
    ) -> None:
        self.label = f"j{next(_numbers)}"
        self.quiet = asyncio.Event()
        """Set while no utterance is live; who speaks clears it. At shutdown it is waited for."""
        self.quiet.set()
        self.last_words: Callable[[], None] = lambda: None
        """Called at shutdown when the time to finish is over; it may `say` something, and must not block."""
        self._socket = socket
        self._transport = transport
        self._outbox = Outbox(self._send, stall_s=limits.slow_reader_s, on_stuck=self._end_slow_reader)
        self._close = (CLOSE_NORMAL, "")

    @property
    def response(self) -> web.WebSocketResponse:
        """What the request's handler returns."""
        return self._socket

    def lane(self) -> Lane:
        """Return a new lane; frames of a lane that is closed do not leave any more."""
        return self._outbox.lane()

    def say(self, fields: Mapping[str, Any]) -> None:
        """Send a map ahead of what waits in the lanes; never blocks."""
        self._outbox.say(json_frame(fields))

    def close_with(self, code: int, reason: str = "") -> None:
        """Choose how the socket closes when `accepted` is left; what waits is sent first."""
        self._close = (code, reason)

    async def receive(self, timeout_s: float | None) -> Map | None:
        """Return the next message; None when the client is gone, or the server shuts down. Cancel-safe.

        Raises:
            IdleTimeoutError: Nothing came for `timeout_s`.
            BadRequestError: It is no JSON object in a text frame.
        """
        try:
            message = await self._socket.receive(timeout=timeout_s)
        except TimeoutError:
            raise IdleTimeoutError(f"no message for {timeout_s:g} s") from None
        if message.type is WSMsgType.TEXT:
            return _map_of(message)
        if message.type is WSMsgType.BINARY:
            raise BadRequestError("found a binary message; allowed: JSON in text messages")
        return None

    async def run(self) -> None:
        """Write until cancelled; for `accepted`."""
        with suppress(ConnectionError):  # the reader notices, too
            await self._outbox.run()

    async def finish(self) -> None:
        """Send what waits, and close; bounded in time. For `accepted`."""
        code, reason = self._close
        try:
            async with asyncio.timeout(CLOSE_S):
                if not (self._outbox.is_stuck or self._socket.closed):
                    await self._outbox.flushed()
                await self._socket.close(code=code, message=close_reason(reason))
        except (TimeoutError, ConnectionError):
            self._transport.abort()

    async def leave_at(self, closing: asyncio.Event, drain_s: float) -> None:
        """Close with 1001 when the server shuts down; an utterance may finish within `drain_s`."""
        await closing.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await self.quiet.wait()
        self.last_words()
        self._close = (CLOSE_GOING_AWAY, "the server is shutting down")
        await self.finish()

    async def _send(self, frame: Frame) -> None:
        await self._socket.send_frame(frame.payload, WSMsgType.TEXT if frame.is_text else WSMsgType.BINARY)

    def _end_slow_reader(self, reason: str) -> None:
        logger.info("%s is cut: %s", self.label, reason)
        self._transport.abort()


async def put_map(lane: Lane, fields: Mapping[str, Any], on_write: OnWrite | None = None) -> None:
    """Queue a map in its utterance's lane."""
    await lane.put(json_frame(fields), on_write)


async def put_bytes(lane: Lane, data: bytes) -> None:
    """Queue bytes; never none: a client of DashScope divides by their number."""
    if data:
        await lane.put(Frame(data))


@asynccontextmanager
async def accepted(
    request: web.Request, backend: Backend, message_bytes: int = 0
) -> AsyncIterator[JsonSocket]:
    """Accept a WebSocket; it is closed when the block is left, however that is.

    Args:
        request: The handshake.
        backend: Whose limits count.
        message_bytes: Longest message, if the protocol has longer ones than the limits say.

    Raises:
        HTTPException: It is no WebSocket request.
    """
    limits = backend.config.limits
    response = web.WebSocketResponse(
        compress=False,
        heartbeat=limits.heartbeat_s,
        max_msg_size=max(
            limits.message_bytes, message_bytes, limits.chars_per_context * BYTES_PER_CHAR + MESSAGE_BYTES
        ),
        writer_limit=0,  # look at the transport after every frame: the outbox relies on it
        timeout=CLOSE_S,
    )
    await response.prepare(request)
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client left during the handshake")
    keep_buffers_small(transport, limits.send_buffer_bytes)
    socket = JsonSocket(response, transport, limits)
    logger.info("%s from %s, %s", socket.label, request.remote, request.path)
    tasks = [
        asyncio.create_task(socket.run(), name=f"{socket.label} writer"),
        asyncio.create_task(
            socket.leave_at(backend.door.closing, limits.drain_s), name=f"{socket.label} shutdown"
        ),
    ]
    try:
        yield socket
        await socket.finish()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        # What is still in the socket's buffer may be read, but not wait for ever.
        asyncio.get_running_loop().call_later(CLOSE_S, transport.abort)
        logger.info("%s ends", socket.label)


def _map_of(message: WSMessage) -> Map:
    try:
        fields = json.loads(message.data)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the message is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadRequestError("the message is no JSON object")
    return fields
