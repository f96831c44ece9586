"""Everything that a run found out, as values.

Input   none
Output  Report: what the table, the JSON and the plots are made of
State   none
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from clients.bench.figures import LevelFigures
from clients.bench.generator import GeneratorFigures
from clients.bench.machine import Machine
from clients.bench.options import LoadKind
from clients.bench.plan import Mix
from clients.bench.record import Record


@dataclass(frozen=True, slots=True)
class TargetReport:
    """A server, and what it calls itself."""

    name: str
    kind: str
    url: str
    server: str


@dataclass(frozen=True, slots=True)
class LevelReport:
    """One level on one target.

    Attributes:
        target: Name of the target.
        level: Number of the level; -1 is the calibration.
        purpose: "idle", "level", or which part of a capacity search.
        load_kind, load: What was asked for; for "idle" one utterance after the other.
        rate_per_s: Mean arrivals of an open loop.
        passed: In a search, whether it counts as carried.
        trustworthy: False if the generator was too late for the figures to be the server's.
        interrupted: Cut short by Ctrl-C.
        generator: How the generator itself did.
        figures: The figures.
    """

    target: str
    level: int
    purpose: str
    load_kind: LoadKind
    load: float
    rate_per_s: float | None
    passed: bool | None
    trustworthy: bool
    interrupted: bool
    generator: GeneratorFigures
    figures: LevelFigures


@dataclass(frozen=True, slots=True)
class CapacityReport:
    """What a search found; `at_least`: it ended at the most that it was allowed to try."""

    target: str
    streams: float | None
    at_least: bool


@dataclass(frozen=True, slots=True)
class RunReport:
    """What holds for all levels."""

    date: str
    command: str
    seed: int
    texts: str
    n_distinct_texts: int
    mean_audio_s: float | None
    mix: Mix
    duration_s: float
    warm_up_s: float
    timeout_s: float
    ttfc_limit_ms: float
    multiplex: int
    machine: Machine


@dataclass(frozen=True, slots=True)
class Report:
    """A run. `records` are those of all levels, for --records and the plots."""

    run: RunReport
    targets: tuple[TargetReport, ...]
    levels: tuple[LevelReport, ...]
    capacities: tuple[CapacityReport, ...]
    warnings: tuple[str, ...]
    interrupted: bool
    records: tuple[Record, ...]

    @property
    def trustworthy(self) -> bool:
        """Return whether no level was spoilt by the generator."""
        return all(level.trustworthy for level in self.levels)

    def document(self) -> dict[str, Any]:
        """Return the report as JSON can hold it, without the records."""
        return {
            "benchmark": "load",
            "trustworthy": self.trustworthy,
            "interrupted": self.interrupted,
            "warnings": list(self.warnings),
            "run": asdict(self.run),
            "targets": [asdict(target) for target in self.targets],
            "capacity": [asdict(capacity) for capacity in self.capacities],
            "levels": [_rounded(asdict(level)) for level in self.levels],
        }


def _rounded(value: Any) -> Any:
    """Return the same with floats to 4 digits after the point: milliseconds need no more."""
    match value:
        case float():
            return round(value, 4)
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
        case list() | tuple():
            return [_rounded(item) for item in value]
        case _:
            return value
