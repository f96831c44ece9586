from __future__ import annotations

import stat
import wave
from pathlib import Path

import pytest

from clients.python.sinks import DeviceSink, ProcessSink, SinkError, WavSink, open_player


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_the_wav_is_complete_however_it_ends(tmp_path: Path, end: str) -> None:
    sink = WavSink(tmp_path / "a.wav", 8000)
    await sink.write(b"\x01\x00" * 5)
    await sink.write(b"\x02\x00" * 5)
    await getattr(sink, end)()
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getframerate(), file.getnframes(), file.getsampwidth()) == (8000, 10, 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
async def test_a_full_disk_is_an_error_about_the_file() -> None:
    sink = WavSink(Path("/dev/full"), 8000)
    with pytest.raises(SinkError, match="cannot write /dev/full: No space left"):
        await sink.write(bytes(1_000_000))
    with pytest.raises(SinkError, match="cannot write /dev/full"):
        await sink.abort()


def script(folder: Path, body: str) -> str:
    path = folder / "player"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


async def test_a_player_program_gets_the_samples(tmp_path: Path) -> None:
    sink = await ProcessSink.start(
        script(tmp_path, f"cat > {tmp_path}/heard; echo $* > {tmp_path}/asked"), 16000
    )
    await sink.write(b"abcd")
    await sink.close()
    assert (tmp_path / "heard").read_bytes() == b"abcd"
    assert "S16_LE -c 1 -r 16000" in (tmp_path / "asked").read_text(encoding="utf-8")


async def test_a_player_program_that_dies_is_an_error(tmp_path: Path) -> None:
    sink = await ProcessSink.start(script(tmp_path, "exit 1"), 16000)
    await sink.abort()
    with pytest.raises(SinkError, match="sound device"):
        await fill(sink)


async def fill(sink: ProcessSink) -> None:
    for _ in range(100):
        await sink.write(bytes(100_000))


async def test_abort_stops_a_program_that_plays(tmp_path: Path) -> None:
    sink = await ProcessSink.start(script(tmp_path, "exec cat > /dev/null"), 16000)
    await sink.write(b"ab")
    await sink.abort()
    assert sink._process.returncode is not None


async def test_no_player_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SinkError, match="pip install sounddevice"):
        await open_player(16000)


def test_a_missing_sound_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    with pytest.raises(SinkError, match="cannot play"):
        DeviceSink(16000)
