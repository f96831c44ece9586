"""How many streams' rows pay off in one call of a network, measured on this machine.

Input   an engine, calls that a synthesis made on it
Output  rows per network
State   none
On a CPU a decoder step reads all its weights for very little work, so company is cheap; a vocoder block is
all work, so company gains nothing and makes everybody wait for the last. Which is which depends on the sizes
of the networks and on the machine. Rows also share what a call costs outside of its network, which is more
than a decoder step that is one compiled function.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from streaming.synthesis.engine import Engine, NetworkName
from streaming.synthesis.steps import NetworkCall, stack_inputs

MAX_ROWS = 32
REPETITIONS = 3  # the fastest counts: whatever else the machine does only makes a call slower
LEAST_GAIN = 0.08  # by which twice the rows must lower the time per row
# What a call costs beside its network: to choose it, to wake a thread, the interpreter's lock (lab-log).
CALL_S = 0.0002
LONGEST_CALL_S = 0.005  # what others may wait for a call in any case


def rows_that_pay(
    engine: Engine, calls: Iterable[NetworkCall], clock: Callable[[], float] = time.perf_counter
) -> dict[NetworkName, int]:
    """Return how many rows each network of `calls` should take at most, if more than one.

    Rows are doubled for as long as that lowers the time per row, and no call takes longer than the longest of
    the voice with one row, or than 5 ms. Blocking: as long as a few dozen calls.

    Args:
        engine: What runs the networks.
        calls: One typical call for each network, those that take no rows included.
        clock: Seconds.

    Raises:
        SynthesisError: A network failed.
    """
    alone_s = [(call, _call_s(engine, call, 1, clock)) for call in calls]
    longest_s = max(LONGEST_CALL_S, *(call_s for _, call_s in alone_s))
    rows = {
        call.network: _most_rows(engine, call, call_s, longest_s, clock)
        for call, call_s in alone_s
        if call.stackable
    }
    return {network: n_rows for network, n_rows in rows.items() if n_rows > 1}


def _most_rows(
    engine: Engine, call: NetworkCall, alone_s: float, longest_s: float, clock: Callable[[], float]
) -> int:
    n_rows, row_s = 1, alone_s
    while n_rows < MAX_ROWS:
        more_s = _call_s(engine, call, 2 * n_rows, clock)
        if more_s > longest_s or more_s / (2 * n_rows) > (1.0 - LEAST_GAIN) * row_s:
            break
        n_rows, row_s = 2 * n_rows, more_s / (2 * n_rows)
    return n_rows


def _call_s(engine: Engine, call: NetworkCall, n_rows: int, clock: Callable[[], float]) -> float:
    inputs = stack_inputs([call] * n_rows)
    times = []
    for _ in range(REPETITIONS):
        begun_s = clock()
        call.run(engine, inputs)
        times.append(clock() - begun_s)
    return CALL_S + min(times)
