from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from server.app import WYOMING
from server.config import AuthConfig, ServerConfig, WyomingConfig
from server.serving import _listen_to_wyoming, _where, typed_command
from streaming.errors import ConfigError
from tests.server.harness import limits, running


def test_the_hint_names_a_command_that_the_shell_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    installed = tmp_path / ".venv" / "bin" / "zhiyin"
    assert typed_command(installed, None) == ".venv/bin/zhiyin"
    assert typed_command(installed, "/usr/bin/zhiyin") == "zhiyin"
    assert typed_command(Path("/lib/server/__main__.py"), None) == "zhiyin"


async def test_the_port_of_wyoming_is_announced_where_there_is_one() -> None:
    async with running() as server:
        wyoming = server.runner.app[WYOMING]
        assert "tcp://" not in _where("127.0.0.1:1", wyoming, server.backend)
    async with running(limits(wyoming=True)) as server:
        wyoming = server.runner.app[WYOMING]
        lines = _where("127.0.0.1:1", wyoming, server.backend)
        assert f"  Wyoming    tcp://127.0.0.1:{server.wyoming_port}\n" in lines


async def test_a_port_of_wyoming_that_is_taken_refuses_the_start() -> None:
    async with running() as server:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            config = ServerConfig(wyoming=WyomingConfig(port=taken.getsockname()[1]))
            with pytest.raises(ConfigError, match=r"wyoming\.port: cannot listen on 127\.0\.0\.1"):
                await _listen_to_wyoming(server.runner.app[WYOMING], config)


async def test_who_wants_tokens_is_told_that_wyoming_has_none(caplog: pytest.LogCaptureFixture) -> None:
    config = ServerConfig(wyoming=WyomingConfig(port=0), auth=AuthConfig(tokens=("secret",)))
    async with running() as server:
        with caplog.at_level(logging.WARNING):
            await _listen_to_wyoming(server.runner.app[WYOMING], config)
    assert "no tokens" in caplog.text
