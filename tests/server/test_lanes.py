from __future__ import annotations

import asyncio

import pytest

from server.framing import Frame
from server.lanes import CONTROL_FRAMES, LANE_FRAMES, Lane, Outbox


def frame(name: str) -> Frame:
    return Frame(name.encode())


async def settle() -> None:
    """Let every task run until all of them wait."""
    for _ in range(20):
        await asyncio.sleep(0)


class Wire:
    """A transport that takes one frame per permit."""

    def __init__(self, permits: int = 1_000_000) -> None:
        self.sent: list[str] = []
        self.permits = asyncio.Semaphore(permits)

    async def send(self, item: Frame) -> None:
        self.sent.append(item.payload.decode())  # the transport takes it, then says when it can take more
        await self.permits.acquire()


async def fill(lane: Lane, name: str, count: int) -> None:
    for index in range(count):
        await lane.put(frame(f"{name}{index}"))


async def test_frames_of_a_lane_keep_their_order() -> None:
    wire = Wire()
    outbox = Outbox(wire.send, stall_s=5, on_stuck=pytest.fail)
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(outbox.run())
        await fill(outbox.lane(), "a", 10)
        await outbox.flushed()
        writer.cancel()
    assert wire.sent == [f"a{index}" for index in range(10)]


async def test_lanes_take_turns() -> None:
    wire = Wire()
    outbox = Outbox(wire.send, stall_s=5, on_stuck=pytest.fail)
    async with asyncio.TaskGroup() as tasks:
        fillers = [tasks.create_task(fill(outbox.lane(), name, 4)) for name in "ab"]
        await settle()
        writer = tasks.create_task(outbox.run())
        await asyncio.wait(fillers)
        await outbox.flushed()
        writer.cancel()
    assert wire.sent == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"]


async def test_control_frames_go_first() -> None:
    wire = Wire()
    outbox = Outbox(wire.send, stall_s=5, on_stuck=pytest.fail)
    await outbox.lane().put(frame("audio"))
    outbox.say(frame("answer"))
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(outbox.run())
        await outbox.flushed()
        writer.cancel()
    assert wire.sent == ["answer", "audio"]


async def test_a_slow_transport_stops_the_producer() -> None:
    wire = Wire(permits=0)
    outbox = Outbox(wire.send, stall_s=60, on_stuck=pytest.fail)
    lane = outbox.lane()
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(outbox.run())
        filler = tasks.create_task(fill(lane, "a", 100))
        await settle()
        assert wire.sent == ["a0"]
        wire.permits.release()
        await settle()
        assert wire.sent == ["a0", "a1"]
        assert not filler.done()
        filler.cancel()
        writer.cancel()
    assert len(lane._frames) <= LANE_FRAMES


async def test_nothing_leaves_a_closed_lane() -> None:
    wire = Wire(permits=0)
    outbox = Outbox(wire.send, stall_s=60, on_stuck=pytest.fail)
    lane, called = outbox.lane(), []
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(outbox.run())
        filler = tasks.create_task(fill(lane, "a", 100))
        await settle()
        lane.close()
        await lane.put(frame("late"), lambda: called.append("late"))
        wire.permits.release()
        await settle()
        filler.cancel()
        writer.cancel()
    assert wire.sent == ["a0"]
    assert called == []


async def test_on_write_is_called_before_the_frame_is_handed_over() -> None:
    order: list[str] = []

    async def send(item: Frame) -> None:
        order.append(item.payload.decode())

    outbox = Outbox(send, stall_s=5, on_stuck=pytest.fail)
    await outbox.lane().put(frame("frame"), lambda: order.append("on_write"))
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(outbox.run())
        await outbox.flushed()
        writer.cancel()
    assert order == ["on_write", "frame"]


async def test_drain_waits_for_the_last_frame() -> None:
    wire = Wire()
    outbox = Outbox(wire.send, stall_s=5, on_stuck=pytest.fail)
    lane = outbox.lane()
    await lane.put(frame("a"))
    async with asyncio.TaskGroup() as tasks:
        drained = tasks.create_task(lane.drain())
        await settle()
        assert not drained.done()
        writer = tasks.create_task(outbox.run())
        await drained
        writer.cancel()
    assert wire.sent == ["a"]


async def test_a_transport_that_takes_nothing_for_too_long_is_stuck_and_its_write_goes_on() -> None:
    wire, stuck = Wire(permits=0), asyncio.get_running_loop().create_future()
    outbox = Outbox(wire.send, stall_s=0.001, on_stuck=stuck.set_result)
    outbox.say(frame("a"))
    outbox.say(frame("b"))
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(outbox.run())
        assert "nothing was read" in await stuck
        assert outbox.is_stuck
        wire.permits.release()
        await settle()
        writer.cancel()
    assert wire.sent == ["a", "b"]


async def test_too_many_unread_answers_are_dropped_and_said_once() -> None:
    stuck: list[str] = []
    outbox = Outbox(Wire().send, stall_s=60, on_stuck=stuck.append)
    for index in range(CONTROL_FRAMES + 5):
        outbox.say(frame(str(index)))
    assert stuck == [f"{CONTROL_FRAMES} answers were not read"]
    assert outbox.is_stuck
