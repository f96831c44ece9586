"""Worker threads that run short blocking calls, earliest deadline first.

Input   calls with a deadline, from the event loop
Output  their results, on the event loop
State   a bounded heap of waiting calls; N threads
Not here: what the calls do, what time it is (deadlines are only compared).

A call is at most one block of synthesis, so the stream that is nearest to running dry waits for at
most one block of another. Models release the interpreter lock while they run.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from streaming.errors import OverloadedError

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_MAX_WAITING = 1024  # calls; one per live stream, so far beyond what N cores can serve in time
RETRY_AFTER_MS = 1000


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """Counters since the start, and the present load.

    Attributes:
        waiting: Calls that wait for a thread now.
        running: Calls that run now.
        finished: Calls that ran to their end, failures and dropped results included.
        dropped: Calls that were cancelled before they started and never ran.
        wait_total_s: Time that started calls had waited, summed.
        wait_max_s: The longest such wait.
    """

    waiting: int
    running: int
    finished: int
    dropped: int
    wait_total_s: float
    wait_max_s: float


@dataclass(slots=True)
class _Call:
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    work: Callable[[], Any] | None  # None once started or dropped, so that nothing stays referenced
    submitted_s: float


class Workers:
    """N threads that always take the waiting call with the nearest deadline.

    `submit` and `run` belong to event loops (several are allowed); everything else is thread-safe.
    """

    def __init__(
        self,
        n_threads: int,
        *,
        max_waiting: int = DEFAULT_MAX_WAITING,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if n_threads < 1 or max_waiting < 1:
            msg = f"n_threads and max_waiting must be positive, found {n_threads} and {max_waiting}"
            raise ValueError(msg)
        self._max_waiting = max_waiting
        self._clock = clock
        self._condition = threading.Condition()
        self._heap: list[tuple[float, int, _Call]] = []
        self._sequence = itertools.count()  # equal deadlines are served in order of arrival
        self._waiting = self._running = self._finished = self._dropped = 0
        self._wait_total_s = self._wait_max_s = 0.0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"zhiyin-worker-{index}", daemon=True)
            for index in range(n_threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def n_threads(self) -> int:
        """Number of worker threads."""
        return len(self._threads)

    def statistics(self) -> WorkerStatistics:
        """Return a snapshot of the counters."""
        with self._condition:
            return WorkerStatistics(
                waiting=self._waiting,
                running=self._running,
                finished=self._finished,
                dropped=self._dropped,
                wait_total_s=self._wait_total_s,
                wait_max_s=self._wait_max_s,
            )

    def submit(
        self, deadline_s: float, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[R]:
        """Queue a blocking call from the running event loop.

        Cancelling the future before the call started removes the call; afterwards the call runs to
        its end and its result is dropped.

        Args:
            deadline_s: When the result is needed, on a clock that all callers share.
            function: The call; it runs in a worker thread.
            *args: Its arguments.
            **kwargs: Its keyword arguments.

        Raises:
            OverloadedError: `max_waiting` calls wait already.
            RuntimeError: The workers are closed.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        call = _Call(future, loop, lambda: function(*args, **kwargs), self._clock())
        with self._condition:
            if self._closed:
                msg = "the workers are closed"
                raise RuntimeError(msg)
            if self._waiting >= self._max_waiting:
                msg = f"{self._waiting} calls wait for a worker; the limit is {self._max_waiting}"
                raise OverloadedError(msg, RETRY_AFTER_MS)
            heapq.heappush(self._heap, (deadline_s, next(self._sequence), call))
            self._waiting += 1
            self._condition.notify()
        future.add_done_callback(lambda done: self._drop(call) if done.cancelled() else None)
        return future

    async def run(self, deadline_s: float, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Queue a blocking call and wait for its result; cancel-safe like `submit`.

        Raises:
            OverloadedError: `max_waiting` calls wait already.
            RuntimeError: The workers are closed.
        """
        return await self.submit(deadline_s, function, *args, **kwargs)

    def close(self) -> None:
        """Stop: cancel what waits, let what runs finish, join the threads. Blocking, idempotent."""
        with self._condition:
            self._closed = True
            waiting = [call for _, _, call in self._heap if call.work is not None]
            self._condition.notify_all()
        for call in waiting:
            _post(call, call.future.cancel)
        for thread in self._threads:
            thread.join()

    def _drop(self, call: _Call) -> None:
        with self._condition:
            if call.work is None:
                return
            call.work = None
            self._waiting -= 1
            self._dropped += 1
            # The entry stays in the heap until it surfaces; rebuild when such entries prevail.
            if len(self._heap) > 2 * self._waiting + 16:
                self._heap = [entry for entry in self._heap if entry[2].work is not None]
                heapq.heapify(self._heap)

    def _serve(self) -> None:
        while (taken := self._take()) is not None:
            call, work = taken
            post: Callable[..., None]
            try:
                post, outcome = _set_result, work()
            except BaseException as error:  # noqa: BLE001 -- handed to the waiter, whatever it is
                post, outcome = _set_exception, error
            with self._condition:
                self._running -= 1
                self._finished += 1
            _post(call, post, call.future, outcome)
            del call, work, taken, outcome  # an idle thread must not keep a stream alive

    def _take(self) -> tuple[_Call, Callable[[], Any]] | None:
        """Wait for the call with the nearest deadline; None when closed."""
        with self._condition:
            while not self._closed:
                while self._heap:
                    call = heapq.heappop(self._heap)[2]
                    work, call.work = call.work, None
                    if work is not None:
                        self._note_start(call)
                        return call, work
                self._condition.wait()
            return None

    def _note_start(self, call: _Call) -> None:
        waited_s = self._clock() - call.submitted_s
        self._waiting -= 1
        self._running += 1
        self._wait_total_s += waited_s
        self._wait_max_s = max(self._wait_max_s, waited_s)


def _post(call: _Call, function: Callable[..., object], *args: object) -> None:
    """Call `function` on the waiter's event loop; the waiter of a closed loop is gone."""
    if not call.loop.is_closed():
        try:
            call.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            if not call.loop.is_closed():  # closed between the question and the call
                raise


def _set_result(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
