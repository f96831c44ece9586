"""Our server with another order of work: what the scheduler is measured against. Not part of the product.

fifo     blocks in the order in which they were asked for, none rests, none has company
serial   one request at a time: a request is computed to its end before the next one begins

Everything else is the same. Run as `python -m benchmarks.baselines fifo serve ...`.
"""

from __future__ import annotations

import itertools
import sys
from collections import deque
from typing import Any

import server.backend
from server.cli import main as zhiyin
from streaming.scheduling.schedule import NEVER
from streaming.scheduling.scheduler import Block, Scheduler
from streaming.types import StageTimes


class Fifo:
    """Blocks in the order of their first arrival; a block that has begun is finished before the next."""

    def __init__(self) -> None:
        self._waiting: deque[Block] = deque()
        self._tickets = itertools.count()

    @property
    def n_waiting(self) -> int:
        """Blocks that wait."""
        return len(self._waiting)

    def add(self, task: Block) -> None:
        """Let a block wait; one that has begun goes first."""
        task.ticket = next(self._tickets)
        if task.started:
            self._waiting.appendleft(task)
        else:
            self._waiting.append(task)

    def drop(self, task: Block) -> None:
        """Forget a block."""
        if task.is_waiting:
            self._waiting.remove(task)
            task.ticket = -1

    def take_due(self, now_s: float) -> list[Block]:
        """Return the block that has waited longest."""
        if not self._waiting:
            return []
        task = self._waiting.popleft()
        task.ticket = -1
        return [task]

    def take_ahead(self, now_s: float) -> list[Block]:
        """Everything is due."""
        return []

    def charge(self, task: Block, cost_s: float, now_s: float) -> None:
        """No shares."""

    def next_due_s(self) -> float:
        """Nothing becomes due by itself."""
        return NEVER

    def next_release_s(self) -> float:
        """Nothing rests."""
        return NEVER


class Serial(Fifo):
    """One request after the other: whose block was taken last is served until it asks for nothing more.

    A stream is known by its stage times, which all its blocks share.
    """

    def __init__(self) -> None:
        super().__init__()
        self._order: dict[int, tuple[int, StageTimes]] = {}  # holds them, so that no id comes again

    def take_due(self, now_s: float) -> list[Block]:
        """Return the block of the request that came first."""
        if not self._waiting:
            return []
        for task in self._waiting:
            self._order.setdefault(id(task.times), (len(self._order), task.times))
        first = min(self._waiting, key=lambda task: self._order[id(task.times)][0])
        self.drop(first)
        return [first]


ORDERS = {"fifo": Fifo, "serial": Serial}


def main(arguments: list[str]) -> int:
    """Run `zhiyin` with the named order."""
    order = ORDERS[arguments[0]]

    class Ordered(Scheduler):
        def __init__(self, n_cores: int, **options: Any) -> None:
            super().__init__(n_cores, order=order(), **options)

    server.backend.Scheduler = Ordered  # type: ignore[attr-defined]
    return zhiyin(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
