"""An async client of the native protocol: many utterances on one connection.

    async with Client("ws://127.0.0.1:8080/v1/stream") as client:
        async with client.speak("你好。") as speech:
            async for chunk in speech:
                play(chunk.pcm)
        speech.done.ttfc_ms

Input   texts, whole or as they are written
Output  speeches: audio chunks and what the server says about them
State   the connection, the speeches that are not over
It does not know files, players or the command line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidURI
from websockets.typing import Subprotocol

from clients.python.speech import DEFAULT_RATE, ConnectionLostError, SpeakOptions, Speech, Text
from clients.python.wire import (
    SUBPROTOCOLS,
    Cancelled,
    Done,
    Message,
    ProtocolError,
    Ready,
    ServerError,
    decode,
    encode,
)

__all__ = ["DEFAULT_RATE", "DEFAULT_URL", "Client", "ConnectionLostError", "SpeakOptions", "Speech", "Text"]

DEFAULT_URL = "ws://127.0.0.1:8080/v1/stream"
MAX_FRAME_BYTES = 1 << 20  # servers send 64 KiB at most
MAX_CTX = 65535
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Client:
    """A connection to a server. Belongs to one event loop; any number of speeches at a time."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: str | None = None,
        subprotocol: str = SUBPROTOCOLS[0],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Prepare; `async with` connects."""
        self.url = url
        self._clock = clock
        self._token = token
        self._subprotocol = subprotocol
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[Ready] | None = None
        self._speeches: dict[int, Speech] = {}
        self._next_ctx = 1
        self._lost: BaseException | None = None

    async def __aenter__(self) -> Self:
        _check_port(self.url)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else None
        is_local = urlsplit(self.url).hostname in LOOPBACK
        self._socket = await connect(
            self.url,
            subprotocols=[Subprotocol(self._subprotocol)],
            compression=None,  # PCM does not shrink
            additional_headers=headers,
            max_size=MAX_FRAME_BYTES,
            proxy=None if is_local else True,
        )
        self._ready = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(self._socket))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._socket is not None
        assert self._reader is not None
        await self._socket.close()
        self._reader.cancel()
        await asyncio.wait([self._reader])
        if self._ready is not None and self._ready.done() and not self._ready.cancelled():
            self._ready.exception()  # taken note of: nobody may have asked

    async def ready(self) -> Ready:
        """Return what the server offers; nothing has to wait for it.

        Raises:
            ServerError: The server turned us away.
            ConnectionLostError: The connection ended before.
        """
        assert self._ready is not None, "use `async with Client(...)`"
        return await asyncio.shield(self._ready)

    def speak(
        self,
        text: Text,
        options: SpeakOptions | None = None,
        *,
        replaces: Speech | list[Speech] | None = None,
    ) -> Speech:
        """Return an utterance of `text`, a string or pieces as they are written.

        It is sent when it is entered, started or iterated. `replaces` stops other utterances in the
        same message: the user interrupted, and this is the next reply.
        """
        replaced = [replaces] if isinstance(replaces, Speech) else list(replaces or ())
        speech = Speech(self, self._free_ctx(), text, options or SpeakOptions(), replaced)
        self._speeches[speech.ctx] = speech
        return speech

    def clock(self) -> float:
        """Return the time that chunks are stamped with, in seconds."""
        return self._clock()

    async def send(self, **fields: Any) -> None:
        """Send one message.

        Raises:
            ConnectionLostError: The connection has ended.
        """
        assert self._socket is not None, "use `async with Client(...)`"
        try:
            await self._socket.send(encode(self._subprotocol, fields))
        except ConnectionClosed as error:
            raise self._loss(error) from error

    def forget(self, speech: Speech) -> None:
        """Free the number of a speech that was never sent; for speeches only."""
        if self._speeches.get(speech.ctx) is speech:
            del self._speeches[speech.ctx]

    def _free_ctx(self) -> int:
        for _ in range(MAX_CTX):
            ctx = self._next_ctx
            self._next_ctx = ctx % MAX_CTX + 1
            if ctx not in self._speeches:
                return ctx
        raise RuntimeError(f"{MAX_CTX} utterances are open on one connection")

    async def _read(self, socket: ClientConnection) -> None:
        """Hand every message to its utterance until the connection ends."""
        loss: BaseException = ConnectionLostError("closed")
        try:
            async for frame in socket:
                message = decode(frame, self.clock())
                if message is not None:
                    self._dispatch(message)
            loss = self._loss(None, socket.close_reason)
        except ConnectionClosed as error:
            loss = self._loss(error)
        except ProtocolError as error:
            loss = error
        finally:
            self._lose(loss)

    def _dispatch(self, message: Message) -> None:
        if isinstance(message, Ready):
            assert self._ready is not None
            self._ready.set_result(message)
            return
        if isinstance(message, ServerError) and message.ctx is None:
            self._lost = message  # the connection's own error; it usually closes next
            return
        assert message.ctx is not None
        speech = self._speeches.get(message.ctx)
        if speech is None:
            return
        if isinstance(message, (Done, Cancelled, ServerError)):
            del self._speeches[message.ctx]
        speech.receive(message)

    def _loss(self, error: ConnectionClosed | None, reason: str | None = None) -> BaseException:
        if self._lost is not None:
            return self._lost
        why = str(error) if error else reason
        return ConnectionLostError(f"the connection ended{f': {why}' if why else ''}")

    def _lose(self, loss: BaseException) -> None:
        """Tell everybody who waits that nothing more comes."""
        self._lost = self._lost or loss
        assert self._ready is not None
        if not self._ready.done():
            self._ready.set_exception(loss)
        speeches, self._speeches = self._speeches, {}
        for speech in speeches.values():
            speech.finish(loss)


def _check_port(url: str) -> None:
    """Refuse a port that is no port, as `connect` refuses every other fault of a URL.

    Raises:
        InvalidURI: The port is not a number up to 65535.
    """
    try:
        urlsplit(url).port  # noqa: B018 -- reading it is the check
    except ValueError as error:
        raise InvalidURI(url, str(error).lower()) from None
