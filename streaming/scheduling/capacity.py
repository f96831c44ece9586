"""What speech costs on this machine, and how much of it the machine can make: measured while it works.

Input   what each block cost and how long it sounds; blocks that came too late
Output  compute seconds per second of audio, by voice; cores that are there for it
State   sums that fade; a factor for what cannot be seen
Not here: who is let in (admission.py).

Cost is processor time, which is the same whether a call was interrupted or not. What the process spends
around the networks (sockets, packing, the interpreter) is taken from the process's own processor time and
laid on every voice in proportion. What other processes take away cannot be seen, but heard: a second
in which listeners run dry takes a twentieth off the cores that are counted on, and calm gives them back.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_AUDIO_S = 30.0  # cost is an average over about this much of the latest audio
WINDOW_CHARS = 500.0
OVERHEAD_WINDOW_S = 2.0
LATE_FACTOR = 0.95
LATE_EVERY_S = 1.0  # many listeners run dry at the same moment, for one reason
LEAST_FACTOR = 0.3
RECOVERY_PER_S = 0.02
SECONDS_PER_CHAR = 0.25  # of Mandarin, before anything is known


@dataclass(slots=True)
class VoiceCost:
    """What a voice costs.

    Attributes:
        cpu_s: Processor seconds of the latest blocks, networks and frontend only.
        audio_s: Audio that they made.
        first_block_s: Processor seconds until the first audio of a segment is there; 0 if unknown.
        audio_s_per_char: How long a character sounds.
    """

    cpu_s: float = 0.0
    audio_s: float = 0.0
    first_block_s: float = 0.0
    audio_s_per_char: float = SECONDS_PER_CHAR

    @property
    def per_audio_s(self) -> float:
        """Processor seconds per second of audio; 0 if unknown."""
        return self.cpu_s / self.audio_s if self.audio_s else 0.0


class Capacity:
    """Running estimates. Belongs to one event loop."""

    def __init__(
        self,
        n_cores: int,
        *,
        clock: Callable[[], float] = time.perf_counter,
        process_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._n_cores = n_cores
        self._clock = clock
        self._process_clock = process_clock
        self._voices: dict[str, VoiceCost] = {}
        self._overhead = 1.0
        self._mark_s = clock()
        self._mark_process_s = process_clock()
        self._blocks_s = 0.0  # since the mark
        self._factor = 1.0
        self._factor_s = self._mark_s
        self._late_s = -math.inf

    @property
    def overhead(self) -> float:
        """Processor time of the process over that of the blocks."""
        return self._overhead

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of the voices whose cost has been asked for."""
        return tuple(self._voices)

    def voice(self, name: str) -> VoiceCost:
        """Return the present estimate for a voice."""
        return self._voices.setdefault(name, VoiceCost())

    def cost(self, name: str) -> float:
        """Return processor seconds per second of audio, everything included; 0 if unknown."""
        return self.voice(name).per_audio_s * self._overhead

    def cores(self) -> float:
        """Return the cores that can be counted on."""
        now_s = self._clock()
        self._factor = min(1.0, self._factor + RECOVERY_PER_S * (now_s - self._factor_s))
        self._factor_s = now_s
        return self._n_cores * self._factor

    def note_block(self, name: str, cpu_s: float, audio_s: float, *, first: bool) -> None:
        """Note what one block cost; `first` is the first of its segment."""
        cost = self.voice(name)
        fading = math.exp(-audio_s / WINDOW_AUDIO_S)
        cost.cpu_s = fading * cost.cpu_s + cpu_s
        cost.audio_s = fading * cost.audio_s + audio_s
        if first:
            weight = 1.0 if cost.first_block_s == 0.0 else 0.1
            cost.first_block_s += weight * (cpu_s - cost.first_block_s)
        self._blocks_s += cpu_s
        self._measure_overhead()

    def note_segment(self, name: str, n_chars: int, audio_s: float) -> None:
        """Note how long a segment sounds."""
        cost = self.voice(name)
        if n_chars:
            weight = 1.0 - math.exp(-n_chars / WINDOW_CHARS)
            cost.audio_s_per_char += weight * (audio_s / n_chars - cost.audio_s_per_char)

    def note_late(self) -> None:
        """A listener ran dry although the block had been asked for in time."""
        factor = self.cores() / self._n_cores
        if self._factor_s >= self._late_s + LATE_EVERY_S:
            self._factor = max(factor * LATE_FACTOR, LEAST_FACTOR)
            self._late_s = self._factor_s

    def _measure_overhead(self) -> None:
        now_s = self._clock()
        if now_s - self._mark_s < OVERHEAD_WINDOW_S:
            return
        process_s = self._process_clock()
        measured = (process_s - self._mark_process_s) / self._blocks_s
        # An idle process spends a little on nothing; at full load, where it counts, that is nothing.
        self._overhead += 0.5 * (min(max(measured, 1.0), 2.0) - self._overhead)
        self._mark_s, self._mark_process_s, self._blocks_s = now_s, process_s, 0.0
