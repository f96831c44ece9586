"""What a run of `zhiyin bench` is to do.

Input   none
Output  Options and its parts, filled by `clients.bench.arguments`
State   none
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clients.bench.plan import Mix
from clients.bench.targets import Target, Voice

LoadKind = Literal["streams", "rate", "clients"]
UNITS = {"streams": "concurrent streams", "rate": "utterances/s", "clients": "clients"}


@dataclass(frozen=True, slots=True)
class Load:
    """How much: concurrent real-time streams or utterances per second (open loop), or clients (closed)."""

    kind: LoadKind
    value: float

    def __str__(self) -> str:
        return f"{self.value:g} {UNITS[self.kind]}"


@dataclass(frozen=True, slots=True)
class Search:
    """How capacity is looked for."""

    start: float
    resolution: float
    most: float
    min_utterances: int


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files to write, besides standard output."""

    json: Path | None
    html: Path | None
    png: Path | None
    records: Path | None


@dataclass(frozen=True, slots=True)
class Options:
    """A run. `search` and `loads` exclude each other."""

    targets: tuple[Target, ...]
    voice: Voice
    texts: str
    seed: int
    mix: Mix
    loads: tuple[Load, ...]
    search: Search | None
    n_calibration: int | None
    duration_s: float
    warm_up_s: float
    timeout_s: float
    slow_factor: float
    ttfc_limit_ms: float
    multiplex: int
    outputs: Outputs
