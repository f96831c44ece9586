"""`zhiyin demo` up to where Gradio begins."""

from __future__ import annotations

import asyncio
import importlib.util
import socket

import pytest

from clients.demo import command
from server.cli import main
from tests.server.harness import running


@pytest.fixture
def gradio_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def test_without_gradio_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["demo"]) == 1
    error = capsys.readouterr().err
    assert error == "zhiyin demo: the demo needs gradio: pip install 'zhiyin[gradio]'\n"


@pytest.mark.usefixtures("gradio_is_there")
def test_without_a_server_it_says_so(capsys: pytest.CaptureFixture[str], unused_tcp_port: int) -> None:
    assert main(["demo", "--url", f"ws://127.0.0.1:{unused_tcp_port}/v1/stream"]) == 1
    error = capsys.readouterr().err
    assert "no server answers" in error
    assert error.count("\n") == 1


@pytest.mark.usefixtures("gradio_is_there")
async def test_a_port_in_use_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with running() as server:
            arguments = ["--url", server.url, "--port", port]
            assert await asyncio.to_thread(command.main, arguments) == 1
            assert await asyncio.to_thread(command.main, ["--url", server.url, "--port", "70000"]) == 1
    error = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1:{port}" in error
    assert "--port 0 takes a free one" in error
    assert "found port 70000" in error


def test_help_has_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", "--help"])
    assert caught.value.code == 0
    assert "--token" in capsys.readouterr().out
