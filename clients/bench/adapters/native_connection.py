"""One WebSocket of the native protocol, and the utterances on it.

Input   requests; frames of the server
Output  streams of chunks
State   the socket, the streams that are not over
Unlike `clients.python.client` it holds back: a stream that has a connection of its own takes only a
few frames ahead of its consumer, then the socket is not read, and the server feels it over TCP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from clients.bench.adapters.adapter import Chunk, FailedError, Receipt, RefusedError, Request
from clients.bench.adapters.websocket import open_socket
from clients.python.client import MAX_CTX
from clients.python.wire import (
    SUBPROTOCOLS,
    AudioChunk,
    Cancelled,
    Done,
    Message,
    ProtocolError,
    Ready,
    ServerError,
    decode,
    encode,
)

READ_AHEAD_FRAMES = 2  # per stream with a connection of its own, besides the library's queue
SUBPROTOCOL = SUBPROTOCOLS[0]

Item = Message | Exception


@dataclass(frozen=True, slots=True)
class NativeSettings:
    """How to connect, and the fields of every `open`."""

    url: str
    token: str | None
    fields: Mapping[str, Any]
    timeout_s: float
    multiplex: int
    clock: Callable[[], float]


class NativeStream:
    """An utterance on a connection; see `adapter.Stream`."""

    def __init__(self, connection: NativeConnection, ctx: int, read_ahead: int) -> None:
        self.ctx = ctx
        self.sent_s = 0.0
        self.connect_s = 0.0
        self.receipt: Receipt | None = None
        self.over = False
        self._connection = connection
        self._queue: asyncio.Queue[Item] = asyncio.Queue(read_ahead)
        self._sender: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> None:
        """Take a message from the connection; waits while the consumer is behind."""
        await self._queue.put(item)

    def fail(self, error: Exception) -> None:
        """End with `error` after what has been queued."""
        if self._queue.full():
            self._queue.get_nowait()  # the connection is gone: what it brought last is no use
        self._queue.put_nowait(error)

    async def next(self) -> Chunk | None:
        """Return the next audio, or None at the end."""
        while not self.over:
            item = await self._queue.get()
            if isinstance(item, AudioChunk):
                return Chunk(item.pcm, item.received_s)
            self._note(item)
        return None

    async def cancel(self) -> None:
        """Cancel, and take what comes until the server acknowledges."""
        self._stop_sending()
        await self._connection.send(type="cancel", ctx=self.ctx)
        while await self.next() is not None:
            pass

    def abort(self) -> None:
        """Drop the connection."""
        if not self.over:
            self.over = True
            self._stop_sending()
            self._connection.abort()

    def abandon(self) -> None:
        """Drop the connection, or only this utterance where others are on it."""
        if self.over:
            return
        if not self._connection.is_shared:
            self.abort()
            return
        self.over = True
        self._stop_sending()
        self._connection.forget(self)
        self._sender = asyncio.create_task(self._send_cancel())

    async def send(self, request: Request) -> None:
        """Send the request; pieces that are not due yet are sent by a task of their own."""
        first = request.text if not request.tokens else request.tokens[0].text
        self.sent_s = self._connection.settings.clock()
        await self._connection.send(
            type="open",
            ctx=self.ctx,
            **self._connection.settings.fields,
            text=first,
            end=len(request.tokens) < 2,
        )
        if len(request.tokens) > 1:
            self._sender = asyncio.create_task(self._trickle(request))

    async def _trickle(self, request: Request) -> None:
        clock = self._connection.settings.clock
        with contextlib.suppress(FailedError, RefusedError):  # the reader learns of it
            for token in request.tokens[1:]:
                await asyncio.sleep(max(0.0, request.due_s + token.after_s - clock()))
                await self._connection.send(type="append", ctx=self.ctx, text=token.text)
            await self._connection.send(type="end", ctx=self.ctx)

    async def _send_cancel(self) -> None:
        with contextlib.suppress(FailedError, RefusedError):
            await self._connection.send(type="cancel", ctx=self.ctx)

    def _note(self, item: Item) -> None:
        if isinstance(item, Done):
            self.receipt = Receipt(item.ttfc_ms, item.audible_ttfc_ms, item.queue_ms, item.rtf, item.cached)
        if isinstance(item, (Done, Cancelled, Exception)):
            self.over = True
            self._stop_sending()
            self._connection.forget(self)
        if isinstance(item, Exception):
            raise _typed(item)

    def _stop_sending(self) -> None:
        if self._sender is not None:
            self._sender.cancel()


class NativeConnection:
    """An open socket. `on_room` is called whenever an utterance has left it."""

    def __init__(
        self,
        settings: NativeSettings,
        socket: ClientConnection,
        on_room: Callable[[NativeConnection], None],
        *,
        is_slow: bool,
    ) -> None:
        self.settings = settings
        self.is_slow = is_slow
        self.is_open = True
        self.is_listed = False  # for the pool: whether it is on its list of connections with room
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._socket = socket
        self._on_room = on_room
        self._streams: dict[int, NativeStream] = {}
        self._next_ctx = 1
        self._lost: Exception | None = None
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls, settings: NativeSettings, on_room: Callable[[NativeConnection], None], *, is_slow: bool
    ) -> NativeConnection:
        """Connect and wait until the server is ready.

        Raises:
            RefusedError: The server has too many connections.
            FailedError: Anything else.
        """
        headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
        socket = await open_socket(
            settings.url, headers, settings.timeout_s, subprotocol=SUBPROTOCOL, is_slow=is_slow
        )
        connection = cls(settings, socket, on_room, is_slow=is_slow)
        try:
            async with asyncio.timeout(settings.timeout_s):
                await asyncio.shield(connection.ready)
        except TimeoutError as error:
            connection.abort()
            raise FailedError("connect", f"no `ready` within {settings.timeout_s:g} s") from error
        except BaseException:
            connection.abort()
            raise
        return connection

    @property
    def has_room(self) -> bool:
        """Whether one more utterance may be put on it."""
        limit = 1 if self.is_slow else self.settings.multiplex
        return self.is_open and len(self._streams) < limit

    @property
    def is_idle(self) -> bool:
        """Whether no utterance is on it."""
        return not self._streams

    @property
    def is_shared(self) -> bool:
        """Whether several utterances may be on it at a time."""
        return self.settings.multiplex > 1 and not self.is_slow

    def reserve(self) -> NativeStream:
        """Take a place on it."""
        while self._next_ctx in self._streams:
            self._next_ctx = self._next_ctx % MAX_CTX + 1
        # Where utterances share the connection, one that is behind must not stop the others.
        stream = NativeStream(self, self._next_ctx, 0 if self.is_shared else READ_AHEAD_FRAMES)
        self._streams[stream.ctx] = stream
        self._next_ctx = self._next_ctx % MAX_CTX + 1
        return stream

    async def send(self, **fields: Any) -> None:
        """Send one message.

        Raises:
            RefusedError: The server turned the connection away.
            FailedError: The connection is lost.
        """
        try:
            await self._socket.send(encode(SUBPROTOCOL, fields))
        except ConnectionClosed as error:
            self.is_open = False
            raise _typed(self._lost or error) from error

    def forget(self, stream: NativeStream) -> None:
        """Free the place of a stream that is over."""
        if self._streams.pop(stream.ctx, None) is not None and self.is_open:
            self._on_room(self)

    def abort(self) -> None:
        """Drop the TCP connection without a word."""
        self.is_open = False
        self._reader.cancel()
        self._socket.transport.abort()
        self._fail_streams(FailedError("connection_lost", "we dropped the connection"))

    async def close(self) -> None:
        """Close it properly."""
        self.is_open = False
        await self._socket.close()
        self._reader.cancel()
        await asyncio.wait([self._reader])

    async def _read(self) -> None:
        loss: Exception = FailedError("connection_lost", "the server closed the connection")
        clock = self.settings.clock
        try:
            async for frame in self._socket:
                message = decode(frame, clock())
                if message is not None:
                    await self._dispatch(message)
        except (ConnectionClosed, ProtocolError) as error:
            loss = error
        finally:
            self.is_open = False
            self._fail_streams(self._lost or loss)

    async def _dispatch(self, message: Message) -> None:
        if isinstance(message, Ready):
            self.ready.set_result(message)
        elif isinstance(message, ServerError) and message.ctx is None:
            self._lost = message  # the connection's own error; it usually closes next
        elif message.ctx is not None and message.ctx in self._streams:
            await self._streams[message.ctx].put(message)

    def _fail_streams(self, loss: Exception) -> None:
        if not self.ready.done():
            self.ready.set_exception(_typed(loss))
            self.ready.exception()  # taken note of: nobody may be waiting any more
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.fail(loss)


def _typed(error: Exception) -> RefusedError | FailedError:
    """Return what the generator counts for what the protocol said."""
    match error:
        case RefusedError() | FailedError():
            return error
        case ServerError(code="overloaded"):
            return RefusedError(error.code, error.retry_after_ms)
        case ServerError():
            return FailedError(error.code, error.message)
        case ProtocolError():
            return FailedError("protocol", str(error))
        case _:
            return FailedError("connection_lost", str(error))
