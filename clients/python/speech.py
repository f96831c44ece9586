"""One utterance as a client sees it: its text on the way out, its audio on the way in.

Input   a text or pieces of it; the server's messages about this utterance
Output  audio chunks, to iterate; sentences, words, the receipt
State   a queue of chunks (bounded by the credit window), what the server said so far
It does not know the connection: it sends through what it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from clients.python.wire import (
    AudioChunk,
    Cancelled,
    Done,
    Flushed,
    Message,
    Sentence,
    ServerError,
    Word,
    Words,
)

DEFAULT_RATE = 24000
DEFAULT_WINDOW_MS = 10_000  # audio that may wait here for a slow consumer
APPEND_CHARS = 1000  # longer texts travel in several messages

Text = str | AsyncIterable[str]


class ConnectionLostError(Exception):
    """The connection ended while something was being waited for."""


@dataclass(frozen=True, slots=True)
class SpeakOptions:
    """How an utterance is spoken; None leaves it to the server (docs/protocol.md, `open`)."""

    voice: str | None = None
    speaker: str | None = None
    emotion: str | None = None
    emotion_intensity: float | None = None
    language: str | None = None
    speed: float | None = None
    pitch: float | None = None
    volume: float | None = None
    seed: int | None = None
    words: bool = False
    format: str = "pcm_s16le"
    rate: int = DEFAULT_RATE
    max_delay_ms: int | None = None
    sentence_pause_ms: int | None = None
    paragraph_pause_ms: int | None = None
    max_ahead_ms: int | None = None
    window_ms: int = DEFAULT_WINDOW_MS
    ssml: bool = False
    lexicon: Mapping[str, str] | None = None


class Sender(Protocol):
    """What a speech needs of its connection."""

    def clock(self) -> float:
        """Return the time, in seconds."""
        ...

    async def send(self, **fields: Any) -> None:
        """Send one message.

        Raises:
            ConnectionLostError: The connection has ended.
        """
        ...

    def forget(self, speech: Speech) -> None:
        """Free the number of a speech that was never sent."""
        ...


class Speech:
    """One utterance. Iterate it for its audio, once; it sends its text itself meanwhile.

    Leaving `async with` early cancels it. After the iteration `done` is the receipt, or `cancelled`
    tells what had been sent. Belongs to the event loop of its client.
    """

    def __init__(
        self, sender: Sender, ctx: int, text: Text, options: SpeakOptions, replaces: list[Speech]
    ) -> None:
        self.ctx = ctx
        self.options = options
        self.sentences: list[Sentence] = []
        self.words: list[Word] = []
        self.flushed: list[Flushed] = []
        self.done: Done | None = None
        self.cancelled: Cancelled | None = None
        self.sent_s: float | None = None  # when its first text was sent
        self._connection = sender
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
            self.sent_s = self._connection.clock()
        self._opened = True
        await self._connection.send(
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
        await self._connection.send(type="flush", ctx=self.ctx, id=flush_id)

    async def cancel(self, played_samples: int | None = None) -> None:
        """Stop at once: nothing more is yielded from now on. Idempotent; does not wait for the answer."""
        self._drop_audio()
        if self._sender is not None:
            self._sender.cancel()
        if not self._opened:
            self._connection.forget(self)
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
            await self._connection.send(type="cancel", ctx=self.ctx, played=played_samples)

    async def _send_text(self) -> None:
        try:
            async for piece in _pieces(self._text):
                if self.sent_s is None:
                    self.sent_s = self._connection.clock()
                await self._connection.send(type="append", ctx=self.ctx, text=piece)
            await self._connection.send(type="end", ctx=self.ctx)
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
            await self._connection.send(type="credit", ctx=self.ctx, ms=owed_ms)


async def _pieces(text: Text) -> AsyncIterator[str]:
    """Yield the text in pieces that fit one message."""
    if isinstance(text, str):
        for start in range(0, len(text), APPEND_CHARS):
            yield text[start : start + APPEND_CHARS]
        return
    async for piece in text:
        for start in range(0, len(piece), APPEND_CHARS):
            yield piece[start : start + APPEND_CHARS]
