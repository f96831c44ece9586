"""Protocols whose connections carry one utterance at a time: what they have in common.

Input   requests; Line, a connection of such a protocol
Output  streams
State   the connections; those that nobody uses
Spare connections are opened ahead of need, as in `native`. A connection that can carry another utterance is
used again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from clients.bench.adapters.adapter import (
    Chunk,
    FailedError,
    Receipt,
    RefusedError,
    Request,
    ServerInfo,
    UnreachableError,
)

SPARE_LINES = 4  # arrivals that come at once find a warm connection each
OPENING_AT_ONCE = 16  # handshakes in parallel while warming up
RETRY_S = 1.0  # after a spare connection was turned away


@dataclass(frozen=True, slots=True)
class Introduction:
    """What is learnt about a server before anything is measured."""

    version: str
    sample_rate: int


class Line(Protocol):
    """A connection. Everything raises RefusedError or FailedError where the server or the network does."""

    @property
    def is_free(self) -> bool:
        """Whether another utterance can be begun on it."""
        ...

    async def introduce(self) -> Introduction:
        """Learn who is there; before any utterance."""
        ...

    async def begin(self, text: str) -> None:
        """Begin an utterance with its first text, and say nothing about whether more comes."""
        ...

    async def append(self, text: str) -> None:
        """Send more text."""
        ...

    async def end(self) -> None:
        """Say that no more text comes."""
        ...

    async def next(self) -> bytes | None:
        """Return the next bytes of PCM, or None at the end of the utterance. Cancel-safe."""
        ...

    async def cancel(self) -> None:
        """Interrupt the utterance as clients of this protocol do."""
        ...

    def abort(self) -> None:
        """Drop the TCP connection. Idempotent."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


Connect = Callable[[bool], Awaitable[Line]]
"""Opens a connection; it is told whether its reader is slow."""


class LineStream:
    """An utterance on a line of its own; see `adapter.Stream`."""

    receipt: Receipt | None = None  # these protocols have none

    def __init__(
        self, line: Line, connect_s: float, clock: Callable[[], float], on_over: Callable[[Line], None]
    ) -> None:
        self.sent_s = clock()
        self.connect_s = connect_s
        self._line = line
        self._clock = clock
        self._on_over = on_over
        self._over = False
        self._half = b""  # messages may end in the middle of a sample
        self._sender: asyncio.Task[None] | None = None

    async def send(self, request: Request) -> None:
        """Send the request; pieces that are not due yet are sent by a task of their own."""
        await self._line.begin(request.tokens[0].text if request.tokens else request.text)
        if len(request.tokens) > 1:
            self._sender = asyncio.create_task(self._trickle(request))
        else:
            await self._line.end()

    async def next(self) -> Chunk | None:
        """Return the next audio, or None at the end."""
        while not self._over:
            try:
                data = await self._line.next()
            except (FailedError, RefusedError):
                self.abort()
                raise
            now_s = self._clock()
            if data is None:
                self._finish()
                return None
            data = self._half + data
            whole = len(data) & ~1
            self._half = data[whole:]
            if whole:
                return Chunk(data[:whole], now_s)
        return None

    async def cancel(self) -> None:
        """Barge in."""
        self._stop_sending()
        await self._line.cancel()
        self._finish()

    def abort(self) -> None:
        """Drop the connection."""
        if not self._over:
            self._line.abort()
            self._finish()

    def abandon(self) -> None:
        """Drop the connection: nobody else is on it."""
        self.abort()

    async def _trickle(self, request: Request) -> None:
        with contextlib.suppress(FailedError, RefusedError):  # the reader learns of it
            for token in request.tokens[1:]:
                await asyncio.sleep(max(0.0, request.due_s + token.after_s - self._clock()))
                await self._line.append(token.text)
            await self._line.end()

    def _finish(self) -> None:
        self._over = True
        self._stop_sending()
        self._on_over(self._line)

    def _stop_sending(self) -> None:
        if self._sender is not None:
            self._sender.cancel()


class LineAdapter:
    """See `adapter.Adapter`."""

    def __init__(self, connect: Connect, sample_rate: int, clock: Callable[[], float]) -> None:
        """Open lines with `connect`; `sample_rate` holds until the server has introduced itself."""
        self.sample_rate = sample_rate
        self._connect = connect
        self._clock = clock
        self._free: list[Line] = []
        self._busy: set[Line] = set()
        self._openings: set[asyncio.Task[None]] = set()
        self._retry_s = 0.0

    async def open(self) -> ServerInfo:
        """Connect once and say which server it is."""
        try:
            line = await self._connect(False)
            try:
                introduction = await line.introduce()
            except (RefusedError, FailedError):
                line.abort()
                raise
        except (RefusedError, FailedError) as error:
            words = error.message if isinstance(error, FailedError) else f"turned away: {error}"
            raise UnreachableError(words) from error
        self.sample_rate = introduction.sample_rate
        self._free.append(line)
        return ServerInfo(introduction.version)

    async def warm(self, n_connections: int) -> None:
        """Open connections until so many are free, or the server turns us away."""
        self._free = [line for line in self._free if line.is_free]
        while (missing := n_connections - len(self._free)) > 0:
            opened = await asyncio.gather(
                *(self._connect(False) for _ in range(min(missing, OPENING_AT_ONCE))), return_exceptions=True
            )
            self._free += [line for line in opened if not isinstance(line, BaseException)]
            if any(isinstance(line, BaseException) for line in opened):
                return

    async def start(self, request: Request) -> LineStream:
        """Send a request on a connection that nobody uses."""
        line = None if request.is_slow else self._take()
        connect_s = 0.0
        if line is None:
            began_s = self._clock()
            line = await self._connect(request.is_slow)
            connect_s = self._clock() - began_s
        self._busy.add(line)
        stream = LineStream(line, connect_s, self._clock, self._drop if request.is_slow else self._offer)
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
        free, self._free = self._free, []
        await asyncio.gather(*(line.close() for line in free))

    async def close(self) -> None:
        """Close everything."""
        for task in self._openings:
            task.cancel()
        if self._openings:
            await asyncio.wait(self._openings)
        for line in list(self._busy):
            line.abort()
        await self.cool()

    def _take(self) -> Line | None:
        while self._free:
            line = self._free.pop()
            if line.is_free:
                return line
        return None

    def _offer(self, line: Line) -> None:
        self._busy.discard(line)
        if line.is_free:
            self._free.append(line)

    def _drop(self, line: Line) -> None:
        """End a slow reader's connection: its buffers are not those of the others."""
        self._busy.discard(line)
        line.abort()

    def _keep_spare(self) -> None:
        if len(self._free) + len(self._openings) < SPARE_LINES:
            task = asyncio.create_task(self._open_spare())
            self._openings.add(task)
            task.add_done_callback(self._openings.discard)

    async def _open_spare(self) -> None:
        if self._clock() < self._retry_s:
            return
        with contextlib.suppress(RefusedError, FailedError):
            self._free.append(await self._connect(False))
            return
        self._retry_s = self._clock() + RETRY_S
