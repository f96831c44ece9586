"""One utterance against a scripted server, on a clock that the test moves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from clients.bench.adapters.adapter import Chunk, FailedError, Receipt, RefusedError, Request, ServerInfo
from clients.bench.plan import Planned
from clients.bench.record import Record
from clients.bench.tally import Tally
from clients.bench.utterance import Listener, speak

RATE = 1000
DUE_S = 100.0
S_PER_CHAR = 0.1

Step = tuple[float, int] | Exception


@dataclass
class Script:
    """A server and its stream: chunks of so many samples at times after the request, then the end."""

    steps: list[Step]
    now_s: float = DUE_S
    sample_rate: int = RATE
    sent_s: float = 0.0
    connect_s: float = 0.0
    receipt: Receipt | None = None
    done: list[str] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    async def open(self) -> ServerInfo:
        return ServerInfo("script")

    async def warm(self, n_connections: int) -> None: ...

    async def cool(self) -> None: ...

    async def close(self) -> None: ...

    async def start(self, request: Request) -> Script:
        self.now_s += 0.001
        self.sent_s = self.now_s
        return self

    async def next(self) -> Chunk | None:
        await asyncio.sleep(0)
        if not self.steps:
            return None
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        after_s, n_samples = step
        self.now_s = DUE_S + after_s
        return Chunk(np.full(n_samples, 9000, dtype="<i2").tobytes(), self.now_s)

    async def cancel(self) -> None:
        self.now_s += 0.02
        self.done.append("cancel")

    def abort(self) -> None:
        self.done.append("abort")

    def abandon(self) -> None:
        self.done.append("abandon")


def planned(n_chars: int = 20, **fields: Any) -> Planned:
    values: dict[str, Any] = {
        "number": 3, "due_s": 0.0, "tokens": (), "is_repeat": False, "is_slow": False, "barge_in": None,
        "abort": None, "think_s": 0.0,
    }  # fmt: skip
    return Planned(text="好" * n_chars, **{**values, **fields})


async def spoken(script: Script, utterance: Planned, tally: Tally | None = None) -> Record:
    listener = Listener("a", 0, DUE_S - 10, script.clock, 5.0, 0.5, S_PER_CHAR, tally or Tally())
    return await speak(script, utterance, DUE_S, listener)


async def test_latency_counts_from_when_it_was_due_not_from_when_it_was_sent() -> None:
    script = Script([(0.5, 1000), (0.6, 1000)], now_s=DUE_S + 0.3)  # the generator was 300 ms late
    record = await spoken(script, planned())
    assert record.ttfc_ms == pytest.approx(500)
    assert record.late_ms == pytest.approx(301)
    assert record.outcome == "ok"
    assert (record.audio_ms, record.stream_ms) == (2000, pytest.approx(100))
    assert record.scheduled_s == pytest.approx(10)
    assert record.playback_end_s == pytest.approx(12.5)


async def test_a_wait_for_a_connection_is_latency_but_not_the_generators_lateness() -> None:
    record = await spoken(Script([(0.5, 1000)], now_s=DUE_S + 0.3, connect_s=0.25), planned())
    assert record.ttfc_ms == pytest.approx(500)
    assert record.late_ms == pytest.approx(51)


async def test_who_interrupts_does_so_after_that_part_of_the_expected_audio() -> None:
    steps: list[Step] = [(0.1 + 0.2 * n, 200) for n in range(10)]  # as fast as it is played
    script = Script(steps)
    record = await spoken(script, planned(barge_in=0.5))  # of 2 s
    assert record.outcome == "cancelled"
    assert script.done[0] == "cancel"
    assert record.playback_end_s == pytest.approx(10 + 0.1 + 1.0)
    assert record.cancel_ms == pytest.approx(20)


async def test_who_interrupts_after_everything_has_arrived_stops_listening_then() -> None:
    script = Script([(0.1, 1000), (0.2, 3000)])  # 4 s, much earlier than they are played
    record = await spoken(script, planned(barge_in=0.5))
    assert (record.outcome, record.cancel_ms) == ("cancelled", None)
    assert record.playback_end_s == pytest.approx(10 + 0.1 + 2.0)
    assert "cancel" not in script.done


async def test_gaps_after_the_interruption_are_not_heard() -> None:
    script = Script([(0.1, 1000), (3.1, 1000)])
    assert (await spoken(script, planned(barge_in=0.25))).gaps_ms == ()
    script = Script([(0.1, 1000), (3.1, 1000)])
    assert (await spoken(script, planned())).gaps_ms == pytest.approx((2000,))


async def test_a_killed_client_dies_in_the_middle() -> None:
    script = Script([(0.1, 500), (0.2, 500), (0.3, 500), (0.4, 500)])
    record = await spoken(script, planned(abort=0.4))
    assert (record.outcome, record.audio_ms) == ("aborted", 1000)
    assert script.done[0] == "abort"


async def test_a_slow_reader_takes_its_time() -> None:
    script = Script([(0.1, 10), (0.2, 10)])
    record = await spoken(script, planned(is_slow=True))
    assert (record.outcome, record.is_slow) == ("ok", True)


@pytest.mark.parametrize(
    ("error", "outcome", "code", "retry_after_ms"),
    [
        (RefusedError("overloaded", 700), "refused", "overloaded", 700),
        (FailedError("internal", "x"), "error", "internal", None),
        (FailedError("connection_lost", "x"), "error", "connection_lost", None),
    ],
)
async def test_whatever_goes_wrong_is_in_the_record(
    error: Exception, outcome: str, code: str, retry_after_ms: int | None
) -> None:
    tally = Tally()
    record = await spoken(Script([(0.1, 100), error]), planned(), tally)
    assert (record.outcome, record.code, record.retry_after_ms) == (outcome, code, retry_after_ms)
    assert (tally.live, tally.sent, tally.outcomes[outcome]) == (0, 1, 1)


async def test_an_end_without_audio_is_an_error() -> None:
    record = await spoken(Script([]), planned())
    assert (record.outcome, record.code, record.ttfc_ms) == ("error", "no_audio", None)


async def test_a_run_that_ends_leaves_nothing_under_way() -> None:
    script, tally, started = Script([]), Tally(), asyncio.Event()

    async def forever() -> Chunk | None:
        started.set()
        await asyncio.Event().wait()
        return None

    script.next = forever  # type: ignore[method-assign]
    task = asyncio.create_task(spoken(script, planned(), tally))
    await started.wait()
    assert tally.live == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tally.live == 0
    assert script.done == ["abandon"]
