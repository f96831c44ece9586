"""Find the highest load that a server carries: doubling, then bisection, then a confirming run.

Input   whether each probe passed
Output  the next load to try, and in the end the capacity
State   the highest load that passed, the lowest that failed
It does no probing and knows no server. Loads are concurrent real-time streams, in steps of 0.1.
"""

from __future__ import annotations

from enum import Enum

from clients.bench.figures import LevelFigures

MIN_C100 = 0.99
MAX_FAILED_SHARE = 0.01
STEP = 0.1  # streams; also the least that is tried


class _Phase(Enum):
    DOUBLING = "doubling"
    BISECTING = "bisecting"
    CONFIRMING = "confirming"
    OVER = "over"


def passes(figures: LevelFigures, ttfc_limit_ms: float) -> bool:
    """Return whether a probe fulfils the definition of capacity (docs/metrics.md)."""
    c100, p99_ms = figures.continuity.c100, figures.latency.judged_ttfc_ms.p99
    return (
        c100 is not None
        and c100 >= MIN_C100
        and p99_ms is not None
        and p99_ms <= ttfc_limit_ms
        and figures.failed_share <= MAX_FAILED_SHARE
    )


class CapacitySearch:
    """One search. Ask for `next_load`, probe it, `note` whether it passed, until there is none."""

    def __init__(self, start: float, resolution: float, most: float) -> None:
        """Begin at `start` streams; stop at `resolution` (a share) or at `most` streams."""
        self._resolution = resolution
        self._most = most
        self._low: float | None = None
        self._high: float | None = None
        self._load = min(max(start, STEP), most)
        self._phase = _Phase.DOUBLING

    @property
    def phase(self) -> str:
        """Return what the next probe is for."""
        return self._phase.value

    @property
    def next_load(self) -> float | None:
        """Return the load of the next probe, or None when the search is over."""
        return None if self._phase is _Phase.OVER else self._load

    @property
    def capacity(self) -> float | None:
        """Return the confirmed capacity; 0 if not even the least load passed; None before the end."""
        return (self._low or 0.0) if self._phase is _Phase.OVER else None

    @property
    def is_at_least(self) -> bool:
        """Return whether the search ended at its upper end, so that the capacity may be higher."""
        return self._phase is _Phase.OVER and self._low == self._most

    def note(self, passed: bool) -> None:
        """Note the result of the probe at `next_load`."""
        if self._phase is _Phase.CONFIRMING:
            self._note_confirmation(passed)
            return
        if passed:
            self._low = self._load
        else:
            self._high = self._load
        if self._low is None:
            self._after_failure_at_the_start()
        elif self._high is None:
            self._load = min(self._most, 2 * self._load)
            if self._low == self._most:
                self._phase = _Phase.CONFIRMING
        else:
            self._bisect(self._low, self._high)

    def _after_failure_at_the_start(self) -> None:
        """The first load was too much: halve until one passes."""
        if self._load <= STEP:
            self._phase = _Phase.OVER
        self._load = max(STEP, round(self._load / 2, 1))

    def _bisect(self, low: float, high: float) -> None:
        self._phase = _Phase.BISECTING
        self._load = round((low + high) / 2, 1)
        if high - low <= self._resolution_at(low) + 1e-9 or self._load in (low, high):
            self._phase = _Phase.CONFIRMING
            self._load = low

    def _note_confirmation(self, passed: bool) -> None:
        if passed:
            self._low = self._load
            self._phase = _Phase.OVER
            return
        self._load = round(self._load - self._resolution_at(self._load), 1)
        if self._load < STEP:
            self._low = None
            self._phase = _Phase.OVER

    def _resolution_at(self, load: float) -> float:
        return max(STEP, self._resolution * load)
