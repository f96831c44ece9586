"""Say what a measurement ran on: processor, cores, versions, commit.

Input   nothing but the running system
Output  Machine, for the head of a report and its closing JSON line
State   none; knows nothing of what is measured
"""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from clients.bench.machine import cpu_model, installed_versions, load_average, usable_cores

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Machine:
    """What a figure depends on besides the code.

    Attributes:
        cpu: Model name of the processor.
        cores: Logical processors this process may use.
        load: Mean number of runnable processes over the last minute, before the run; None where the
            system does not tell. Well above 0 means that the figures were taken beside other work.
        system: Operating system and architecture.
        python: Version of the interpreter.
        versions: Installed version per distribution.
        commit: Short hash, with "+dirty" when the tree has changes; None outside a repository.
    """

    cpu: str
    cores: int
    load: float | None
    system: str
    python: str
    versions: dict[str, str]
    commit: str | None

    def head(self, command: str) -> list[str]:
        """Return the first lines of a report: the machine, the software, what was run."""
        versions = " ".join(f"{name} {version}" for name, version in self.versions.items())
        return [
            f"machine   {self.cpu}, {self.cores} cores, load {self.load}, {self.system}",
            f"software  python {self.python}, {versions}, commit {self.commit or 'unknown'}",
            f"command   {command}",
        ]


def describe_machine(distributions: tuple[str, ...]) -> Machine:
    """Look at this machine and at the installed `distributions`; those that are absent are left out."""
    return Machine(
        cpu=cpu_model(),
        cores=usable_cores(),
        load=load_average(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        versions=installed_versions(distributions),
        commit=_commit(),
    )


def _commit() -> str | None:
    # `--always` gives the bare hash where no tag exists.
    command = ["git", "-C", str(ROOT), "describe", "--always", "--exclude=*", "--dirty=+dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
