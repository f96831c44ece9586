"""Percentiles by nearest rank: the value that at least this share of the samples does not exceed.

Input   samples
Output  Distribution
State   none
Nearest rank never invents a value between two samples. A percentile of fewer samples than it takes
to have one beyond it (100 for p99) is the maximum in disguise: it is given, and named in `unsure`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}


@dataclass(frozen=True, slots=True)
class Distribution:
    """Percentiles of `n` samples, None without samples; `unsure` names those with too few."""

    n: int
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    max: float | None
    unsure: tuple[str, ...]


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """Return the percentile of samples in ascending order; there must be one."""
    # The small term undoes binary fractions: 0.99 * 100 must give rank 99, not 100.
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def distribution(samples: Iterable[float | None]) -> Distribution:
    """Return the percentiles of those samples that are there."""
    ordered = sorted(sample for sample in samples if sample is not None)
    found = {name: nearest_rank(ordered, share) if ordered else None for name, share in SHARES.items()}
    unsure = tuple(name for name, share in SHARES.items() if len(ordered) * (1 - share) < 1 - 1e-9)
    return Distribution(len(ordered), **found, max=ordered[-1] if ordered else None, unsure=unsure)
