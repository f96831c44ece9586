"""`zhiyin voices` as it is typed; what the commands do is tested beside each."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from server.cli import main
from tests.streaming.doubles import write_bundle


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    """Flags for a folder with one voice, whose networks are missing."""
    write_bundle(tmp_path / "voices", "a")
    (tmp_path / "server.yaml").write_text("voice: {embedded: false}\n")
    return ["--config", str(tmp_path / "server.yaml"), "--voices", str(tmp_path / "voices")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_list_and_show_print_the_voices(config: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "list", *config]) == 0
    assert capsys.readouterr().out.startswith("* a ")
    assert main(["voices", "show", "a", *config]) == 0
    assert "name: a\n" in capsys.readouterr().out


def test_verify_has_status_1_if_any_fails(config: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "verify", *config]) == 1
    assert capsys.readouterr().out.startswith("FAILED a: ")


def test_remove_without_asking(config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "remove", "a", "--yes", *config]) == 0
    assert "zhiyin voices reload" in capsys.readouterr().out
    assert not (tmp_path / "voices" / "a").exists()


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("Yes\n", 0), ("n\n", 1), ("\n", 1)])
def test_remove_asks_on_a_terminal(
    config: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["voices", "remove", "a", *config]) == status
    assert (tmp_path / "voices" / "a").exists() is bool(status)


def test_remove_needs_a_terminal_or_yes(
    config: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["voices", "remove", "a", *config]) == 1
    assert "--yes" in capsys.readouterr().err
    assert (tmp_path / "voices" / "a").exists()


def test_an_embedded_voice_is_not_removed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "remove", "shanquan", "--yes"]) == 1
    assert "voice 'shanquan' ships with the project" in capsys.readouterr().err


def test_reload_without_a_server_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "reload", "--url", "http://127.0.0.1:1"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("zhiyin: no server answers at http://127.0.0.1:1/")
    assert error.count("\n") == 1
