"""Who is inside: requests and connections of all protocols but the native one, and when all must leave.

Input   arrivals and departures; the news that the server shuts down
Output  OverloadedError where there is no room
State   a count, and whether the door is closed
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from streaming.errors import OverloadedError

GRACE_S = 2.0  # for closing handshakes, besides the time to finish speaking


class Door:
    """Belongs to one event loop."""

    def __init__(self, n_places: int, retry_after_ms: int) -> None:
        self._n_places = n_places
        self._retry_after_ms = retry_after_ms
        self.n_inside = 0
        self.closing = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def is_open(self) -> bool:
        """Whether another one would be let in."""
        return not self.closing.is_set() and self.n_inside < self._n_places

    async def close(self, drain_s: float) -> None:
        """Let nobody in any more; those who wait on `closing` leave. Wait for all, but not for ever."""
        self.closing.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(drain_s + GRACE_S):
                await self._empty.wait()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            OverloadedError: All are taken, or the server is shutting down.
        """
        if self.closing.is_set():
            raise OverloadedError("the server is shutting down", self._retry_after_ms)
        if self.n_inside >= self._n_places:
            text = f"{self._n_places} requests are being served, which is the limit"
            raise OverloadedError(text, self._retry_after_ms)
        self.n_inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self.n_inside -= 1
            if not self.n_inside:
                self._empty.set()
