"""Run one load level on one target: open loop or closed loop.

Input   a level's plan, an adapter
Output  LevelRun: the records, and how the generator itself did
State   the utterances under way
Open loop: utterances start when the plan says, whatever the server does, and every latency counts
from the plan's time (no coordinated omission). Closed loop: each user speaks, listens to the end,
thinks, and speaks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from typing import Any

from clients.bench.adapters.adapter import Adapter
from clients.bench.generator import LagProbe, sleep_until
from clients.bench.plan import LevelPlan, Planned
from clients.bench.record import Record
from clients.bench.tally import Tally
from clients.bench.utterance import Listener, speak

LEAD_S = 0.02  # between the decision to begin and the first moment of the plan
WARM_SHARE = 1.5  # connections that are warm before a level, per expected stream
WARM_EXTRA = 4
BACK_OFF_S = 0.1  # of a user of a closed loop whose request failed; no server is helped by a tight loop


@dataclass(frozen=True, slots=True)
class Window:
    """When utterances count: those due from `from_s` to `to_s` of the level."""

    from_s: float
    to_s: float

    @property
    def length_s(self) -> float:
        """Return its length."""
        return self.to_s - self.from_s


@dataclass(frozen=True, slots=True)
class LevelSetup:
    """How levels are run.

    Attributes:
        warm_up_s: Utterances due before do not count.
        duration_s: Length of the measured window after it.
        timeout_s: When an utterance of which nothing comes is given up.
        slow_factor: Speed of slow readers.
        s_per_char: Expected audio per character.
        clock: Time in seconds, the adapters'.
        stop: Set when the run is to end now.
    """

    warm_up_s: float
    duration_s: float
    timeout_s: float
    slow_factor: float
    s_per_char: float
    clock: Callable[[], float]
    stop: asyncio.Event

    @property
    def window(self) -> Window:
        """Return the window of a level that is not interrupted."""
        return Window(self.warm_up_s, self.warm_up_s + self.duration_s)


@dataclass(frozen=True, slots=True)
class LevelRun:
    """What a level brought: all records, of the warm-up too; `window` tells which count."""

    target: str
    level: int
    window: Window
    records: tuple[Record, ...]
    lags_ms: tuple[float, ...]
    cpu_share: float
    is_interrupted: bool


class LevelRunner:
    """Runs one level."""

    def __init__(
        self, target: str, adapter: Adapter, plan: LevelPlan, setup: LevelSetup, tally: Tally
    ) -> None:
        self._target = target
        self._adapter = adapter
        self._plan = plan
        self._setup = setup
        self._tally = tally
        self._records: list[Record] = []
        self._start_s = 0.0

    async def open_loop(self, expected_streams: float) -> LevelRun:
        """Send what the plan says when it says so."""
        planned = self._plan.until(self._setup.window.to_s)
        await self._adapter.warm(int(WARM_SHARE * expected_streams) + WARM_EXTRA)
        return await self._run(self._arrivals(planned))

    async def closed_loop(self, n_clients: int, stagger_s: float) -> LevelRun:
        """Let so many users talk until the window is over; they begin within `stagger_s`."""
        await self._adapter.warm(n_clients)
        return await self._run(self._users(self._plan.first_starts(n_clients, stagger_s)))

    async def _run(self, work: Coroutine[Any, Any, None]) -> LevelRun:
        """Do the work until it is done or the run is stopped; then nothing is left under way."""
        setup = self._setup
        self._start_s = setup.clock() + LEAD_S
        async with LagProbe(setup.clock) as probe:
            task = asyncio.create_task(work)
            stop = asyncio.create_task(setup.stop.wait())
            try:
                await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
            finally:
                is_interrupted = not task.done()
                task.cancel()
                stop.cancel()
                await asyncio.wait([task, stop])
        if not is_interrupted:
            task.result()
        return LevelRun(
            target=self._target,
            level=self._plan.level,
            window=self._window(is_interrupted),
            records=tuple(sorted(self._records, key=lambda record: record.number)),
            lags_ms=tuple(probe.lags_ms()),
            cpu_share=probe.cpu_share,
            is_interrupted=is_interrupted,
        )

    def _window(self, is_interrupted: bool) -> Window:
        window = self._setup.window
        if not is_interrupted:
            return window
        now_s = self._setup.clock() - self._start_s
        return Window(window.from_s, max(window.from_s, min(window.to_s, now_s)))

    async def _arrivals(self, planned: list[Planned]) -> None:
        async with asyncio.TaskGroup() as group:
            for utterance in planned:
                due_s = self._start_s + utterance.due_s
                await sleep_until(due_s, self._setup.clock)
                group.create_task(self._speak(utterance, due_s))

    async def _users(self, starts_s: list[float]) -> None:
        numbers = count()
        async with asyncio.TaskGroup() as group:
            for start_s in starts_s:
                group.create_task(self._user(start_s, numbers))

    async def _user(self, first_s: float, numbers: count[int]) -> None:
        due_s = self._start_s + first_s
        end_s = self._start_s + self._setup.window.to_s
        while due_s < end_s:
            await sleep_until(due_s, self._setup.clock)
            planned = self._plan[next(numbers)]
            record = await self._speak(planned, due_s)
            heard_s = max(record.end_s, record.playback_end_s or 0.0)
            if record.outcome == "cancelled" and record.playback_end_s is not None:
                heard_s = record.playback_end_s  # whoever interrupts does not wait for the acknowledgement
            due_s = self._start_s + heard_s + _back_off_s(record) + planned.think_s

    async def _speak(self, planned: Planned, due_s: float) -> Record:
        setup = self._setup
        listener = Listener(
            target=self._target,
            level=self._plan.level,
            start_s=self._start_s,
            clock=setup.clock,
            timeout_s=setup.timeout_s,
            slow_factor=setup.slow_factor,
            s_per_char=setup.s_per_char,
            tally=self._tally,
        )
        record = await speak(self._adapter, planned, due_s, listener)
        self._records.append(record)
        return record


def _back_off_s(record: Record) -> float:
    if record.outcome not in ("refused", "error"):
        return 0.0
    return max(BACK_OFF_S, (record.retry_after_ms or 0) / 1000)
