"""Run our server as a process of its own, as a user would, for the time of a measurement.

Input   command-line flags for `zhiyin serve`; environment variables
Output  the address it listens on, its process and its log
State   the process; it ends with the `with` block
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NO_CACHE = {"ZHIYIN_CACHE__MEMORY_MB": "0"}
"""Environment of a server that computes everything that it speaks."""

NO_PAUSES = {"ZHIYIN_TEXT__SENTENCE_PAUSE_MS": "0", "ZHIYIN_TEXT__PARAGRAPH_PAUSE_MS": "0"}
"""Silence costs nothing: audio that is counted must have been computed."""

READY_TIMEOUT_S = 60.0  # a cold start loads and warms every voice
STOP_TIMEOUT_S = 15.0
NOTE_CHARS = 2000  # of the log, in an error: a traceback and what led to it
_READY = re.compile(r"ready\b.*?http://([\w.\-]+:\d+)")


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that is ready."""

    address: str
    """`host:port`."""
    pid: int
    output: Path

    def log(self) -> str:
        """Return what it has printed so far."""
        return _read(self.output)


@contextmanager
def running_server(
    flags: list[str], environment: Mapping[str, str] | None = None, module: Sequence[str] | None = None
) -> Iterator[str]:
    """Run `server_process` for those who want its address only."""
    with server_process(flags, environment, module) as server:
        yield server.address


@contextmanager
def server_process(
    flags: list[str], environment: Mapping[str, str] | None = None, module: Sequence[str] | None = None
) -> Iterator[ServerProcess]:
    """Start `zhiyin serve` on a free port of the loopback interface.

    `environment` is added to that of this process and to NO_PAUSES: settings without a flag. `module`, with
    arguments of its own, is run in place of our server.

    An error inside the `with` block leaves it with the end of the server's log as a note.

    Raises:
        RuntimeError: It ended, or did not get ready within a minute.
    """
    command = [
        sys.executable,
        "-m",
        *(module or ["server"]),
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        *flags,
    ]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "server.log"
        with (
            output.open("wb") as log,
            subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **NO_PAUSES, **(environment or {})},
            ) as process,
        ):
            try:
                yield ServerProcess(_wait_until_ready(process, output), process.pid, output)
            except RuntimeError as error:
                error.add_note(f"the server's last words:\n{_read(output)[-NOTE_CHARS:]}")
                raise
            finally:
                _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], output: Path) -> str:
    give_up = time.monotonic() + READY_TIMEOUT_S
    while True:
        said = _read(output)
        if ready := _READY.search(said):
            return ready[1]
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {process.returncode}")
        if time.monotonic() > give_up:
            raise RuntimeError(f"the server was not ready after {READY_TIMEOUT_S:.0f} s")
        time.sleep(0.05)  # a file cannot be waited for


def _read(output: Path) -> str:
    return output.read_text(encoding="utf-8", errors="replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
