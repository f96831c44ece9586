"""Streams on a simulated machine: the real schedule and admission, a clock that jumps, calls with a cost."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from streaming.account import SAFETY_S
from streaming.scheduling.schedule import NEVER, Order, Task, Tenant
from tests.streaming.doubles import EVERYBODY


@dataclass(eq=False)
class SimStream:
    """One listener: `n_blocks` blocks of `block_s` of audio, each of `n_calls` calls that cost `call_s`."""

    arrives_s: float
    n_blocks: int
    call_s: float
    n_calls: int = 2
    block_s: float = 0.2
    start_calls: int = 0  # more calls before the first block
    tenant: Tenant = EVERYBODY
    company: str | None = None
    leaves_s: float = NEVER
    max_ahead_s: float = 4.0
    # What became of it:
    dry_s: float = -NEVER
    ready_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    refused: bool = False
    work_s: float = 0.0

    voice_name = "sim"

    @property
    def text_goes_on(self) -> bool:
        return False

    def unspoken_s(self, audio_s_per_char: float) -> float:
        return (self.n_blocks - len(self.ready_s)) * self.block_s

    @property
    def ttfc_s(self) -> float:
        return self.ready_s[0] - self.arrives_s

    @property
    def load(self) -> float:
        return self.n_calls * self.call_s / self.block_s


@dataclass(slots=True, eq=False)
class SimTask(Task):
    stream: SimStream | None = None
    calls_left: int = 0


class Machine:
    """Runs streams on `n_cores`; a call is never interrupted, as on a machine without priorities."""

    def __init__(
        self,
        order: Order[SimTask],
        n_cores: int = 1,
        *,
        row_share: float = 1.0,
        admits: Callable[[SimStream], bool] = lambda stream: True,
    ) -> None:
        self.order = order
        self.now_s = 0.0
        self.turns: list[tuple[float, float]] = []  # when, and the deadline of its first
        self.asked: dict[SimStream, list[tuple[float, float]]] = {}  # deadlines of its blocks, and when asked
        self.on_block: Callable[[SimStream, float], None] = lambda stream, cost_s: None
        self.on_leave: Callable[[SimStream], None] = lambda stream: None
        self._n_cores = n_cores
        self._row_share = row_share
        self._admits = admits
        self._busy = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._waiting: dict[SimStream, SimTask] = {}

    def run(self, streams: Sequence[SimStream], until_s: float = 1000.0) -> None:
        for stream in streams:
            self._at(stream.arrives_s, partial(self._arrive, stream))
            if stream.leaves_s < NEVER:
                self._at(stream.leaves_s, partial(self._leave, stream))
        while self._events and self._events[0][0] <= until_s:
            self.now_s, _, act = heapq.heappop(self._events)
            act()
            self._dispatch()

    def _at(self, when_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when_s, next(self._numbers), act))

    def _arrive(self, stream: SimStream) -> None:
        if self._admits(stream):
            self._ask(stream)
        else:
            stream.refused = True

    def _leave(self, stream: SimStream) -> None:
        if (task := self._waiting.pop(stream, None)) is not None:
            self.order.drop(task)
        stream.n_blocks = len(stream.ready_s)
        self.on_leave(stream)

    def _ask(self, stream: SimStream) -> None:
        task = SimTask(
            deadline_s=max(stream.dry_s - SAFETY_S, stream.arrives_s),
            tenant=stream.tenant,
            release_s=stream.dry_s - stream.max_ahead_s,
        )
        task.stream, task.calls_left = stream, stream.n_calls
        if not stream.ready_s:
            task.calls_left += stream.start_calls
        self._waiting[stream] = task
        self.asked.setdefault(stream, []).append((task.deadline_s, self.now_s))
        self.order.add(task)

    def _dispatch(self) -> None:
        while self._busy < self._n_cores:
            tasks = self.order.take_due(self.now_s) or self.order.take_ahead(self.now_s)
            if not tasks:
                if (release_s := self.order.next_release_s()) < NEVER:
                    self._at(release_s, lambda: None)
                return
            self._busy += 1
            streams = [task.stream for task in tasks if task.stream is not None]
            if tasks[0].started:
                self.turns.append((self.now_s, tasks[0].deadline_s))
                costs = sorted((stream.call_s for stream in streams), reverse=True)
                cost_s = costs[0] + self._row_share * sum(costs[1:])
            else:
                cost_s = 0.0
            self._at(self.now_s + cost_s, partial(self._end, tasks, cost_s, self.now_s))

    def _end(self, tasks: list[SimTask], cost_s: float, begun_s: float) -> None:
        self._busy -= 1
        for task in tasks:
            assert task.stream is not None
            stream = task.stream
            self.order.charge(task, cost_s / len(tasks), begun_s)
            stream.work_s += cost_s / len(tasks)
            if self.now_s >= stream.leaves_s:
                continue
            if not task.started:
                task.started, task.company, task.max_company = True, stream.company, 8
            else:
                task.calls_left -= 1
            if task.calls_left:
                self.order.add(task)
            else:
                self._finish_block(stream)

    def _finish_block(self, stream: SimStream) -> None:
        if stream.ready_s:
            stream.late_s.append(max(self.now_s - stream.dry_s, 0.0))
        stream.ready_s.append(self.now_s)
        stream.dry_s = max(stream.dry_s, self.now_s) + stream.block_s
        del self._waiting[stream]
        self.on_block(stream, stream.n_calls * stream.call_s)
        if len(stream.ready_s) < stream.n_blocks:
            self._ask(stream)
        else:
            self.on_leave(stream)
