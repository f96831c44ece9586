from __future__ import annotations

import asyncio

import pytest

from server.doors import Door
from streaming.errors import OverloadedError


async def test_a_place_is_held_and_given_back() -> None:
    door = Door(1, 700)
    with door.entered():
        assert (door.n_inside, door.is_open) == (1, False)
        with pytest.raises(OverloadedError, match="1 requests") as refused, door.entered():
            pass
        assert refused.value.retry_after_ms == 700
    assert (door.n_inside, door.is_open) == (0, True)


async def test_a_failure_inside_gives_the_place_back() -> None:
    door = Door(1, 1)
    with pytest.raises(KeyError), door.entered():
        raise KeyError
    assert door.is_open


async def test_closing_waits_for_those_inside_and_lets_nobody_in() -> None:
    door = Door(2, 1)
    with door.entered():
        closing = asyncio.create_task(door.close(30))
        await door.closing.wait()
        with pytest.raises(OverloadedError, match="shutting down"), door.entered():
            pass
        assert not closing.done()
    await closing


async def test_closing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.doors.GRACE_S", 0)
    door = Door(2, 1)
    with door.entered():
        await door.close(0)
