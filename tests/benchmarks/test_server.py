from __future__ import annotations

import sys

import pytest

from benchmarks import server


class Launcher:
    """Starts a given Python program in place of our server."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.processes: list[object] = []

    def __call__(self, command: list[str], **pipes: object) -> object:
        assert command[1:5] == ["-m", "server", "serve", "--host"]
        process = POPEN([sys.executable, "-c", self.program], **pipes)
        self.processes.append(process)
        return process


POPEN = server.subprocess.Popen


def launch(monkeypatch: pytest.MonkeyPatch, program: str) -> Launcher:
    launcher = Launcher(program)
    monkeypatch.setattr(server.subprocess, "Popen", launcher)
    return launcher


def test_the_address_is_read_from_what_the_server_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "print('ready: http://127.0.0.1:4321/', flush=True); import signal; signal.pause()"
    launcher = launch(monkeypatch, program)
    with server.running_server([]) as address:
        assert address == "127.0.0.1:4321"
    assert launcher.processes[0].poll() is not None


def test_a_server_that_ends_is_reported_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    launch(monkeypatch, "import sys; sys.exit('port is busy')")
    with pytest.raises(RuntimeError, match="exit code 1") as error, server.running_server([]):
        pass
    assert "port is busy" in error.value.__notes__[0]


def test_a_failure_of_the_measurement_brings_the_log_along(monkeypatch: pytest.MonkeyPatch) -> None:
    launch(monkeypatch, "print('ready: http://127.0.0.1:1', flush=True); import signal; signal.pause()")
    with pytest.raises(RuntimeError, match="refused") as error, server.running_server([]):
        raise RuntimeError("refused")
    assert "ready: " in error.value.__notes__[0]


def test_a_server_that_never_gets_ready_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "READY_TIMEOUT_S", 0.0)
    launcher = launch(monkeypatch, "import signal; signal.pause()")
    with pytest.raises(RuntimeError, match="not ready after 0 s"), server.running_server([]):
        pass
    assert launcher.processes[0].poll() is not None


def test_the_server_is_given_the_environment_on_top_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "kept")
    program = "import os, sys; sys.exit(os.environ['OURS'] + os.environ['ZHIYIN_CACHE__MEMORY_MB'])"
    launch(monkeypatch, program)
    with pytest.raises(RuntimeError) as error, server.running_server([], server.NO_CACHE):
        pass
    assert "kept0" in error.value.__notes__[0]
