"""Handshakes that find no room: the vendor's SDKs hear of it only on an open socket.

Input   handshakes, what to say
Output  sockets that say it and close; HTTP 429 where too many do so already, or at shutdown
State   how many do
They hold no place behind the door, and nobody waits for them: they are bounded in number and in time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from server.backend import Backend
from server.dashscope.errors import refused
from server.json_socket import JsonSocket, accepted
from streaming.errors import OverloadedError

MAX_REFUSALS = 64  # at a time


class Refusals:
    """Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._n_sockets = 0

    async def tell(
        self,
        request: web.Request,
        error: OverloadedError,
        say: Callable[[JsonSocket, OverloadedError], Awaitable[None]],
    ) -> web.StreamResponse:
        """Answer a handshake with an error, by `say` if that is possible. Cancel-safe.

        Raises:
            HTTPException: It is no WebSocket request.
        """
        if self._n_sockets >= MAX_REFUSALS or self._backend.door.closing.is_set():
            return refused(error)
        self._n_sockets += 1
        try:
            async with accepted(request, self._backend) as socket:
                await say(socket, error)
        finally:
            self._n_sockets -= 1
        return socket.response
