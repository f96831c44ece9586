"""The native protocol's endpoint: the handshake of `GET /v1/stream` and the list of connections.

Input   HTTP requests
Output  connections, or a refusal
State   the connections that are open
It does not know what happens on a connection (`connection`).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket

from aiohttp import hdrs, web

from server.auth import check_token
from server.backend import Backend
from server.connection import CLOSE_S, Connection
from server.context import error_message
from server.framing import CODECS, DEFAULT_SUBPROTOCOL, Codec
from streaming.errors import OverloadedError, RequestError

logger = logging.getLogger(__name__)

PATH = "/v1/stream"


class NativeEndpoint:
    """Accepts connections and ends them at shutdown. Belongs to one event loop."""

    def __init__(self, backend: Backend, version: str) -> None:
        self._backend = backend
        self._version = version
        self._limits = backend.config.limits
        self._connections: dict[Connection, asyncio.Future[None]] = {}
        self._numbers = itertools.count(1)
        self._closing = False

    @property
    def n_connections(self) -> int:
        """Connections that are open now."""
        return len(self._connections)

    @property
    def is_accepting(self) -> bool:
        """Whether another connection would be taken."""
        return not self._closing and len(self._connections) < self._limits.connections

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection; returns when it has ended.

        Raises:
            HTTPBadRequest: Not a WebSocket request, or it offers only subprotocols we do not know.
        """
        response = web.WebSocketResponse(
            protocols=tuple(CODECS),
            compress=False,  # deflate on PCM costs time and gains nothing
            heartbeat=self._limits.heartbeat_s,
            max_msg_size=self._limits.message_bytes,
            writer_limit=0,  # look at the transport after every frame: the outbox relies on it
            timeout=CLOSE_S,
        )
        codec = _choose_codec(request, response)
        try:
            key = self._admit(request)
        except RequestError as error:
            await self._turn_away(request, response, codec, error)
            return response
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await response.prepare(request)
        connection = self._connect(request, response, codec, key)
        self._connections[connection] = over
        try:
            await connection.serve()
        finally:
            del self._connections[connection]
            over.set_result(None)
        return response

    async def close(self, drain_s: float) -> None:
        """End all connections with 1001: idle ones now, speaking ones when done or after `drain_s`."""
        self._closing = True
        for connection in list(self._connections):
            connection.close_soon()
        if self._connections:
            await asyncio.wait(list(self._connections.values()), timeout=drain_s)
        for connection in list(self._connections):
            connection.close_now()
        if self._connections:
            await asyncio.wait(list(self._connections.values()), timeout=2 * CLOSE_S)

    def _admit(self, request: web.Request) -> str:
        """Judge a request before its connection exists; return the name of its key.

        Raises:
            UnauthorizedError: No valid token.
            OverloadedError: Too many connections, or the server is shutting down.
        """
        key = check_token(request, self._backend.config.auth)
        if self._closing:
            raise OverloadedError("the server is shutting down", self._limits.retry_after_ms)
        if len(self._connections) >= self._limits.connections:
            message = f"{self._limits.connections} connections are open, which is the limit"
            raise OverloadedError(message, self._limits.retry_after_ms)
        return key

    async def _turn_away(
        self, request: web.Request, response: web.WebSocketResponse, codec: Codec, error: RequestError
    ) -> None:
        """Say why over the WebSocket: a browser cannot read the answer of a failed handshake."""
        logger.info("%s turned away: %s", request.remote, error.code)
        await response.prepare(request)
        frame = codec.encode(error_message(error))
        if frame.is_text:
            await response.send_str(frame.payload.decode())
        else:
            await response.send_bytes(frame.payload)
        await response.close(code=error.close_code, message=error.code.encode())

    def _connect(
        self, request: web.Request, response: web.WebSocketResponse, codec: Codec, key: str
    ) -> Connection:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left during the handshake")
        keep_buffers_small(transport, self._limits.send_buffer_bytes)
        label = f"c{next(self._numbers)}"
        logger.info("%s from %s, %s", label, request.remote, codec.subprotocol)
        return Connection(
            response,
            codec,
            self._backend,
            version=self._version,
            label=label,
            key=key,
            abort=transport.abort,
        )


def _choose_codec(request: web.Request, response: web.WebSocketResponse) -> Codec:
    ready = response.can_prepare(request)
    if not ready.ok:
        raise web.HTTPBadRequest(text=f"{PATH} is a WebSocket endpoint; see docs/protocol.md\n")
    if ready.protocol is None and request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL):
        raise web.HTTPBadRequest(text=f"no known subprotocol offered; known: {', '.join(CODECS)}\n")
    return CODECS[ready.protocol or DEFAULT_SUBPROTOCOL]


def keep_buffers_small(transport: asyncio.WriteTransport, limit_bytes: int) -> None:
    """Bound what is written but not delivered: after a cancel it would still be heard."""
    transport.set_write_buffer_limits(high=limit_bytes)
    sock = transport.get_extra_info("socket")
    if sock is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # The kernel then reports "full" at this many unsent bytes, not at megabytes of send buffer.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limit_bytes)
