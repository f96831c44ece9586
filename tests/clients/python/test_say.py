"""`zhiyin say` in this process, against the real server with the fake voice."""

from __future__ import annotations

import asyncio
import os
import wave
from pathlib import Path
from typing import Any

import pytest

from clients.python import say, sinks
from tests.server.harness import LONG_TEXT, Server, limits, running


async def run(server: Server, *arguments: str) -> int:
    return await asyncio.to_thread(say.main, [*arguments, "--url", server.url])


def frames_of(path: Path) -> tuple[int, int]:
    with wave.open(str(path)) as file:
        return file.getframerate(), file.getnframes()


async def test_a_text_becomes_a_wav_and_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.wav"
    async with running() as server:
        assert await run(server, "你好欢迎光临。", "-o", str(path), "--stats", "--rate", "16000") == 0
    rate, n_frames = frames_of(path)
    assert rate == 16000
    assert n_frames > 16000 * 0.3
    output = capsys.readouterr().out
    for word in ("TTFC", "audible", "RTF", "underruns", "vocoder", f"{n_frames / 16000:.2f} s of audio"):
        assert word in output


async def test_style_options_reach_the_server(tmp_path: Path) -> None:
    async def spoken(name: str, *options: str) -> bytes:
        assert await run(server, "你好。", "-o", str(tmp_path / name), *options) == 0
        return (tmp_path / name).read_bytes()

    async with running() as server:
        sad = await spoken("sad.wav", "--emotion", "sad")
        assert await spoken("sadder.wav", "--emotion", "sad", "--emotion-intensity", "2") != sad
        assert await spoken("high.wav", "--emotion", "sad", "--pitch", "1.5") != sad
        assert await spoken("plain.wav", "--emotion", "sad", "--emotion-intensity", "1") == sad


@pytest.mark.parametrize(("name", "magic"), [("a.mp3", b"\xff"), ("a.OGG", b"OggS"), ("a.flac", b"fLaC")])
async def test_the_name_of_the_file_says_its_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, magic: bytes
) -> None:
    async with running() as server:
        assert await run(server, "你好欢迎光临。", "-o", str(tmp_path / name), "--stats") == 0
    assert (tmp_path / name).read_bytes().startswith(magic)
    output = capsys.readouterr().out
    assert " s of audio, TTFC " in output
    assert "audible -" in output  # what is coded is not listened to


def test_what_is_played_cannot_be_written_as_mp3(capsys: pytest.CaptureFixture[str]) -> None:
    assert say.main(["好", "-o", "a.mp3", "--play"]) == 1
    assert "can be written as .wav only" in capsys.readouterr().err


class Pipe:
    """Standard input that the test writes to."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()

    def fileno(self) -> int:
        return self.read_end


async def test_standard_input_is_spoken_while_it_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, path = Pipe(), tmp_path / "out.wav"
    monkeypatch.setattr("sys.stdin", pipe)
    spoken = asyncio.Event()
    loop = asyncio.get_running_loop()
    write = sinks.WavSink.write

    async def noted(sink: sinks.WavSink, pcm: bytes) -> None:
        await write(sink, pcm)
        loop.call_soon_threadsafe(spoken.set)

    monkeypatch.setattr(sinks.WavSink, "write", noted)
    async with running() as server:
        os.write(pipe.write_end, "你好欢迎光临。再".encode())
        saying = asyncio.create_task(run(server, "-o", str(path)))
        await spoken.wait()  # although nobody has closed the input
        assert not saying.done()
        os.write(pipe.write_end, "见。".encode())
        os.close(pipe.write_end)
        assert await saying == 0


async def test_long_input_becomes_several_utterances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, path = Pipe(), tmp_path / "out.wav"
    monkeypatch.setattr("sys.stdin", pipe)
    os.write(pipe.write_end, ("今天天气很好。" * 10).encode())
    os.close(pipe.write_end)
    async with running(limits(chars_per_context=30)) as server:
        assert await run(server, "-o", str(path)) == 0
        assert server.engine.calls.count("encoder") >= 10


async def test_no_server_says_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    async with running() as server:
        pass
    assert await run(server, "你好", "-o", os.devnull) == 1
    assert "zhiyin serve" in capsys.readouterr().err


async def test_a_refusal_is_printed_and_leaves_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running() as server:
        assert await run(server, "你好", "-o", str(tmp_path / "a.wav"), "--voice", "nobody") == 1
    assert "unknown_voice: no voice 'nobody'; known: fake" in capsys.readouterr().err


async def test_without_a_player_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    async with running() as server:
        assert await run(server, "你好", "--play") == 1
    assert "pip install sounddevice" in capsys.readouterr().err


async def test_a_file_that_cannot_be_written_is_an_error_about_the_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with running() as server:
        assert await run(server, "你好", "-o", "/nonexistent/out.wav") == 1
    error = capsys.readouterr().err
    assert "cannot write /nonexistent/out.wav: No such file" in error


async def test_playing_hands_the_audio_to_the_player(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[bytes] = []

    class Player:
        async def write(self, pcm: bytes) -> None:
            played.append(pcm)

        async def close(self) -> None:
            played.append(b"closed")

        async def abort(self) -> None:
            raise AssertionError

    async def open_player(rate: int) -> Any:
        assert rate == 24000
        return Player()

    monkeypatch.setattr(say, "open_player", open_player)
    async with running() as server:
        assert await run(server, "你好。") == 0
    assert played[-1] == b"closed"
    assert len(played) > 1


async def test_an_empty_text_is_said_and_standard_input_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Pipe())  # nobody ever writes: reading it would not end
    async with running() as server:
        assert await run(server, "", "-o", str(tmp_path / "a.wav")) == 0
    assert frames_of(tmp_path / "a.wav") == (24000, 0)


async def test_without_text_and_standard_input_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", None)  # what Python makes of a closed descriptor
    async with running() as server:
        assert await run(server, "-o", os.devnull) == 1
    assert "no text, and standard input is closed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:99999/", "ws://127.0.0.1:port/", "http://127.0.0.1/", "here"]
)
def test_a_url_that_is_none_is_refused_in_one_line(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert say.main(["你好", "-o", os.devnull, "--url", url]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"zhiyin say: cannot talk to {url}: ")
    assert error.count("\n") == 1


async def test_a_server_that_stops_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(limits(drain_s=0)) as server:
        loop, started = asyncio.get_running_loop(), asyncio.Event()
        server.engine.before_call = lambda network: loop.call_soon_threadsafe(started.set) and None
        saying = asyncio.create_task(run(server, LONG_TEXT, "-o", str(tmp_path / "a.wav")))
        await started.wait()
        await server.native.close(0)
        assert await saying == 1
    assert "the connection ended: the server is shutting down" in capsys.readouterr().err


async def test_a_document_in_ssml_is_one_utterance(tmp_path: Path) -> None:
    async with running() as server:
        document = '<speak>你好。<break time="2s"/></speak>'
        assert await run(server, document, "--ssml", "-o", str(tmp_path / "ssml.wav")) == 0
        assert await run(server, "你好。", "-o", str(tmp_path / "plain.wav")) == 0
    with wave.open(str(tmp_path / "ssml.wav")) as ssml, wave.open(str(tmp_path / "plain.wav")) as plain:
        assert ssml.getnframes() == plain.getnframes() + 2 * ssml.getframerate()


async def test_a_document_that_is_none_is_an_error_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running() as server:
        assert await run(server, "<speak>你好", "--ssml", "-o", str(tmp_path / "out.wav")) == 1
    assert "SSML, line 1, column" in capsys.readouterr().err


async def test_a_reading_without_a_word_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    async with running() as server:
        with pytest.raises(SystemExit):
            await run(server, "好", "--read", "xing2")
    assert "allowed is WORD=READING" in capsys.readouterr().err
