from __future__ import annotations

import asyncio
import time

from server.loop_lag import INTERVAL_S, WINDOW, LoopLag, LoopLagMeter


def test_before_anything_was_measured_there_is_no_lag() -> None:
    assert LoopLagMeter().read() == LoopLag(0.0, 0.0, 0.0)


async def test_a_loop_that_is_held_up_lags_by_as_much() -> None:
    meter = LoopLagMeter()
    task = asyncio.create_task(meter.run())
    await asyncio.sleep(0)
    time.sleep(INTERVAL_S + 0.03)  # noqa: ASYNC251 -- what nobody should do
    while meter.read().max_ms == 0.0:  # noqa: ASYNC110 -- nothing tells
        await asyncio.sleep(0)
    task.cancel()
    assert meter.read().max_ms >= 30.0


def test_only_the_last_minute_counts() -> None:
    meter = LoopLagMeter()
    meter._delays_ms.extend([500.0] + [1.0] * WINDOW)
    assert meter.read() == LoopLag(1.0, 1.0, 1.0)
