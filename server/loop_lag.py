"""How late the event loop is: whatever it does at a time, everything else on it waits for.

Input   the passing of time
Output  LoopLag: percentiles of the delay over the last minute
State   the latest delays
It does not know what the loop does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import numpy as np

INTERVAL_S = 0.02
WINDOW = 3000  # delays: a minute


@dataclass(frozen=True, slots=True)
class LoopLag:
    """Delay of a timer beyond the time that it was set for, in milliseconds, over the last minute."""

    p50_ms: float
    p99_ms: float
    max_ms: float


class LoopLagMeter:
    """Measures the event loop that it is run on."""

    def __init__(self) -> None:
        self._delays_ms: deque[float] = deque(maxlen=WINDOW)

    async def run(self) -> None:
        """Measure until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            due_s = clock() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            self._delays_ms.append(1000.0 * max(clock() - due_s, 0.0))

    def read(self) -> LoopLag:
        """Return what was measured; zeros before anything was."""
        if not self._delays_ms:
            return LoopLag(0.0, 0.0, 0.0)
        p50, p99, worst = np.percentile(list(self._delays_ms), [50, 99, 100])
        return LoopLag(round(float(p50), 3), round(float(p99), 3), round(float(worst), 3))
