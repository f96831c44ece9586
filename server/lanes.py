"""The way out of a connection: a lane per utterance, one writer, bounded everywhere.

Input   frames from utterances (each into its own lane) and from the reader (the control lane)
Output  the same frames through one `send`, lane by lane in turn; control frames go first
State   the frames that wait; they are few, so that a cancel has little to drop
It does not know what is in the frames. Nothing else writes to the socket, so once a lane is
closed no frame of it can follow.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from server.framing import Frame

LANE_FRAMES = 2  # one being written, one ready: the model works on the next meanwhile
CONTROL_FRAMES = 256  # answers that may wait while the client reads nothing

OnWrite = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    frame: Frame
    on_write: OnWrite | None


class Lane:
    """The ordered frames of one utterance on their way out."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._frames: deque[_Waiting] = deque()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False

    async def put(self, frame: Frame, on_write: OnWrite | None = None) -> None:
        """Queue a frame as soon as there is room.

        Cancel-safe: a cancelled put leaves nothing behind. One caller at a time. `on_write` is
        called right before the frame is handed to the transport, and never if it is dropped.
        """
        while len(self._frames) >= LANE_FRAMES:
            self._room.clear()
            await self._room.wait()
        if not self._closed:
            self._frames.append(_Waiting(frame, on_write))
            self._outbox.note_frame(self)

    async def drain(self) -> None:
        """Wait until every queued frame has been handed to the transport. Cancel-safe."""
        while self._frames:
            self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        """Drop what waits; later puts are ignored. Idempotent."""
        self._closed = True
        self._frames.clear()
        self._room.set()

    def take(self) -> _Waiting | None:
        """Remove the next frame; for the outbox only."""
        if not self._frames:
            return None
        waiting = self._frames.popleft()
        self._room.set()
        return waiting

    @property
    def is_empty(self) -> bool:
        """Whether no frame waits."""
        return not self._frames


class Outbox:
    """The one writer of a connection."""

    def __init__(
        self, send: Callable[[Frame], Awaitable[None]], *, stall_s: float, on_stuck: Callable[[str], None]
    ) -> None:
        """Write through `send`, which returns when the transport can take more.

        `on_stuck` is told why, once, when the client does not take what it is sent: the transport
        took nothing for `stall_s`, or too many answers wait. The write under way is not cancelled
        then: the closing handshake waits for the same transport.
        """
        self._send = send
        self._stall_s = stall_s
        self._on_stuck = on_stuck
        self._stuck = False
        self._control: deque[Frame] = deque()
        self._turns: deque[Lane] = deque()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_stuck(self) -> bool:
        """Whether the client has stopped reading, so that nothing can be flushed."""
        return self._stuck

    def lane(self) -> Lane:
        """Return a new lane; it takes turns with the others while it holds frames."""
        return Lane(self)

    def say(self, frame: Frame) -> None:
        """Queue a control frame before all lanes; never blocks, so that the reader may call it.

        When too many wait, the frame is dropped and the outbox is stuck.
        """
        if len(self._control) >= CONTROL_FRAMES:
            self._get_stuck(f"{CONTROL_FRAMES} answers were not read")
        else:
            self._control.append(frame)
            self._wake()

    def note_frame(self, lane: Lane) -> None:
        """Give `lane` its turn; for lanes only."""
        if lane not in self._turns:
            self._turns.append(lane)
        self._wake()

    async def flushed(self) -> None:
        """Wait until nothing waits and nothing is being written. Cancel-safe."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled.

        Raises:
            ConnectionError: The client is gone.
        """
        while True:
            while (waiting := self._next()) is not None:
                if waiting.on_write is not None:
                    waiting.on_write()
                await self._write(waiting.frame)
            self._idle.set()
            self._news.clear()
            await self._news.wait()

    async def _write(self, frame: Frame) -> None:
        reason = f"nothing was read for {self._stall_s:g} s"
        timer = asyncio.get_running_loop().call_later(self._stall_s, self._get_stuck, reason)
        try:
            await self._send(frame)
        finally:
            timer.cancel()

    def _get_stuck(self, reason: str) -> None:
        if not self._stuck:
            self._stuck = True
            self._on_stuck(reason)

    def _wake(self) -> None:
        self._idle.clear()
        self._news.set()

    def _next(self) -> _Waiting | None:
        """Return the next frame: control first, then one from each lane in turn."""
        if self._control:
            return _Waiting(self._control.popleft(), None)
        while self._turns:
            lane = self._turns.popleft()
            waiting = lane.take()
            if waiting is not None:
                if not lane.is_empty:
                    self._turns.append(lane)
                return waiting
        return None
