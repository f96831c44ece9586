"""A client's permission to send: how much audio may be on its way.

Input   grants in milliseconds; samples that are about to be sent
Output  how many samples may be sent now
State   two counters
It does not know frames or sockets.
"""

from __future__ import annotations

import asyncio


class CreditWindow:
    """Credit of one utterance; unlimited when the window is 0."""

    def __init__(self, window_ms: int, rate: int, free_samples: int = 0) -> None:
        """Start with `window_ms` of audio granted, at `rate` samples per second, and `free_samples` more."""
        self._unlimited = window_ms == 0
        self._granted_ms = window_ms
        self._rate = rate
        self._spent_samples = -free_samples
        self._changed = asyncio.Event()

    def grant(self, ms: int) -> None:
        """Allow `ms` more."""
        self._granted_ms += ms
        self._changed.set()

    async def take(self, wanted_samples: int) -> int:
        """Wait for credit and spend it; return how much, 1 to `wanted_samples`.

        Cancel-safe: nothing is spent when cancelled. One caller at a time.
        """
        while (allowed := self._available(wanted_samples)) < 1:
            self._changed.clear()
            await self._changed.wait()
        self._spent_samples += allowed
        return allowed

    def _available(self, wanted_samples: int) -> int:
        if self._unlimited:
            return wanted_samples
        granted = self._granted_ms * self._rate // 1000
        return min(wanted_samples, granted - self._spent_samples)
