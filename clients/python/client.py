"""An async client of the native protocol: many utterances on one connection.

    async with Client("ws://127.0.0.1:8080/v1/stream") as client:
        async with client.speak("你好。") as speech:
            async for chunk in speech:
                play(chunk.pcm)
        speech.done.ttfc_ms

Input   texts, whole or as they are written
Output  audio chunks and what the server says about them
State   the connection, one queue per utterance (bounded by the credit window)
It does not know files, players or the command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from clients.python.wire import (
    SUBPROTOCOLS,
    AudioChunk,
    Cancelled,
    Done,
    Flushed,
    Message,
    ProtocolError,
    Ready,
    Sentence,
    ServerError,
    Word,
    Words,
    decode,
    encode,
)

DEFAULT_URL = "ws://127.0.0.1:8080/v1/stream"
DEFAULT_RATE = 24000
DEFAULT_WINDOW_MS = 10_000  # audio that may wait here for a slow consumer
MAX_FRAME_BYTES = 1 << 20  # servers send 64 KiB at most
MAX_CTX = 65535
APPEND_CHARS = 1000  # longer texts travel in several messages
LOOPBACK = {"localhost", "127.0.0.1", "::1"}

Text = str | AsyncIterable[str]


class ConnectionLostError(Exception):
    """The connection ended while something was being waited for."""


@dataclass(frozen=True, slots=True)
class SpeakOptions:
    """How an utterance is spoken; None leaves it to the server (docs/protocol.md, `open`)."""

    voice: str | None = None
    speaker: str | None = None
    emotion: str | None = None
    language: str | None = None
    speed: float | None = None
    pitch: float | None = None
    volume: float | None = None
    seed: int | None = None
    words: bool = False
    format: str = "pcm_s16le"
    rate: int = DEFAULT_RATE
    max_delay_ms: int | None = None
    window_ms: int = DEFAULT_WINDOW_MS


class Speech:
    """One utterance. Iterate it for its audio, once; it sends its text itself meanwhile.

    Leaving `async with` early cancels it. After the iteration `done` is the receipt, or `cancelled`
    tells what had been sent. Belongs to the event loop of its client.
    """

    def __init__(
        self, client: Client, ctx: int, text: Text, options: SpeakOptions, replaces: list[Speech]
    ) -> None:
        self.ctx = ctx
        self.options = options
        self.sentences: list[Sentence] = []
        self.words: list[Word] = []
        self.flushed: list[Flushed] = []
        self.done: Done | None = None
        self.cancelled: Cancelled | None = None
        self.sent_s: float | None = None  # when its first text was sent
        self._client = client
        self._text = text
        self._replaces = replaces
        self._queue: asyncio.Queue[AudioChunk | BaseException | None] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None
        self._opened = False
        self._over = False  # the server has said its last word
        self._dropped = False  # what still arrives must not be heard
        self._owed_samples = 0

    @property
    def over(self) -> bool:
        """Whether the server has said its last word on it."""
        return self._over

    async def start(self) -> None:
        """Send the request, and go on sending its text; the iteration does this if you did not."""
        if self._opened:
            return
        is_whole = isinstance(self._text, str) and len(self._text) <= APPEND_CHARS
        fields = {name: getattr(self.options, name) for name in self.options.__slots__}
        replaced = [speech.ctx for speech in self._replaces if not speech.over]
        for speech in self._replaces:
            speech._drop_audio()
        if is_whole:
            self.sent_s = self._client.clock()
        self._opened = True
        await self._client.send(
            type="open",
            ctx=self.ctx,
            **fields,
            replaces=replaced or None,
            text=self._text if is_whole else None,
            end=True if is_whole else None,
        )
        if not is_whole:
            self._sender = asyncio.create_task(self._send_text())

    async def flush(self, flush_id: int | str = 0) -> None:
        """Ask to speak now what was sent so far; `flushed` gets the acknowledgement."""
        await self._client.send(type="flush", ctx=self.ctx, id=flush_id)

    async def cancel(self, played_samples: int | None = None) -> None:
        """Stop at once: nothing more is yielded from now on. Idempotent; does not wait for the answer."""
        self._drop_audio()
        if self._sender is not None:
            self._sender.cancel()
        if not self._opened:
            self._client.forget(self)
        elif not self._over:
            await self._send_cancel(played_samples)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cancel()

    async def __aiter__(self) -> AsyncIterator[AudioChunk]:
        """Yield the audio in order; ends after `done` or `cancelled`.

        Raises:
            ServerError: The server refused or failed.
            ConnectionLostError: The connection ended.
        """
        await self.start()
        while (item := await self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            await self._give_credit(item)
            yield item

    def receive(self, message: Message) -> None:
        """Take what the server says about this utterance; for the client only."""
        match message:
            case AudioChunk():
                if not self._dropped:
                    self._queue.put_nowait(message)
            case Sentence():
                self.sentences.append(message)
            case Words():
                self.words.extend(message.words)
            case Flushed():
                self.flushed.append(message)
            case Done():
                self.done = message
                self.finish(None)
            case Cancelled():
                self.cancelled = message
                self.finish(None)
            case ServerError():
                self.finish(message)

    def finish(self, error: BaseException | None) -> None:
        """End the iteration, with `error` if there is one; for the client only."""
        self._over = True
        if self._sender is not None:
            self._sender.cancel()
        self._queue.put_nowait(error)

    def _drop_audio(self) -> None:
        """Frames that are on their way when we cancel must not be heard."""
        if not self._dropped:
            self._dropped = True
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(None)

    async def _send_cancel(self, played_samples: int | None = None) -> None:
        with contextlib.suppress(ConnectionLostError, ServerError):
            await self._client.send(type="cancel", ctx=self.ctx, played=played_samples)

    async def _send_text(self) -> None:
        try:
            async for piece in _pieces(self._text):
                if self.sent_s is None:
                    self.sent_s = self._client.clock()
                await self._client.send(type="append", ctx=self.ctx, text=piece)
            await self._client.send(type="end", ctx=self.ctx)
        except Exception as error:  # noqa: BLE001 -- from the caller's text source; the consumer raises it
            self._queue.put_nowait(error)
            await self._send_cancel()

    async def _give_credit(self, chunk: AudioChunk) -> None:
        """Grant again what was consumed, in few messages."""
        if not self.options.window_ms:
            return
        self._owed_samples += chunk.n_samples
        owed_ms = 1000 * self._owed_samples // self.options.rate
        if owed_ms * 4 >= self.options.window_ms and not self.over:
            self._owed_samples -= owed_ms * self.options.rate // 1000
            await self._client.send(type="credit", ctx=self.ctx, ms=owed_ms)


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
        self.clock = clock
        self._token = token
        self._subprotocol = subprotocol
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[Ready] | None = None
        self._speeches: dict[int, Speech] = {}
        self._next_ctx = 1
        self._lost: BaseException | None = None

    async def __aenter__(self) -> Self:
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
            loss = self._loss(None)
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

    def _loss(self, error: ConnectionClosed | None) -> BaseException:
        if self._lost is not None:
            return self._lost
        return ConnectionLostError(f"the connection ended{f': {error}' if error else ''}")

    def _lose(self, loss: BaseException) -> None:
        """Tell everybody who waits that nothing more comes."""
        self._lost = self._lost or loss
        assert self._ready is not None
        if not self._ready.done():
            self._ready.set_exception(loss)
        speeches, self._speeches = self._speeches, {}
        for speech in speeches.values():
            speech.finish(loss)


async def _pieces(text: Text) -> AsyncIterator[str]:
    """Yield the text in pieces that fit one message."""
    if isinstance(text, str):
        for start in range(0, len(text), APPEND_CHARS):
            yield text[start : start + APPEND_CHARS]
        return
    async for piece in text:
        for start in range(0, len(piece), APPEND_CHARS):
            yield piece[start : start + APPEND_CHARS]
