"""Which streams advance next: the order of everything that waits to be computed.

Input   tasks with deadlines, as they come; the time
Output  turns: tasks whose next calls run together
State   what waits, what rests, what each tenant has had
Not here: threads, clocks, networks. tests/streaming/scheduling/test_schedule.py runs it on a simulated clock.

A task is one block of one stream, call by call; between two calls it waits here again, so the longest that
anything urgent waits for is one call. In this order:

1. *Due* tasks, whose deadline has come: first blocks, which are due at once, and streams near to running dry.
   Among tenants by what they have had, in proportion to their weights (start-time fair queueing, Goyal,
   Vin and Cheng 1996); within a tenant earliest deadline first.
2. Tasks ahead of their deadline, earliest deadline first. A task rests until its release: a stream that is
   far enough ahead is not computed further, since a listener who interrupts would never hear it.
3. Idle tasks, which nobody waits for.

Deadlines stand still while tasks wait and those of later work lie later, so nothing starves but idle tasks.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

MAX_STARTS = 32  # tasks that are started together: 30 microseconds each
NEVER = float("inf")
NOT_WAITING = -1


@dataclass(slots=True, eq=False)
class Tenant:
    """Whose task it is, for fair shares.

    Attributes:
        name: For logs and statistics.
        weight: Share relative to other tenants when there is not enough for all.
        served_s: Compute seconds over weight that it had while its tasks were due.
    """

    name: str
    weight: float = 1.0
    served_s: float = 0.0


@dataclass(slots=True, eq=False)
class Task:
    """One block of one stream, on its way through its calls.

    Attributes:
        deadline_s: When the listener needs it.
        release_s: Before this it rests.
        tenant: On whose account.
        idle: Nobody waits for it: it runs when nothing else wants to.
        started: Whether its next call is known; starting costs next to nothing.
        company: Tasks with equal ones may run as one call; None runs alone.
        max_company: How many.
    """

    deadline_s: float
    tenant: Tenant
    release_s: float = -NEVER
    idle: bool = False
    started: bool = field(default=False, init=False)
    company: Hashable | None = field(default=None, init=False)
    max_company: int = field(default=1, init=False)
    arrival: int = field(default=NOT_WAITING, init=False)  # equal deadlines are served in this order
    ticket: int = field(default=NOT_WAITING, init=False)  # of the place where it waits

    @property
    def is_waiting(self) -> bool:
        """Whether it is in the schedule, resting or not."""
        return self.ticket != NOT_WAITING


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms the blocks of one utterance are computed.

    Attributes:
        tenant: On whose account.
        max_ahead_s: Audio that its listener may be ahead of before it rests; `NEVER` does not rest.
        idle: Nobody waits for it.
    """

    tenant: Tenant
    max_ahead_s: float = NEVER
    idle: bool = False


TaskT = TypeVar("TaskT", bound=Task)
Entry = tuple[float, int, int, TaskT]  # when, arrival, ticket


class Order(Protocol[TaskT]):
    """What a scheduler asks; `Schedule` is the product's, others are measured against it."""

    @property
    def n_waiting(self) -> int:
        """Tasks that wait or rest."""
        ...

    def add(self, task: TaskT) -> None:
        """Let a task wait for its (next) turn."""
        ...

    def drop(self, task: TaskT) -> None:
        """Forget a task that waits."""
        ...

    def take_due(self, now_s: float) -> list[TaskT]:
        """Remove and return the tasks of the next turn of what is due; empty if nothing is."""
        ...

    def take_ahead(self, now_s: float) -> list[TaskT]:
        """Remove and return the tasks of the next turn of what is not due yet; empty if all rest."""
        ...

    def charge(self, task: TaskT, cost_s: float, now_s: float) -> None:
        """Note what a turn cost this task."""
        ...

    def next_due_s(self) -> float:
        """When the first of what is ready becomes due, or became; `NEVER` if nothing is ready."""
        ...

    def next_release_s(self) -> float:
        """When the first of what rests wakes up; `NEVER` if nothing rests."""
        ...


class Schedule(Generic[TaskT]):
    """Earliest deadline first, with company, rest and fair shares. Not thread-safe."""

    def __init__(self) -> None:
        self._tickets = itertools.count()
        self._by_tenant: dict[Tenant, list[Entry[TaskT]]] = {}
        self._by_company: dict[Hashable, list[Entry[TaskT]]] = {}
        self._unstarted: list[Entry[TaskT]] = []
        self._resting: list[Entry[TaskT]] = []
        self._idle: list[Entry[TaskT]] = []
        self._n_waiting = self._n_entries = 0
        self._served_s = 0.0  # of the tenant that was served last: where one that returns begins

    @property
    def n_waiting(self) -> int:
        """Tasks that wait or rest."""
        return self._n_waiting

    def add(self, task: TaskT) -> None:
        """Let a task wait for its (next) turn. A task that has begun does not rest any more."""
        task.ticket = next(self._tickets)
        if task.arrival == NOT_WAITING:
            task.arrival = task.ticket
        self._n_waiting += 1
        if not task.started and task.release_s > -NEVER:
            self._push(self._resting, task.release_s, task)
        else:
            self._make_ready(task)

    def drop(self, task: TaskT) -> None:
        """Forget a task that waits; without effect on one that does not."""
        if task.is_waiting:
            self._remove(task)
            self._compact()

    def take_due(self, now_s: float) -> list[TaskT]:
        """Remove and return the next turn of what is due.

        Only what is due itself may keep a due task company: a first block is not slowed down for work that
        has time.
        """
        self._wake(now_s)
        heads = [head for head in self._heads() if head[0] <= now_s]
        if not heads:
            return []
        best = min(heads, key=lambda head: (head[3].tenant.served_s, head[:2]))[3]
        self._served_s = max(self._served_s, best.tenant.served_s)
        return self._turn(best, now_s)

    def take_ahead(self, now_s: float) -> list[TaskT]:
        """Remove and return the next turn of what is not due, idle tasks last."""
        self._wake(now_s)
        best = min(self._heads(), key=lambda head: head[:2], default=None) or self._head(self._idle)
        return [] if best is None else self._turn(best[3], NEVER)

    def charge(self, task: TaskT, cost_s: float, now_s: float) -> None:
        """Note what a turn cost this task; work ahead of its time is nobody's loss."""
        if task.deadline_s <= now_s and not task.idle:
            task.tenant.served_s += cost_s / task.tenant.weight

    def next_due_s(self) -> float:
        """Return when the first of what is ready becomes due, or became; `NEVER` if nothing is ready."""
        return min((head[0] for head in self._heads()), default=NEVER)

    def next_release_s(self) -> float:
        """Return when the first of what rests wakes up; `NEVER` if nothing rests."""
        resting = self._head(self._resting)
        return NEVER if resting is None else resting[0]

    def _turn(self, best: TaskT, until_s: float) -> list[TaskT]:
        """Take `best` and, among tasks with deadlines up to `until_s`, its company."""
        if best.idle:
            waiting, limit = [], 1
        elif not best.started:
            waiting, limit = self._unstarted, MAX_STARTS
        elif best.company is None or best.max_company == 1:
            waiting, limit = [], 1
        else:
            # What has not been started yet may turn out to be company.
            if starts := self._collect(self._unstarted, until_s, MAX_STARTS):
                return starts
            waiting, limit = self._by_company[best.company], best.max_company
        self._remove(best)
        tasks = [best, *self._collect(waiting, until_s, limit - 1)]
        self._compact()
        return tasks

    def _collect(self, waiting: list[Entry[TaskT]], until_s: float, limit: int) -> list[TaskT]:
        tasks: list[TaskT] = []
        while len(tasks) < limit and (head := self._head(waiting)) is not None and head[0] <= until_s:
            tasks.append(head[3])
            self._remove(head[3])
        return tasks

    def _wake(self, now_s: float) -> None:
        while (head := self._head(self._resting)) is not None and head[0] <= now_s:
            heapq.heappop(self._resting)
            self._n_entries -= 1
            self._make_ready(head[3])

    def _make_ready(self, task: TaskT) -> None:
        if task.idle:
            self._push(self._idle, task.deadline_s, task)
            return
        if self._head(self._by_tenant.setdefault(task.tenant, [])) is None:
            task.tenant.served_s = max(task.tenant.served_s, self._served_s)
        self._push(self._by_tenant[task.tenant], task.deadline_s, task)
        if not task.started:
            self._push(self._unstarted, task.deadline_s, task)
        elif task.company is not None:
            self._push(self._by_company.setdefault(task.company, []), task.deadline_s, task)

    def _push(self, heap: list[Entry[TaskT]], key_s: float, task: TaskT) -> None:
        heapq.heappush(heap, (key_s, task.arrival, task.ticket, task))
        self._n_entries += 1

    def _remove(self, task: TaskT) -> None:
        """Let its entries go stale: they are dropped when they surface."""
        task.ticket = NOT_WAITING
        self._n_waiting -= 1

    def _head(self, heap: list[Entry[TaskT]]) -> Entry[TaskT] | None:
        """Return the first entry that is not stale."""
        while heap and heap[0][3].ticket != heap[0][2]:
            heapq.heappop(heap)
            self._n_entries -= 1
        return heap[0] if heap else None

    def _heads(self) -> list[Entry[TaskT]]:
        return [head for heap in self._by_tenant.values() if (head := self._head(heap)) is not None]

    def _heaps(self) -> Iterator[list[Entry[TaskT]]]:
        yield from self._by_tenant.values()
        yield from self._by_company.values()
        yield from (self._unstarted, self._resting, self._idle)

    def _compact(self) -> None:
        """Rebuild when stale entries prevail, and forget tenants and companies of which nothing waits."""
        if self._n_entries <= 4 * self._n_waiting + 64:  # a task that waits has up to two entries
            return
        for heap in self._heaps():
            heap[:] = [entry for entry in heap if entry[3].ticket == entry[2]]
            heapq.heapify(heap)
        self._by_tenant = {tenant: heap for tenant, heap in self._by_tenant.items() if heap}
        self._by_company = {company: heap for company, heap in self._by_company.items() if heap}
        self._n_entries = sum(len(heap) for heap in self._heaps())
