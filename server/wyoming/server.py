"""The TCP port that Home Assistant speaks to: Wyoming, without a handshake and without tokens.

Input   TCP connections
Output  connections that are served, each with a place behind the door; or a refusal
State   the listening socket, the connections that are open
It does not know what happens on a connection (`connection`).
"""

from __future__ import annotations

import asyncio
import itertools
import logging

from server.backend import Backend
from server.native import keep_buffers_small
from server.wyoming.connection import READ_BYTES, WyomingConnection
from server.wyoming.voices import Info
from streaming.errors import OverloadedError

logger = logging.getLogger(__name__)


class WyomingServer:
    """Listens once it is told to. Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._info = Info(backend)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)

    @property
    def port(self) -> int | None:
        """The port, once it listens."""
        if self._server is None or not self._server.sockets:
            return None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def listen(self, host: str, port: int) -> None:
        """Begin to accept connections; 0 takes a free port.

        Raises:
            OSError: The address cannot be listened on.
        """
        self._server = await asyncio.start_server(self._accept, host, port, limit=READ_BYTES)

    def stop_listening(self) -> None:
        """Accept no more; who is there stays, and leaves by the door. Idempotent."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """Cut the connections that are left."""
        self.stop_listening()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        label = f"w{next(self._numbers)}"
        connection = WyomingConnection(reader, writer, self._backend, self._info.answer, label)
        task = asyncio.create_task(self._serve(connection, writer, label), name=label)
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: WyomingConnection, writer: asyncio.StreamWriter, label: str) -> None:
        peer = writer.get_extra_info("peername")
        logger.info("%s from %s, wyoming", label, peer[0] if peer else "nowhere")
        try:
            keep_buffers_small(writer.transport, self._backend.config.limits.send_buffer_bytes)
            with self._backend.door.entered():
                await connection.serve()
        except OverloadedError as error:
            await connection.turn_away(error)
        finally:
            writer.transport.abort()  # nothing, where it was closed
            logger.info("%s ends", label)
