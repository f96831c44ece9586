"""Real client processes are killed while a real server speaks to them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.model
def test_who_is_killed_is_forgotten_and_the_others_hear_the_end() -> None:
    command = [sys.executable, "-m", "benchmarks.killed_clients", "--rounds", "2", "--clients", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["killed"], result["survivors_done"], result["survivors_failed"]) == (4, 4, 0)
    assert (result["blocks_left"], result["chars_left"]) == (0, 0)
    assert len(result["forgotten_ms"]) == 2
