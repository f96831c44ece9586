"""Threads that compute blocks call by call, in the order of the schedule.

Input   blocks: steps of synthesis with a deadline, from event loops
Output  their results, on the event loop that asked
State   the schedule; two threads per core and what each is doing
Not here: what is computed, and in which order (schedule.py).

Per core there is one thread for what is due and one for what is ahead of its time, and the latter gives way
to the former by its priority in the operating system. So a first block does not wait for a long call of a
stream that has seconds in hand: it interrupts it. As many calls run as there are cores, and more only while
due ones interrupt others. Models release the interpreter lock while they run.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from streaming.errors import OverloadedError
from streaming.scheduling.schedule import NEVER, Order, Schedule, Task
from streaming.synthesis.engine import Engine, NetworkName
from streaming.synthesis.steps import Call, NetworkCall, Progress, Steps, perform, perform_stacked
from streaming.types import StageTimes

logger = logging.getLogger(__name__)

DEFAULT_MAX_WAITING = 1024  # blocks; one per live stream, so far beyond what N cores can serve in time
DEFAULT_MAX_ROWS = 32
RETRY_AFTER_MS = 1000
LONGEST_NAP_S = 3600.0  # a thread with nothing to do looks up at least this often


@dataclass(slots=True, eq=False, kw_only=True)
class Block(Task):
    """One block of one stream, as it is submitted.

    Attributes:
        engine: What runs its networks.
        steps: What is to be computed; the result of the block is theirs.
        times: What it costs is added to these.
        max_rows: Rows that pay off in one call of a network; a network that is not named runs alone.
        abandoned: Whether nobody wants the result any more, so that a block that has begun may stop.
        waited_s: How long it has waited for its turns; rest does not count.
        cpu_s: Processor time that it took; of calls with company, its share.
    """

    engine: Engine
    steps: Steps[Any]
    times: StageTimes = field(default_factory=StageTimes)
    max_rows: Mapping[NetworkName, int] = field(default_factory=dict)
    abandoned: Callable[[], bool] = lambda: True
    waited_s: float = field(default=0.0, init=False)
    cpu_s: float = field(default=0.0, init=False)
    _progress: Progress[Any] = field(init=False)
    _future: asyncio.Future[Any] = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _ready_s: float = field(default=0.0, init=False)


@dataclass(frozen=True, slots=True)
class SchedulerStatistics:
    """Counters since the start, and the present load.

    Attributes:
        waiting: Blocks that wait or rest now.
        running: Blocks with a call that runs now.
        finished: Blocks that came to their end, failures and dropped results included.
        dropped: Blocks that were cancelled and not computed to their end.
        calls: Calls that were made.
        rows: Blocks that they served; rows over calls is the company that blocks had.
        busy_s: Thread seconds that calls took.
        wait_total_s: Time that blocks waited for their turns, rest excluded, summed.
        wait_max_s: The longest that one block waited.
    """

    waiting: int
    running: int
    finished: int
    dropped: int
    calls: int
    rows: int
    busy_s: float
    wait_total_s: float
    wait_max_s: float


@dataclass(slots=True, eq=False)
class _Turn:
    """Blocks whose next calls run together."""

    blocks: Sequence[Block]
    calls: Sequence[Call | None]  # None: the block is started


class _Worker:
    """One thread's mailbox."""

    def __init__(self, *, for_due: bool) -> None:
        self.for_due = for_due
        self.turns: queue.SimpleQueue[_Turn | None] = queue.SimpleQueue()  # None: look again
        self.is_idle = False
        self.alarm_s = NEVER  # when it looks up by itself, while it is idle


class Scheduler:
    """Computes what is submitted, on `n_cores` cores.

    `submit` belongs to event loops (several are allowed); everything else is thread-safe.
    """

    def __init__(
        self,
        n_cores: int,
        *,
        max_waiting: int = DEFAULT_MAX_WAITING,
        max_rows: int = DEFAULT_MAX_ROWS,
        niceness: int = 0,
        order: Order[Block] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Start the threads.

        Args:
            n_cores: Calls that run at a time.
            max_waiting: Blocks that may wait.
            max_rows: Streams that may share one call, where that pays off.
            niceness: How far the threads for what is ahead stand back from the others (Linux; 0 to 19).
            order: What waits, in its order; None takes `Schedule`.
            clock: Seconds; deadlines are told on it.
        """
        if n_cores < 1 or max_waiting < 1:
            msg = f"n_cores and max_waiting must be positive, found {n_cores} and {max_waiting}"
            raise ValueError(msg)
        self._n_cores = n_cores
        self._max_waiting = max_waiting
        self._max_rows = max_rows
        self._niceness = niceness
        self._clock = clock
        self._lock = threading.Lock()
        self._order: Order[Block] = Schedule() if order is None else order
        self._n_calls_due = self._n_calls_ahead = self._running = 0
        self._finished = self._dropped = self._calls = self._rows = 0
        self._busy_s = self._wait_total_s = self._wait_max_s = 0.0
        self._closed = False
        self._workers = [_Worker(for_due=for_due) for for_due in (True, False) for _ in range(n_cores)]
        self._threads = [
            threading.Thread(target=self._serve, args=(worker,), name=f"zhiyin-worker-{index}", daemon=True)
            for index, worker in enumerate(self._workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def n_cores(self) -> int:
        """Calls that run at a time."""
        return self._n_cores

    def statistics(self) -> SchedulerStatistics:
        """Return a snapshot of the counters."""
        with self._lock:
            return SchedulerStatistics(
                waiting=self._order.n_waiting,
                running=self._running,
                finished=self._finished,
                dropped=self._dropped,
                calls=self._calls,
                rows=self._rows,
                busy_s=self._busy_s,
                wait_total_s=self._wait_total_s,
                wait_max_s=self._wait_max_s,
            )

    def submit(self, block: Block) -> asyncio.Future[Any]:
        """Have a block computed; the future is of the running event loop and gets the steps' result.

        Cancelling it before the block has begun removes the block. A block that has begun stops after the
        call that runs, if it is `abandoned` by then; otherwise it is computed to its end.

        Raises:
            OverloadedError: `max_waiting` blocks wait already.
            RuntimeError: The scheduler is closed.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        block._loop, block._future = loop, future
        block._progress = Progress(block.steps, block.times, self._clock)
        with self._lock:
            if self._closed:
                msg = "the scheduler is closed"
                raise RuntimeError(msg)
            if self._order.n_waiting >= self._max_waiting:
                n_waiting = self._order.n_waiting
                msg = f"{n_waiting} blocks wait for a worker; the limit is {self._max_waiting}"
                raise OverloadedError(msg, RETRY_AFTER_MS)
            block._ready_s = max(self._clock(), block.release_s)
            self._order.add(block)
            self._hand_out()
        future.add_done_callback(lambda done: self._drop(block) if done.cancelled() else None)
        return future

    def hurry(self, block: Block, deadline_s: float) -> None:
        """Let a block be computed by an earlier deadline than it was submitted with, and not rest."""
        with self._lock:
            if deadline_s >= block.deadline_s and not block.idle:
                return
            block.deadline_s, block.idle, block.release_s = deadline_s, False, -NEVER
            if block.is_waiting:
                self._order.drop(block)
                self._order.add(block)
                self._hand_out()

    def close(self) -> None:
        """Stop: cancel what waits, let calls that run finish, join the threads. Blocking, idempotent."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.turns.put(None)
        for thread in self._threads:
            thread.join()
        waiting = [turn.blocks for worker in self._workers if (turn := _handed(worker)) is not None]
        while blocks := self._order.take_due(NEVER) or self._order.take_ahead(NEVER):
            waiting.append(blocks)
        for block in itertools.chain.from_iterable(waiting):
            block._progress.close()
            _post(block, block._future.cancel)

    def _drop(self, block: Block) -> None:
        """Take note that nobody waits for this block's result."""
        with self._lock:
            if not block.is_waiting or (block.started and not block.abandoned()):
                return
            self._order.drop(block)
            self._dropped += 1
        block._progress.close()

    def _serve(self, worker: _Worker) -> None:
        if not worker.for_due:
            _stand_back(self._niceness)
        turn: _Turn | None = None
        while True:
            with self._lock:
                if self._closed:
                    return
                turn = self._take(worker)
                nap_s = self._nap_s(worker) if turn is None else 0.0
                self._hand_out()
            if turn is None:
                turn = _wait_for_turn(worker, nap_s)
            if turn is not None:
                self._run(turn, worker)
                turn = None  # an idle thread must not keep a stream alive

    def _take(self, worker: _Worker) -> _Turn | None:
        """Return this thread's next turn, under the lock: one that was handed to it, or one it may take."""
        worker.is_idle = False
        return _handed(worker) or self._next_turn(worker)

    def _next_turn(self, worker: _Worker) -> _Turn | None:
        now_s = self._clock()
        if worker.for_due:
            if self._n_calls_due >= self._n_cores:
                return None
            blocks = self._order.take_due(now_s)
        else:
            if self._n_calls_due + self._n_calls_ahead >= self._n_cores:
                return None
            blocks = self._order.take_ahead(now_s)
        if not blocks:
            return None
        self._note_start(blocks, worker, now_s)
        return _Turn(blocks, [block._progress.call for block in blocks])

    def _hand_out(self) -> None:
        """Give turns to idle threads, what is due first; under the lock, after anything has changed."""
        for worker in self._workers:
            if worker.is_idle and (turn := self._next_turn(worker)) is not None:
                worker.is_idle = False
                worker.turns.put(turn)
        # Of each kind one idle thread keeps the time; the others wait to be called.
        for for_due in (True, False):
            idle = [worker for worker in self._workers if worker.is_idle and worker.for_due is for_due]
            if idle and self._next_event_s(for_due) < min(worker.alarm_s for worker in idle):
                idle[0].is_idle = False
                idle[0].turns.put(None)

    def _next_event_s(self, for_due: bool) -> float:
        """Return when time alone makes work for threads of this kind."""
        next_s = self._order.next_due_s() if for_due else self._order.next_release_s()
        return next_s if next_s > self._clock() else NEVER  # what could run already waits for a core

    def _nap_s(self, worker: _Worker) -> float:
        """Declare the thread idle and return how long it may sleep."""
        alarm_s = self._next_event_s(worker.for_due)
        others = [other for other in self._workers if other.is_idle and other.for_due is worker.for_due]
        kept = any(other.alarm_s <= alarm_s for other in others)
        worker.is_idle, worker.alarm_s = True, NEVER if kept else alarm_s
        return min(max(worker.alarm_s - self._clock(), 0.0), LONGEST_NAP_S)

    def _run(self, turn: _Turn, worker: _Worker) -> None:
        begun_s = self._clock()
        if turn.calls[0] is None:
            for block in turn.blocks:
                self._go_on(block, block._progress.resume)
        else:
            self._make_calls(turn.blocks, cast("Sequence[Call]", turn.calls))
        self._settle(turn, worker, begun_s)

    def _make_calls(self, blocks: Sequence[Block], calls: Sequence[Call]) -> None:
        begun_s, begun_cpu_s = self._clock(), time.thread_time()
        outcomes: Sequence[object] = ()
        failure: BaseException | None = None
        try:
            if len(blocks) == 1:
                outcomes = [perform(blocks[0].engine, calls[0])]
            else:
                outcomes = perform_stacked(blocks[0].engine, cast("Sequence[NetworkCall]", calls))
        except BaseException as error:  # noqa: BLE001 -- handed to those who wait, whatever it is
            failure = error
        if failure is not None and len(blocks) > 1:  # one of them may be to blame; only that one shall fail
            for block, call in zip(blocks, calls, strict=True):
                self._make_calls([block], [call])
            return
        call_ms = 1000.0 * (self._clock() - begun_s) / len(blocks)
        cpu_s = (time.thread_time() - begun_cpu_s) / len(blocks)
        if failure is not None:
            self._go_on(blocks[0], partial(blocks[0]._progress.fail, failure, call_ms), cpu_s)
        for block, outcome in zip(blocks, outcomes, strict=False):
            self._go_on(block, partial(block._progress.resume, outcome, call_ms), cpu_s)

    def _go_on(self, block: Block, resume: Callable[[], None], call_cpu_s: float = 0.0) -> None:
        """Let a block's own code run up to its next call, its end or its failure, and tell of the latter."""
        begun_cpu_s = time.thread_time()
        error: BaseException | None = None
        try:
            resume()
        except BaseException as raised:  # noqa: BLE001 -- handed to the waiter, whatever it is
            error = raised
        block.started = True
        block.cpu_s += call_cpu_s + time.thread_time() - begun_cpu_s
        if error is not None:
            _post(block, _set_exception, block._future, error)
        elif block._progress.over:
            _post(block, _set_result, block._future, block._progress.result)
        else:
            self._find_company(block, block._progress.call)

    def _find_company(self, block: Block, call: Call | None) -> None:
        """Say whose calls may run together with this block's."""
        block.company, block.max_company = None, 1
        if isinstance(call, NetworkCall) and call.stackable:
            block.max_company = min(block.max_rows.get(call.network, 1), self._max_rows)
            if block.max_company > 1:
                shapes = tuple([array.shape for array in call.inputs.values()])
                block.company = (id(block.engine), call.network, shapes)

    def _settle(self, turn: _Turn, worker: _Worker, begun_s: float) -> None:
        """Charge for a turn and let the blocks that are not over wait for the next."""
        now_s = self._clock()
        cost_s = (now_s - begun_s) / len(turn.blocks)
        given_up = [block for block in turn.blocks if block._future.cancelled() and block.abandoned()]
        for block in given_up:
            block._progress.close()
        with self._lock:
            if worker.for_due:
                self._n_calls_due -= 1
            else:
                self._n_calls_ahead -= 1
            self._calls += turn.calls[0] is not None
            self._rows += len(turn.blocks) if turn.calls[0] is not None else 0
            self._busy_s += now_s - begun_s
            self._running -= len(turn.blocks)
            for block in turn.blocks:
                self._order.charge(block, cost_s, begun_s)
                if block._progress.over:
                    self._note_end(block, dropped=block in given_up)
                else:
                    block._ready_s = now_s
                    self._order.add(block)

    def _note_start(self, blocks: Sequence[Block], worker: _Worker, now_s: float) -> None:
        if worker.for_due:
            self._n_calls_due += 1
        else:
            self._n_calls_ahead += 1
        self._running += len(blocks)
        for block in blocks:
            block.waited_s += max(now_s - block._ready_s, 0.0)

    def _note_end(self, block: Block, *, dropped: bool) -> None:
        self._dropped += dropped
        self._finished += not dropped
        self._wait_total_s += block.waited_s
        self._wait_max_s = max(self._wait_max_s, block.waited_s)


def _wait_for_turn(worker: _Worker, nap_s: float) -> _Turn | None:
    """Sleep until there is a turn, or it is time to look again."""
    try:
        return worker.turns.get(timeout=nap_s)
    except queue.Empty:
        return None


def _handed(worker: _Worker) -> _Turn | None:
    try:
        return worker.turns.get_nowait()
    except queue.Empty:
        return None


def _stand_back(niceness: int) -> None:
    """Lower the priority of the calling thread; elsewhere than on Linux a thread has none of its own."""
    if niceness and sys.platform == "linux":
        thread_id = threading.get_native_id()
        priority = min(os.getpriority(os.PRIO_PROCESS, thread_id) + niceness, 19)
        try:
            os.setpriority(os.PRIO_PROCESS, thread_id, priority)
        except OSError as error:
            logger.warning("worker threads keep their priority: %s", error)


def _post(block: Block, function: Callable[..., object], *args: object) -> None:
    """Call `function` on the waiter's event loop; the waiter of a closed loop is gone."""
    if not block._loop.is_closed():
        try:
            block._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            if not block._loop.is_closed():  # closed between the question and the call
                raise


def _set_result(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
