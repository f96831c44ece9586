"""Say what the load generator ran on, for the head of a report.

Input   nothing but the running system
Output  Machine
State   none; knows nothing of what is measured
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

DISTRIBUTIONS = ("zhiyin", "websockets", "aiohttp", "uvloop", "numpy", "msgpack", "matplotlib")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a figure depends on besides the server.

    Attributes:
        cpu: Model name of the processor.
        cores: Logical processors that this process may use.
        load: Runnable processes over the last minute, before the run; None where the system does not tell.
        system: Operating system and architecture.
        python: Version of the interpreter.
        versions: Installed version per distribution.
    """

    cpu: str
    cores: int
    load: float | None
    system: str
    python: str
    versions: dict[str, str]


def describe_machine() -> Machine:
    """Look at this machine."""
    return Machine(
        cpu=cpu_model(),
        cores=usable_cores(),
        load=load_average(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        versions=installed_versions(DISTRIBUTIONS),
    )


def installed_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the version of each distribution; those that are absent are left out."""
    versions = {}
    for name in distributions:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def load_average() -> float | None:
    """Return the runnable processes over the last minute; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def cpu_model() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Return the cores that this process may use: in a container the machine's count says little."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
