"""Who is let in; with the schedule on a simulated machine, that those who were let in do not stutter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.errors import OverloadedError
from streaming.scheduling.admission import Admission, AdmissionRules
from streaming.scheduling.capacity import Capacity
from streaming.scheduling.schedule import NEVER, Schedule, Tenant
from tests.streaming.doubles import settle
from tests.streaming.scheduling.simulation import EVERYBODY, Machine, SimStream

COST = 0.1  # so that ten streams fill a core
NOW_S = 50.0


@dataclass(eq=False)
class FakeStream:
    """One who still has ten seconds to say, and is new."""

    tenant: Tenant = field(default_factory=lambda: EVERYBODY)
    remaining_s: float = 10.0
    lead_s: float | None = None
    text_goes_on: bool = False
    voice_name: str = "v"

    @property
    def dry_s(self) -> float:
        return -NEVER if self.lead_s is None else NOW_S + self.lead_s

    def unspoken_s(self, audio_s_per_char: float) -> float:
        return self.remaining_s


def admission(n_cores: int = 1, cost: float = COST, **rules: object) -> Admission:
    capacity = Capacity(n_cores, clock=lambda: NOW_S, process_clock=lambda: 0.0)
    capacity.note_block("v", cost, 1.0, first=False)
    return Admission(capacity, AdmissionRules(**{"max_load": 1.0, **rules}), clock=lambda: NOW_S)  # type: ignore[arg-type]


async def fill(door: Admission, stream: FakeStream | None = None, limit: int = 100) -> list[FakeStream]:
    """Let streams in until one is refused."""
    inside = []
    for _ in range(limit):
        each = FakeStream(**vars(stream or FakeStream()))
        try:
            await door.enter(each)
        except OverloadedError:
            return inside
        inside.append(each)
    return inside


async def test_streams_are_let_in_until_the_cores_are_taken():
    assert len(await fill(admission())) == 10
    assert len(await fill(admission(n_cores=2))) == 20
    assert len(await fill(admission(max_load=0.5))) == 5


async def test_who_is_refused_is_told_why_and_when_to_come_back():
    door = admission()
    await fill(door)
    with pytest.raises(OverloadedError, match="at its limit with 10 streams") as caught:
        await door.enter(FakeStream(remaining_s=20.0))
    assert 100 <= caught.value.retry_after_ms <= 10_000
    found = door.statistics()
    assert (found.streams, found.admitted, found.refused) == (10, 10, 2)
    assert (found.load, found.cores) == pytest.approx((1.0, 1.0))


async def test_a_stream_that_leaves_makes_room():
    door = admission()
    inside = await fill(door)
    door.leave(inside[0])
    door.leave(inside[0])
    await door.enter(FakeStream())


@pytest.mark.parametrize(("lead_s", "has_room"), [(4.0, True), (0.9, False), (0.0, False)])
async def test_listeners_who_have_audio_in_hand_leave_room_for_a_short_one(lead_s: float, has_room: bool):
    door = admission()
    for _ in range(10):
        await door.enter(FakeStream(lead_s=lead_s))
    assert door.try_enter(FakeStream(remaining_s=2.0)) == has_room


async def test_text_that_goes_on_is_expected_to():
    closed, going_on = FakeStream(remaining_s=0.2), FakeStream(remaining_s=0.2, text_goes_on=True)
    assert len(await fill(admission(), closed)) > len(await fill(admission(), going_on))


async def test_first_blocks_that_could_not_all_be_in_time_are_refused():
    door = admission(cost=0.001, ttfc_s=0.2)
    door.capacity.voice("v").first_block_s = 0.05
    assert len(await fill(door)) == 5  # 0.2 s, and a twentieth of a second of patience


async def test_an_unknown_voice_is_let_in():
    door = admission()
    assert len(await fill(door, FakeStream(voice_name="new"), limit=20)) == 20


async def test_everybody_is_let_in_when_admission_is_off():
    assert len(await fill(admission(policy="off"), limit=50)) == 50


# -- shares ----------------------------------------------------------------------------------


async def test_a_tenant_beyond_its_share_leaves_room_for_the_others():
    greedy, modest = Tenant("greedy"), Tenant("modest")
    door = admission(reserve=0.2)
    await door.enter(FakeStream(modest))
    assert len(await fill(door, FakeStream(greedy))) == 7  # eight in all: a fifth is left
    assert len(await fill(door, FakeStream(modest))) == 2


async def test_alone_a_tenant_may_have_everything():
    assert len(await fill(admission(reserve=0.2), FakeStream(Tenant("alone")))) == 10


async def test_the_share_follows_the_weight():
    heavy, light = Tenant("heavy", 9.0), Tenant("light")
    door = admission(reserve=0.2)
    await door.enter(FakeStream(light))
    assert len(await fill(door, FakeStream(heavy))) == 9


# -- waiting ---------------------------------------------------------------------------------


async def queued(door: Admission, *streams: FakeStream) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(door.enter(stream)) for stream in streams]
    await settle()
    return tasks


async def test_who_waits_is_let_in_when_there_is_room_in_order():
    door = admission(policy="queue")
    inside = [FakeStream() for _ in range(10)]
    for stream in inside:
        await door.enter(stream)
    first, second = await queued(door, FakeStream(), FakeStream())
    assert door.statistics().queued == 2
    door.leave(inside[0])
    await settle()
    assert (first.done(), second.done()) == (True, False)
    door.leave(inside[1])
    await second
    assert door.statistics().streams == 10


async def test_who_waits_too_long_is_refused():
    door = admission(policy="queue", queue_s=0.01)
    for _ in range(10):
        await door.enter(FakeStream())
    (waiting,) = await queued(door, FakeStream())
    with pytest.raises(OverloadedError):
        await waiting
    assert (door.statistics().queued, door.statistics().refused) == (0, 1)


async def test_the_queue_is_bounded():
    door = admission(policy="queue", max_queued=1)
    for _ in range(10):
        await door.enter(FakeStream())
    (waiting,) = await queued(door, FakeStream())
    with pytest.raises(OverloadedError):
        await door.enter(FakeStream())
    waiting.cancel()
    await settle()
    assert door.statistics().queued == 0


async def test_who_gives_up_waiting_leaves_no_trace():
    door = admission(policy="queue")
    inside = [FakeStream() for _ in range(10)]
    for stream in inside:
        await door.enter(stream)
    (waiting,) = await queued(door, FakeStream())
    waiting.cancel()
    door.leave(inside[0])  # in the same turn: it is let in and cancelled at once
    await settle()
    assert (door.statistics().queued, door.statistics().streams) == (0, 9)


async def test_room_that_time_alone_makes_is_noticed(monkeypatch: pytest.MonkeyPatch):
    door = admission(policy="queue")
    stream = FakeStream()
    for _ in range(9):
        await door.enter(FakeStream())
    await door.enter(stream)
    (waiting,) = await queued(door, FakeStream())
    stream.remaining_s = 0.0  # spoken to its end, though not left yet
    await asyncio.wait_for(waiting, 5)


# -- text ------------------------------------------------------------------------------------


def test_text_that_waits_is_bounded_over_all_utterances():
    door = admission(max_chars=10)
    door.take_text(8)
    with pytest.raises(OverloadedError, match="8 characters wait to be spoken; the limit is 10"):
        door.take_text(3)
    door.give_back_text(1)
    door.take_text(3)
    assert door.statistics().chars == 10


# -- with the schedule -----------------------------------------------------------------------


def arrivals(rng: random.Random, load: float, call_s: float) -> Iterator[SimStream]:
    """Poisson arrivals of streams of 1 to 8 seconds that together ask for `load` cores."""
    now_s = 0.0
    mean_s, cost = 4.5, 4 * call_s / 0.2
    while now_s < 20.0:
        now_s += rng.expovariate(load / (mean_s * cost))
        n_blocks = rng.randint(5, 40)
        yield SimStream(now_s, n_blocks, n_calls=4, call_s=call_s, start_calls=rng.randint(1, 6))


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    load=st.floats(0.3, 3.0),
    n_cores=st.sampled_from([1, 2]),
    call_s=st.sampled_from([0.001, 0.003, 0.008]),
)
def test_who_is_let_in_is_never_late_by_more_than_one_block(
    seed: int, load: float, n_cores: int, call_s: float
):
    machine = Machine(Schedule(), n_cores, admits=lambda stream: door.try_enter(stream))
    capacity = Capacity(n_cores, clock=lambda: machine.now_s, process_clock=lambda: 0.0)
    capacity.note_block("sim", 4 * call_s, 0.2, first=False)
    capacity.voice("sim").first_block_s = (4 + 6) * call_s
    door = Admission(capacity, AdmissionRules(), clock=lambda: machine.now_s)
    machine.on_leave = door.leave
    streams = list(arrivals(random.Random(seed), load * n_cores, call_s))
    machine.run(streams)
    let_in = [stream for stream in streams if not stream.refused]
    assert let_in
    for stream in let_in:
        assert len(stream.ready_s) == stream.n_blocks
        assert max(stream.late_s) <= stream.block_s
        assert stream.ttfc_s <= AdmissionRules().ttfc_s + 0.1
    refused = 1.0 - len(let_in) / len(streams)
    assert refused < 0.1 if load < 0.6 else refused > 0.1 if load > 1.5 else True
