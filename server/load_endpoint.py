"""`GET /v1/load`: how much the server has to do, and how well it keeps up.

Input   HTTP requests
Output  JSON; docs/protocol.md has its shape
State   none
It does not know who is served.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from server.auth import refusal
from server.backend import Backend
from server.loop_lag import LoopLagMeter
from server.native import NativeEndpoint

LOAD_PATH = "/v1/load"
BYTES_PER_MB = 1_000_000


class LoadEndpoint:
    """Answers requests about the load. Belongs to one event loop."""

    def __init__(self, backend: Backend, native: NativeEndpoint, lag: LoopLagMeter) -> None:
        self._backend = backend
        self._native = native
        self._lag = lag

    async def tell(self, request: web.Request) -> web.Response:
        """Tell what the scheduler, admission and the event loop are doing."""
        backend = self._backend
        if (refused := refusal(request, backend.config.auth)) is not None:
            return refused
        capacity = backend.admission.capacity
        costs = {name: capacity.cost(name) for name in capacity.voices}
        return web.json_response(
            {
                "admission": asdict(backend.admission.statistics()),
                "scheduler": asdict(backend.scheduler.statistics()),
                "cost_per_audio_s": costs,
                "overhead": capacity.overhead,
                "connections": self._native.n_connections,
                "cpu_s": round(time.process_time(), 3),
                "loop_lag": asdict(self._lag.read()),
                "memory_mb": _memory_mb(),
                "peak_memory_mb": round(_peak_memory_bytes() / BYTES_PER_MB, 1),
            }
        )


def _memory_mb() -> float | None:
    """Return the resident size; None where the system does not tell (other than Linux)."""
    try:
        n_pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return round(n_pages * resource.getpagesize() / BYTES_PER_MB, 1)


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
