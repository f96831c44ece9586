from __future__ import annotations

import asyncio

from server.credit import CreditWindow


async def test_no_window_means_no_limit() -> None:
    window = CreditWindow(0, 16000)
    assert await window.take(10**9) == 10**9


async def test_credit_is_spent_exactly_and_then_waited_for() -> None:
    window = CreditWindow(10, 16000)
    assert await window.take(100) == 100
    assert await window.take(100) == 60
    waiting = asyncio.create_task(window.take(100))
    await asyncio.sleep(0)
    assert not waiting.done()
    window.grant(1)
    assert await waiting == 16


async def test_a_cancelled_wait_spends_nothing() -> None:
    window = CreditWindow(1, 1000)
    assert await window.take(1) == 1
    waiting = asyncio.create_task(window.take(5))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    window.grant(5)
    assert await window.take(9) == 5


async def test_milliseconds_do_not_lose_fractions_of_samples() -> None:
    window = CreditWindow(1, 22050)
    total = await window.take(1000)
    for _ in range(19):
        window.grant(1)
        total += await window.take(1000)
    assert total == 441
