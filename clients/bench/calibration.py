"""Speak texts one after the other on an idle server: how long they are, and how fast it can be.

Input   the plan of the calibration, an adapter
Output  a LevelRun like any other; Calibration
State   none after it returns
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clients.bench.adapters.adapter import Adapter
from clients.bench.generator import LagProbe
from clients.bench.level import LevelRun, LevelSetup, Window
from clients.bench.plan import LevelPlan
from clients.bench.record import Record
from clients.bench.tally import Tally
from clients.bench.utterance import Listener, speak


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the texts of a run sound like on one target."""

    mean_audio_s: float
    s_per_char: float


async def calibrate(
    target: str, adapter: Adapter, plan: LevelPlan, n_texts: int, setup: LevelSetup, tally: Tally
) -> LevelRun:
    """Speak the first `n_texts` utterances of `plan`, each when the one before is over."""
    clock = setup.clock
    start_s = clock()
    records: list[Record] = []
    listener = Listener(target, plan.level, start_s, clock, setup.timeout_s, 1.0, setup.s_per_char, tally)
    await adapter.warm(1)
    async with LagProbe(clock) as probe:
        for number in range(n_texts):
            if setup.stop.is_set():
                break
            records.append(await speak(adapter, plan[number], clock(), listener))
    return LevelRun(
        target=target,
        level=plan.level,
        window=Window(0.0, clock() - start_s + 1e-6),
        records=tuple(records),
        lags_ms=tuple(probe.lags_ms()),
        cpu_share=probe.cpu_share,
        is_interrupted=setup.stop.is_set(),
    )


def lengths(records: Sequence[Record]) -> Calibration | None:
    """Return what the complete utterances tell; None if there are none."""
    whole = [record for record in records if record.outcome == "ok"]
    if not whole:
        return None
    audio_s = sum(record.audio_ms for record in whole) / 1000
    return Calibration(audio_s / len(whole), audio_s / sum(record.chars for record in whole))
