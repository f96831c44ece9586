from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from streaming.errors import OverloadedError
from streaming.scheduling.workers import Workers
from tests.streaming.doubles import settle


class Gate:
    """A call that holds its thread until it is opened, and tells when it has begun."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self._open = threading.Event()

    def __call__(self) -> str:
        self.loop.call_soon_threadsafe(self.begun.set)
        assert self._open.wait(30)
        return "gate"

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def one() -> Iterator[Workers]:
    pool = Workers(1, max_waiting=8)
    yield pool
    pool.close()


async def held(pool: Workers) -> tuple[Gate, asyncio.Future[str]]:
    """Occupy the only thread."""
    gate = Gate()
    future = pool.submit(0.0, gate)
    await gate.begun.wait()
    return gate, future


async def test_a_call_runs_in_another_thread_and_its_result_comes_back(one: Workers):
    def call(a: int, *, b: int) -> tuple[int, str]:
        return a + b, threading.current_thread().name

    assert await one.run(0.0, call, 1, b=2) == (3, "zhiyin-worker-0")


async def test_the_nearest_deadline_runs_first_and_equal_ones_in_order_of_arrival(one: Workers):
    gate, first = await held(one)
    order: list[str] = []
    calls = [
        one.submit(deadline, order.append, name)
        for deadline, name in ((5.0, "late"), (1.0, "a"), (3.0, "middle"), (1.0, "b"))
    ]
    gate.open()
    await asyncio.gather(first, *calls)
    assert order == ["a", "b", "middle", "late"]


async def test_an_exception_reaches_the_waiter_and_the_thread_lives_on(one: Workers):
    with pytest.raises(ZeroDivisionError):
        await one.run(0.0, lambda: 1 // 0)
    assert await one.run(0.0, lambda: "alive") == "alive"


async def test_a_call_cancelled_before_it_starts_never_runs(one: Workers):
    gate, first = await held(one)
    ran: list[str] = []
    waiting = asyncio.create_task(one.run(1.0, ran.append, "never"))
    await settle()
    waiting.cancel()
    await settle()
    assert (one.statistics().waiting, one.statistics().dropped) == (0, 1)
    gate.open()
    await first
    await one.run(2.0, ran.append, "after")
    assert ran == ["after"]


async def test_a_running_call_finishes_and_its_result_is_dropped(one: Workers):
    gate, running = await held(one)
    running.cancel()
    gate.open()
    assert await one.run(1.0, lambda: "next") == "next"
    assert running.cancelled()
    assert one.statistics().finished == 2


async def test_a_cancelled_call_releases_what_it_would_have_used(one: Workers):
    class Payload:
        def use(self) -> None:
            raise AssertionError("must not run")

    gate, first = await held(one)
    payload = Payload()
    observer = weakref.ref(payload)
    waiting = one.submit(1.0, payload.use)
    waiting.cancel()
    await settle()
    del payload, waiting
    gc.collect()
    assert observer() is None
    gate.open()
    await first


async def test_an_idle_thread_keeps_nothing_of_the_last_call(one: Workers):
    class Payload:
        def use(self) -> Payload:
            return self

    payload = Payload()
    observer = weakref.ref(payload)
    await one.run(0.0, payload.use)
    await one.run(0.0, lambda: None)  # the thread has come round
    del payload
    gc.collect()
    assert observer() is None


async def test_a_full_queue_refuses_with_a_time_to_retry(one: Workers):
    gate, first = await held(one)
    waiting = [one.submit(1.0, lambda: None) for _ in range(8)]
    with pytest.raises(OverloadedError, match="8 calls wait for a worker; the limit is 8") as caught:
        one.submit(1.0, lambda: None)
    assert caught.value.retry_after_ms > 0
    waiting[0].cancel()
    await settle()
    waiting.append(one.submit(1.0, lambda: None))  # a cancelled call makes room
    gate.open()
    await asyncio.gather(first, *waiting, return_exceptions=True)


async def test_many_cancelled_calls_do_not_pile_up(one: Workers):
    gate, first = await held(one)
    for _ in range(500):
        one.submit(1.0, lambda: None).cancel()
        await asyncio.sleep(0)
    assert len(one._heap) <= 20  # nothing public tells; the bound is the point
    gate.open()
    await first


async def test_close_cancels_what_waits_and_lets_what_runs_finish():
    pool = Workers(1)
    gate, running = await held(pool)
    waiting = pool.submit(1.0, lambda: "never")
    closing = asyncio.create_task(asyncio.to_thread(pool.close))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.open()
    await closing
    assert await running == "gate"
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(0.0, lambda: None)
    pool.close()


async def test_n_threads_run_n_calls_at_once():
    pool = Workers(2)
    gates = [Gate(), Gate()]
    futures = [pool.submit(0.0, gate) for gate in gates]
    for gate in gates:
        await gate.begun.wait()
    assert pool.statistics().running == pool.n_threads == 2
    for gate in gates:
        gate.open()
    await asyncio.gather(*futures)
    pool.close()


async def test_statistics_tell_how_long_calls_waited():
    now = [0.0]
    pool = Workers(1, clock=lambda: now[0])
    gate, first = await held(pool)
    second = pool.submit(1.0, lambda: None)
    now[0] = 2.5
    gate.open()
    await asyncio.gather(first, second)
    statistics = pool.statistics()
    assert (statistics.wait_total_s, statistics.wait_max_s) == (2.5, 2.5)
    assert (statistics.waiting, statistics.running, statistics.finished) == (0, 0, 2)
    pool.close()


@pytest.mark.parametrize(("n_threads", "max_waiting"), [(0, 1), (1, 0)])
def test_sizes_must_be_positive(n_threads: int, max_waiting: int):
    with pytest.raises(ValueError, match="must be positive"):
        Workers(n_threads, max_waiting=max_waiting)


def test_a_result_for_a_closed_event_loop_is_dropped():
    pool = Workers(1)
    release = threading.Event()

    async def leave() -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def call() -> None:
            loop.call_soon_threadsafe(begun.set)
            release.wait(30)

        pool.submit(0.0, call)
        await begun.wait()

    asyncio.run(leave())
    release.set()
    pool.close()
    assert pool.statistics().finished == 1
