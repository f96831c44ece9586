"""Threads that compute blocks; what they compute is scripted. The order itself is in test_schedule.py."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from streaming.errors import OverloadedError, SynthesisError
from streaming.scheduling.scheduler import Block, Scheduler
from streaming.synthesis.engine import Array, NetworkName
from streaming.synthesis.steps import HostCall, NetworkCall, Steps
from streaming.types import StageTimes
from tests.streaming.doubles import EVERYBODY, at_rest, called, calling, settle

DUE_S, AHEAD_S = 0.0, 1e9


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
def one() -> Iterator[Scheduler]:
    scheduler = Scheduler(1, max_waiting=8)
    yield scheduler
    scheduler.close()


async def held(scheduler: Scheduler, deadline_s: float = DUE_S) -> tuple[Gate, asyncio.Future[str]]:
    """Occupy the only thread for what is due (or ahead)."""
    gate = Gate()
    future = scheduler.submit(calling(gate, deadline_s))
    await gate.begun.wait()
    return gate, future


# -- blocks ----------------------------------------------------------------------------------


async def test_a_block_runs_in_another_thread_and_its_result_comes_back(one: Scheduler):
    assert await called(one, lambda: threading.current_thread().name) == "zhiyin-worker-0"


async def test_the_nearest_deadline_runs_first_and_equal_ones_in_order_of_arrival(one: Scheduler):
    gate, first = await held(one)
    order: list[str] = []
    blocks = [
        one.submit(calling(lambda name=name: order.append(name), deadline_s))
        for deadline_s, name in ((-1.0, "late"), (-5.0, "a"), (-3.0, "middle"), (-5.0, "b"))
    ]
    gate.open()
    await asyncio.gather(first, *blocks)
    assert order == ["a", "b", "middle", "late"]


async def test_an_exception_reaches_the_waiter_and_the_thread_lives_on(one: Scheduler):
    with pytest.raises(ZeroDivisionError):
        await called(one, lambda: 1 // 0)
    assert await called(one, lambda: "alive") == "alive"


async def test_steps_hear_of_a_call_that_failed_and_may_go_on(one: Scheduler):
    def steps() -> Steps[str]:
        try:
            yield HostCall(lambda: 1 // 0, "frontend_ms")
        except ZeroDivisionError:
            return (yield HostCall(lambda: "mended", "frontend_ms"))
        return "never"

    assert await one.submit(calling(lambda: None, steps=steps())) == "mended"


async def test_steps_that_fail_between_two_calls_reach_the_waiter(one: Scheduler):
    def steps() -> Steps[str]:
        yield HostCall(lambda: None, "frontend_ms")
        raise SynthesisError("not a number")

    with pytest.raises(SynthesisError, match="not a number"):
        await one.submit(calling(lambda: None, steps=steps()))


async def test_a_new_stream_gets_in_between_two_calls_of_another(one: Scheduler):
    order: list[str] = []
    gate = Gate()

    def long() -> Steps[None]:
        yield HostCall(gate, "frontend_ms")
        for _ in range(3):
            yield HostCall(lambda: order.append("long"), "frontend_ms")

    first = one.submit(calling(lambda: None, deadline_s=-1.0, steps=long()))
    await gate.begun.wait()
    second = one.submit(calling(lambda: order.append("urgent"), deadline_s=-2.0))
    gate.open()
    await asyncio.gather(first, second)
    assert order == ["urgent", "long", "long", "long"]


# -- due and ahead ---------------------------------------------------------------------------


async def test_what_is_due_interrupts_a_long_call_of_what_is_ahead(one: Scheduler):
    gate, ahead = await held(one, AHEAD_S)
    assert await called(one, lambda: "due") == "due"  # while the other call runs
    assert not ahead.done()
    gate.open()
    await ahead


async def test_what_is_ahead_does_not_interrupt_what_is_due(one: Scheduler):
    gate, due = await held(one)
    ahead = one.submit(calling(lambda: "ahead", AHEAD_S))
    also_due = one.submit(calling(lambda: "due"))
    await settle()
    assert one.statistics().waiting == 2
    gate.open()
    assert await asyncio.gather(due, also_due, ahead) == ["gate", "due", "ahead"]


async def test_as_many_calls_run_as_there_are_cores():
    scheduler = Scheduler(2)
    gates = [Gate(), Gate()]
    futures = [scheduler.submit(calling(gate, AHEAD_S)) for gate in gates]
    for gate in gates:
        await gate.begun.wait()
    third = scheduler.submit(calling(lambda: None, AHEAD_S))
    await settle()
    found = scheduler.statistics()
    assert (found.running, found.waiting, scheduler.n_cores) == (2, 1, 2)
    for gate in gates:
        gate.open()
    await asyncio.gather(*futures, third)
    scheduler.close()


async def test_a_block_rests_until_its_release_and_wakes_by_itself():
    now = [100.0]
    scheduler = Scheduler(1, clock=lambda: now[0])
    resting = scheduler.submit(calling(lambda: "rested", AHEAD_S, release_s=100.05))
    await called(scheduler, lambda: None)
    assert scheduler.statistics().waiting == 1
    now[0] = 100.06  # the thread that keeps the time looks up after 50 ms
    assert await resting == "rested"
    scheduler.close()


async def test_a_block_that_is_hurried_rests_no_longer(one: Scheduler):
    block = calling(lambda: "hurried", AHEAD_S, release_s=AHEAD_S - 1.0)
    future = one.submit(block)
    await called(one, lambda: None)
    assert one.statistics().waiting == 1
    one.hurry(block, DUE_S)
    assert await future == "hurried"
    one.hurry(block, DUE_S)  # too late to matter


async def test_an_idle_block_is_hurried_by_whoever_needs_it(one: Scheduler):
    gate, due = await held(one)
    idle = calling(lambda: "idle", idle=True)
    future = one.submit(idle)
    await settle()
    one.hurry(idle, DUE_S)
    assert not idle.idle
    gate.open()
    assert await asyncio.gather(due, future) == ["gate", "idle"]


# -- company ---------------------------------------------------------------------------------


class Adding:
    """A network that adds one, and logs how many rows it was given."""

    name = "adding"

    def __init__(self, fails_on: float | None = None) -> None:
        self.rows: list[int] = []
        self._fails_on = fails_on

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.rows.append(inputs["x"].shape[0])
        if self._fails_on is not None and (inputs["x"] == self._fails_on).any():
            raise SynthesisError("this one")
        return {"y": np.asarray(inputs["x"] + 1, np.float32)}


def adding(engine: Adding, value: float, n_calls: int = 3, stackable: bool = True, **fields: Any) -> Block:
    def steps() -> Steps[float]:
        x = np.full((1, 2), value, np.float32)
        for _ in range(n_calls):
            x = (yield NetworkCall("decoder", {"x": x}, "decoder_ms", stackable))["y"]
        return float(x[0, 0])

    values = {"tenant": EVERYBODY, "max_rows": {"decoder": 8}, **fields}
    return Block(deadline_s=DUE_S, engine=engine, steps=steps(), **values)


async def together(scheduler: Scheduler, *blocks: Block) -> list[Any]:
    """Submit blocks while the thread is busy, so that all wait when it is free again."""
    gate, first = await held(scheduler)
    futures = [scheduler.submit(block) for block in blocks]
    gate.open()
    await first
    return await asyncio.gather(*futures, return_exceptions=True)


async def test_equal_calls_of_several_streams_are_made_as_one(one: Scheduler):
    engine = Adding()
    assert await together(one, *(adding(engine, float(value)) for value in range(4))) == [3.0, 4.0, 5.0, 6.0]
    assert engine.rows == [4, 4, 4]
    await at_rest(one)
    assert one.statistics().rows - one.statistics().calls == 9


async def test_who_has_fewer_calls_leaves_the_company(one: Scheduler):
    engine = Adding()
    assert await together(one, adding(engine, 0.0, 1), adding(engine, 0.0, 3)) == [1.0, 3.0]
    assert engine.rows == [2, 1, 1]


async def test_company_is_bounded_by_what_pays_and_by_the_configuration():
    scheduler, engine = Scheduler(1, max_rows=3), Adding()
    await together(scheduler, *(adding(engine, 0.0, 1) for _ in range(5)))
    assert sorted(engine.rows) == [2, 3]
    engine = Adding()
    await together(scheduler, *(adding(engine, 0.0, 1, max_rows={}) for _ in range(3)))
    assert engine.rows == [1, 1, 1]
    scheduler.close()


async def test_calls_of_other_shapes_engines_or_kinds_are_not_company(one: Scheduler):
    engine, other = Adding(), Adding()
    blocks = adding(engine, 0.0, 1), adding(other, 0.0, 1), adding(engine, 0.0, 1, stackable=False)
    assert await together(one, *blocks) == [1.0, 1.0, 1.0]
    assert (engine.rows, other.rows) == ([1, 1], [1])


async def test_one_stream_that_makes_a_call_fail_does_not_harm_its_company(one: Scheduler):
    engine = Adding(fails_on=7.0)
    found = await together(one, adding(engine, 1.0), adding(engine, 7.0), adding(engine, 2.0))
    assert [found[0], found[2]] == [4.0, 5.0]
    assert isinstance(found[1], SynthesisError)


async def test_the_cost_of_a_call_is_shared_by_its_company():
    ticks = iter(range(10_000))
    scheduler, engine = Scheduler(1, clock=lambda: 0.001 * next(ticks)), Adding()
    times = [StageTimes() for _ in range(4)]
    await together(scheduler, *(adding(engine, 0.0, 1, times=spent) for spent in times))
    alone = StageTimes()
    await together(scheduler, adding(engine, 0.0, 1, times=alone))
    assert all(0.0 < spent.decoder_ms < alone.decoder_ms for spent in times)
    scheduler.close()


# -- leaving ---------------------------------------------------------------------------------


async def test_a_block_cancelled_before_it_starts_never_runs(one: Scheduler):
    gate, first = await held(one)
    ran: list[str] = []
    waiting = one.submit(calling(lambda: ran.append("never")))
    waiting.cancel()
    await settle()
    assert (one.statistics().waiting, one.statistics().dropped) == (0, 1)
    gate.open()
    await first
    await called(one, lambda: ran.append("after"))
    assert ran == ["after"]


def two_calls(first: Callable[[], object], log: list[str]) -> Steps[None]:
    try:
        yield HostCall(first, "frontend_ms")
        yield HostCall(lambda: log.append("second"), "frontend_ms")
    finally:
        log.append("over")


async def test_an_abandoned_block_stops_after_the_call_that_runs(one: Scheduler):
    gate, log = Gate(), list[str]()
    running = one.submit(calling(lambda: None, steps=two_calls(gate, log)))
    await gate.begun.wait()
    running.cancel()
    gate.open()
    await called(one, lambda: None)
    await at_rest(one)
    assert log == ["over"]
    assert (one.statistics().dropped, one.statistics().finished) == (1, 1)


async def test_a_block_that_others_want_is_computed_to_its_end_without_its_waiter(one: Scheduler):
    gate, log = Gate(), list[str]()
    block = calling(lambda: None, steps=two_calls(gate, log), abandoned=lambda: False)
    running = one.submit(block)
    await gate.begun.wait()
    running.cancel()
    gate.open()
    await called(one, lambda: None)
    assert log == ["second", "over"]


async def test_a_block_abandoned_between_two_calls_is_dropped_at_once(one: Scheduler):
    gate, log = Gate(), list[str]()

    async def submit_what_is_more_urgent() -> None:
        one.submit(calling(gate, deadline_s=-9.0))

    def first() -> None:
        asyncio.run_coroutine_threadsafe(submit_what_is_more_urgent(), gate.loop).result(30)

    future = one.submit(calling(lambda: None, steps=two_calls(first, log)))
    await gate.begun.wait()
    future.cancel()
    await settle()
    assert log == ["over"]
    assert (one.statistics().waiting, one.statistics().dropped) == (0, 1)
    gate.open()


async def test_a_cancelled_block_releases_what_it_would_have_used(one: Scheduler):
    class Payload:
        def use(self) -> None:
            raise AssertionError("must not run")

    gate, first = await held(one)
    payload = Payload()
    observer = weakref.ref(payload)
    waiting = one.submit(calling(payload.use))
    waiting.cancel()
    await settle()
    del payload, waiting
    gc.collect()
    assert observer() is None
    gate.open()
    await first


async def test_an_idle_thread_keeps_nothing_of_the_last_block(one: Scheduler):
    class Payload:
        def use(self) -> Payload:
            return self

    payload = Payload()
    observer = weakref.ref(payload)
    await called(one, payload.use)
    await called(one, lambda: None)  # the thread has come round
    del payload
    gc.collect()
    assert observer() is None


async def test_a_full_queue_refuses_with_a_time_to_retry(one: Scheduler):
    gate, first = await held(one)
    waiting = [one.submit(calling(lambda: None)) for _ in range(8)]
    with pytest.raises(OverloadedError, match="8 blocks wait for a worker; the limit is 8") as caught:
        one.submit(calling(lambda: None))
    assert caught.value.retry_after_ms > 0
    waiting[0].cancel()
    await settle()
    waiting.append(one.submit(calling(lambda: None)))  # a cancelled block makes room
    gate.open()
    await asyncio.gather(first, *waiting, return_exceptions=True)


# -- closing ---------------------------------------------------------------------------------


async def test_close_cancels_what_waits_and_lets_the_call_that_runs_finish():
    scheduler = Scheduler(1)
    gate, running = await held(scheduler)
    waiting = scheduler.submit(calling(lambda: "never"))
    resting = scheduler.submit(calling(lambda: "never", AHEAD_S, release_s=AHEAD_S))
    idle = scheduler.submit(calling(lambda: "never", idle=True, release_s=AHEAD_S))
    closing = asyncio.create_task(asyncio.to_thread(scheduler.close))
    await settle()
    gate.open()
    await closing
    assert await running == "gate"
    for future in (waiting, resting, idle):
        with pytest.raises(asyncio.CancelledError):
            await future
    with pytest.raises(RuntimeError, match="closed"):
        scheduler.submit(calling(lambda: None))
    scheduler.close()


async def test_close_ends_blocks_between_two_calls():
    scheduler, gate, log = Scheduler(1), Gate(), list[str]()
    running = scheduler.submit(calling(lambda: None, steps=two_calls(gate, log)))
    await gate.begun.wait()
    closing = asyncio.create_task(asyncio.to_thread(scheduler.close))
    await settle()
    gate.open()
    await closing
    with pytest.raises(asyncio.CancelledError):
        await running
    assert log[-1] == "over"


async def test_statistics_tell_how_long_blocks_waited():
    now = [0.0]
    scheduler = Scheduler(1, clock=lambda: now[0])
    gate, first = await held(scheduler)
    block = calling(lambda: None)
    second = scheduler.submit(block)
    now[0] = 2.5
    gate.open()
    await asyncio.gather(first, second)
    await at_rest(scheduler)
    found = scheduler.statistics()
    assert (found.wait_total_s, found.wait_max_s, block.waited_s) == (2.5, 2.5, 2.5)
    assert (found.waiting, found.running) == (0, 0)
    scheduler.close()


@pytest.mark.parametrize(("n_cores", "max_waiting"), [(0, 1), (1, 0)])
def test_sizes_must_be_positive(n_cores: int, max_waiting: int):
    with pytest.raises(ValueError, match="must be positive"):
        Scheduler(n_cores, max_waiting=max_waiting)


def test_a_result_for_a_closed_event_loop_is_dropped():
    scheduler = Scheduler(1)
    release = threading.Event()

    async def leave() -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def call() -> None:
            loop.call_soon_threadsafe(begun.set)
            release.wait(30)

        scheduler.submit(calling(call))
        await begun.wait()

    asyncio.run(leave())
    release.set()
    scheduler.close()
    assert scheduler.statistics().finished == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
async def test_threads_for_what_is_ahead_stand_back():
    scheduler = Scheduler(1, niceness=3)

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own = priority()
    assert await scheduler.submit(calling(priority)) == own
    assert await scheduler.submit(calling(priority, AHEAD_S)) == min(own + 3, 19)
    scheduler.close()
