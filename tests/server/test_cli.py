"""The command as a user runs it. Few tests start a process: each costs a second."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.cli import main

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the fake server on a free port; yield the process and the WebSocket's URL."""
    command = [sys.executable, "-m", "server", "serve", "--engine", "fake", "--port", "0", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZHIYIN_")}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            while not any("WebSocket" in line for line in lines):
                line = process.stdout.readline()
                assert line, f"the server ended: {process.stderr and process.stderr.read()}"
                lines.append(line)
            assert lines[0].startswith("ready: http://127.0.0.1:")
            yield process, lines[-1].split()[-1]
        finally:
            process.kill()


def test_a_server_starts_speaks_and_ends_with_status_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving() as (process, url):
        assert ":0/" not in url
        assert main(["say", "你好。", "-o", str(tmp_path / "a.wav"), "--url", url]) == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr is not None
        log = process.stderr.read()
    assert "outcome=done" in log
    assert "你好" not in log
    assert "Traceback" not in log
    assert "TTFC" in capsys.readouterr().out


def test_ctrl_c_ends_the_server_cleanly_while_it_speaks() -> None:
    with serving() as (process, url):
        text = "今天天气很好我们去公园散步吧。" * 50
        command = [sys.executable, "-m", "server", "say", text, "-o", os.devnull, "--url", url]
        with subprocess.Popen(
            command, cwd=REPOSITORY, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as say:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            say.kill()


def test_a_busy_port_is_a_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--engine", "fake", "--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1:{port}" in error
    assert "--port 0" in error


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["serve", "--config", "/nonexistent.yaml"], "no configuration file"),
        (["serve", "--port", "70000"], "port: found 70000"),
        (["serve", "--voices", "/nonexistent"], "no folder /nonexistent"),
        (["voices", "show", "nobody"], "no voice 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert expected in error
    assert error.startswith("zhiyin: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["sing"], ["serve", "--engine", "steam"], ["voices"]])
def test_wrong_usage_has_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["serve", "--help"], ["say", "--help"], ["bench", "--help"]]
)
def test_help_and_version_have_status_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert "zhiyin" in capsys.readouterr().out


def test_ctrl_c_ends_a_command_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(config: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("server.voices_command.list_voices", interrupted)
    assert main(["voices", "list"]) == 128 + signal.SIGINT
    assert capsys.readouterr().err == "zhiyin: interrupted\n"
