"""How late the load generator itself is: its event loop, its processor time, and whether it matters.

Input   the event loop, while a level runs
Output  GeneratorFigures, with the reasons not to trust the level
State   overshoots of a short sleep
It does not know servers. A generator that is late measures itself: then the figures say so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clients.bench.percentiles import Distribution, distribution

PROBE_S = 0.02  # how often the loop is probed
SPIN_S = 0.0015  # timers of event loops are exact to 1 ms; the rest is waited for in small turns
MAX_LATE_MS = 5.0
MAX_LATE_SHARE = 0.1  # of the measured p99 TTFC


@dataclass(frozen=True, slots=True)
class GeneratorFigures:
    """The generator's own part in one level.

    Attributes:
        late_ms: Due to sent, without waits for new connections.
        loop_lag_ms: How late a timer of its event loop fired (1 ms is the resolution of timers).
        cpu_share: Processor time of this process over the time of the level; 1 is a full core.
        new_connections: Utterances that had to wait for a handshake.
        connect_ms: How long they waited.
        warnings: Why the level is not to be trusted; empty: it is.
    """

    late_ms: Distribution
    loop_lag_ms: Distribution
    cpu_share: float
    new_connections: int
    connect_ms: Distribution
    warnings: tuple[str, ...]


async def sleep_until(due_s: float, clock: Callable[[], float]) -> None:
    """Sleep until `due_s` on `clock`, more exactly than the timers of the event loop."""
    rest_s = due_s - clock()
    if rest_s > SPIN_S:
        await asyncio.sleep(rest_s - SPIN_S)
    while clock() < due_s:  # noqa: ASYNC110 -- there is no event for a moment in time
        await asyncio.sleep(0)


class LagProbe:
    """Measures the event loop from `async with` to its end."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lags_ms: list[float] = []
        self._task: asyncio.Task[None] | None = None
        self._began = (0.0, 0.0)
        self.cpu_share = 0.0

    async def __aenter__(self) -> LagProbe:
        self._began = (time.process_time(), time.perf_counter())
        self._task = asyncio.create_task(self._probe())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        cpu_s, wall_s = time.process_time() - self._began[0], time.perf_counter() - self._began[1]
        self.cpu_share = cpu_s / wall_s if wall_s else 0.0
        self._task.cancel()
        await asyncio.wait([self._task])

    def lags_ms(self) -> list[float]:
        """Return what was measured."""
        return list(self._lags_ms)

    async def _probe(self) -> None:
        while True:
            before_s = self._clock()
            await asyncio.sleep(PROBE_S)
            self._lags_ms.append(max(0.0, 1000 * (self._clock() - before_s - PROBE_S)))


def judge(
    late_ms: Sequence[float],
    lags_ms: Sequence[float],
    connects_ms: Sequence[float],
    cpu_share: float,
    ttfc_p99_ms: float | None,
) -> GeneratorFigures:
    """Return the generator's figures, with a warning for each reason not to trust the level."""
    late, lag = distribution(late_ms), distribution(lags_ms)
    warnings = []
    limit_ms = MAX_LATE_MS
    if ttfc_p99_ms is not None:
        limit_ms = min(limit_ms, MAX_LATE_SHARE * ttfc_p99_ms)
    if late.p99 is not None and late.p99 > limit_ms:
        warnings.append(
            f"the generator sent its requests {late.p99:.1f} ms late (p99; {limit_ms:.1f} ms are allowed)"
        )
    if lag.p99 is not None and lag.p99 > MAX_LATE_MS:
        warnings.append(
            f"the generator's event loop was {lag.p99:.1f} ms late (p99; {MAX_LATE_MS:.0f} ms are allowed)"
        )
    return GeneratorFigures(
        late, lag, round(cpu_share, 3), len(connects_ms), distribution(connects_ms), tuple(warnings)
    )
