"""The native protocol: a pool of warm WebSockets that grows on demand.

Input   requests
Output  streams
State   the connections; those that have room for one more utterance
By default every utterance has a connection to itself, as separate users would. Slow readers always
do, with small buffers. The pool opens spare connections ahead of need, so that an utterance rarely
waits for a handshake; where one does, its stream says for how long.
"""

from __future__ import annotations

import asyncio
import contextlib

from clients.bench.adapters.adapter import (
    FailedError,
    RefusedError,
    Request,
    ServerInfo,
    UnreachableError,
)
from clients.bench.adapters.native_connection import NativeConnection, NativeSettings, NativeStream
from clients.python.speech import DEFAULT_RATE

SPARE_CONNECTIONS = 4  # arrivals that come at once find a warm connection each
OPENING_AT_ONCE = 16  # handshakes in parallel while warming up
RETRY_S = 1.0  # after a spare connection was turned away


class NativeAdapter:
    """See `adapter.Adapter`."""

    def __init__(self, settings: NativeSettings) -> None:
        self.sample_rate = int(settings.fields.get("rate") or DEFAULT_RATE)
        self._settings = settings
        self._connections: set[NativeConnection] = set()
        self._roomy: list[NativeConnection] = []
        self._slow: list[NativeConnection] = []
        self._openings: set[asyncio.Task[None]] = set()
        self._retry_s = 0.0

    async def open(self) -> ServerInfo:
        """Connect once and say which server it is."""
        try:
            connection = await self._connect(is_slow=False)
        except (RefusedError, FailedError) as error:
            words = error.message if isinstance(error, FailedError) else f"turned away: {error}"
            raise UnreachableError(words) from error
        self._offer(connection)
        return ServerInfo(connection.ready.result().version)

    async def warm(self, n_connections: int) -> None:
        """Open connections until so many have room, or the server turns us away."""
        for _ in range(0, n_connections, OPENING_AT_ONCE):
            missing = n_connections - len(self._listed())
            if missing <= 0:
                return
            results = await asyncio.gather(
                *(self._connect(is_slow=False) for _ in range(min(missing, OPENING_AT_ONCE))),
                return_exceptions=True,
            )
            for result in results:
                if isinstance(result, NativeConnection):
                    self._offer(result)
            if any(isinstance(result, BaseException) for result in results):
                return

    async def start(self, request: Request) -> NativeStream:
        """Send a request on a connection with room."""
        connection = self._take(is_slow=request.is_slow)
        connect_s = 0.0
        if connection is None:
            began_s = self._settings.clock()
            connection = await self._connect(is_slow=request.is_slow)
            connect_s = self._settings.clock() - began_s
        stream = connection.reserve()
        stream.connect_s = connect_s
        if connection.has_room:
            self._offer(connection)
        try:
            await stream.send(request)
        except BaseException:
            stream.abort()
            raise
        if not request.is_slow:
            self._keep_spare()
        return stream

    async def cool(self) -> None:
        """Close the connections without an utterance."""
        idle = [connection for connection in self._connections if connection.is_idle]
        await asyncio.gather(*(connection.close() for connection in idle))
        self._connections.difference_update(idle)

    async def close(self) -> None:
        """Close everything."""
        for task in self._openings:
            task.cancel()
        if self._openings:
            await asyncio.wait(self._openings)
        await asyncio.gather(*(connection.close() for connection in self._connections))
        self._connections.clear()

    async def _connect(self, *, is_slow: bool) -> NativeConnection:
        connection = await NativeConnection.open(self._settings, self._offer, is_slow=is_slow)
        self._connections = {other for other in self._connections if other.is_open}
        self._connections.add(connection)
        return connection

    def _take(self, *, is_slow: bool) -> NativeConnection | None:
        """Return a connection with room, off the list; None if there is none."""
        connections = self._slow if is_slow else self._roomy
        while connections:
            connection = connections.pop()
            connection.is_listed = False
            if connection.has_room:
                return connection
        return None

    def _offer(self, connection: NativeConnection) -> None:
        if not connection.is_listed:
            connection.is_listed = True
            (self._slow if connection.is_slow else self._roomy).append(connection)

    def _listed(self) -> list[NativeConnection]:
        self._roomy = [connection for connection in self._roomy if connection.has_room]
        return self._roomy

    def _keep_spare(self) -> None:
        if len(self._roomy) + len(self._openings) < SPARE_CONNECTIONS:
            task = asyncio.create_task(self._open_spare())
            self._openings.add(task)
            task.add_done_callback(self._openings.discard)

    async def _open_spare(self) -> None:
        clock = self._settings.clock
        if clock() < self._retry_s:
            return
        with contextlib.suppress(RefusedError, FailedError):
            self._offer(await self._connect(is_slow=False))
            return
        self._retry_s = clock() + RETRY_S
