from __future__ import annotations

import os
import platform

from benchmarks.machine import describe_machine


def test_the_machine_is_described_without_asking_anybody() -> None:
    machine = describe_machine(("numpy", "pytest"))
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert machine.cpu
    assert machine.python == platform.python_version()
    assert set(machine.versions) == {"numpy", "pytest"}


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert describe_machine(("no-such-distribution",)).versions == {}
