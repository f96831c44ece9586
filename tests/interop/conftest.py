"""A real server process, and real SDKs each in an environment of its own (`make interop`).

A client script is run by the SDK's own Python with the server's port as its argument. It prints one JSON
object, its last line; `version` in it is the SDK's. Nothing of ours is imported by it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENTS = ROOT / "build" / "interop"
START_S = 60
CLIENT_S = 150

Report = dict[str, Any]
RunClient = Callable[..., Report]


@dataclass(frozen=True)
class RunningServer:
    """A server as its users start it."""

    port: int
    wyoming_port: int


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "server", "serve", "--port", "0"]
    environment = {**os.environ, "ZHIYIN_WYOMING__PORT": "0"}
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment
        ) as process,
    ):
        try:
            ports = _ports(process, log)
            yield RunningServer(ports["http"], ports.get("tcp", 0))
        finally:
            process.terminate()


def _ports(process: subprocess.Popen[bytes], log: Path) -> dict[str, int]:
    """Wait for the server's lines that say where it is."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        text = log.read_text(encoding="utf-8")
        if "  try " in text:
            addresses = [word for word in text.split() if word.startswith(("http://", "tcp://"))]
            return {a.partition(":")[0]: int(a.rpartition(":")[2]) for a in addresses}
        time.sleep(0.05)
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def run_client(server: RunningServer) -> RunClient:
    """Run `clients/SCRIPT.py PORT ARGUMENTS` with an SDK; returns what it reports."""

    def run(sdk: str, script: str, *arguments: str, port: int | None = None) -> Report:
        python = ENVIRONMENTS / sdk / "bin" / "python"
        if not python.exists():
            pytest.skip(f"no environment for {sdk}: run `make interop`")
        command = [str(python), str(HERE / "clients" / f"{script}.py"), str(port or server.port), *arguments]
        environment = {**os.environ, "NO_PROXY": "127.0.0.1,localhost", "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=CLIENT_S, env=environment, check=False
        )
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
        report: Report = json.loads(done.stdout.splitlines()[-1])
        print(f"{sdk} {report['version']}")
        return report

    return run
