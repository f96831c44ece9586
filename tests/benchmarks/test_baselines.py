from __future__ import annotations

import asyncio

from benchmarks.baselines import Fifo, Serial
from streaming.scheduling.scheduler import Scheduler
from streaming.types import StageTimes
from tests.streaming.doubles import calling


async def order_of(order: Fifo) -> list[str]:
    """Submit blocks of two requests in turn while the thread is busy; return the order they ran in."""
    scheduler = Scheduler(1, order=order)
    log: list[str] = []
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(30)

    held = scheduler.submit(calling(hold))
    times = {"a": StageTimes(), "b": StageTimes()}
    blocks = [
        scheduler.submit(calling(lambda name=name: log.append(name), -number, times=times[name]))
        for number, name in enumerate("abab")
    ]
    gate.set()
    await asyncio.gather(held, *blocks)
    await asyncio.to_thread(scheduler.close)
    return log


async def test_fifo_serves_blocks_in_the_order_in_which_they_were_asked_for() -> None:
    assert await order_of(Fifo()) == ["a", "b", "a", "b"]


async def test_serial_serves_one_request_to_its_end_before_the_next() -> None:
    assert await order_of(Serial()) == ["a", "a", "b", "b"]
