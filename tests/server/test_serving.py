from __future__ import annotations

from pathlib import Path

import pytest

from server.serving import typed_command


def test_the_hint_names_a_command_that_the_shell_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    installed = tmp_path / ".venv" / "bin" / "zhiyin"
    assert typed_command(installed, None) == ".venv/bin/zhiyin"
    assert typed_command(installed, "/usr/bin/zhiyin") == "zhiyin"
    assert typed_command(Path("/lib/server/__main__.py"), None) == "zhiyin"
