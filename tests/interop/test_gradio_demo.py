"""`zhiyin demo` with the real Gradio, driven by gradio_client against the real server."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.python.client import Client
from clients.python.speech import SpeakOptions
from tests.interop.conftest import ENVIRONMENTS, ROOT, Report, RunClient, RunningServer

pytestmark = pytest.mark.timeout(180)

TEXT = "你好，世界。今天天气很好，我们去公园散步吧。Hello there."
START_S = 90
# Notes every address that Python code of the process looks up or connects to.
SPY = """
import os, sys

def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        address = arguments[1] if event == "socket.connect" else arguments
        with open(os.environ["SPY_FILE"], "a") as file:
            file.write(f"{address[0] if isinstance(address, tuple) else address}\\n")

sys.addaudithook(note)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(server: RunningServer, folder: Path) -> Iterator[int]:
    """Start the demo as its users do; yield its port."""
    command = ENVIRONMENTS / "gradio" / "bin" / "zhiyin"
    if not command.exists():
        pytest.skip("no environment for gradio: run `make interop`")
    (folder / "sitecustomize.py").write_text(SPY, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "SPY_FILE": str(folder / "addresses"),
        "GRADIO_TEMP_DIR": str(folder / "files"),
    }
    url = f"ws://127.0.0.1:{server.port}/v1/stream"
    log = folder / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [str(command), "demo", "--url", url, "--port", "0"],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment,
        ) as process,
    ):  # fmt: skip
        try:
            yield _port(process, log)
        finally:
            process.terminate()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"ready: http://127\.0\.0\.1:(\d+)", log.read_text(encoding="utf-8")):
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def report(run_client: RunClient, server: RunningServer, demo: int) -> Report:
    return run_client("gradio", "gradio_demo", str(server.port), TEXT, port=demo)


def native_aac(port: int) -> bytes:
    async def speak() -> bytes:
        async with Client(f"ws://127.0.0.1:{port}/v1/stream") as client:
            options = SpeakOptions(voice="shanquan", emotion="neutral", format="aac")
            return b"".join([chunk.pcm async for chunk in client.speak(TEXT, options)])

    return asyncio.run(speak())


def test_the_page_plays_the_native_bytes(report: Report, server: RunningServer) -> None:
    native = native_aac(server.port)
    assert base64.b64decode(report["segments"]) == native
    assert base64.b64decode(report["download"]) == native


def test_it_streams_in_segments_that_a_player_understands(report: Report) -> None:
    playlist = report["playlist"]
    assert playlist.startswith("#EXTM3U")
    assert playlist.rstrip().endswith("#EXT-X-ENDLIST")
    durations = [float(line[8:-1]) for line in playlist.splitlines() if line.startswith("#EXTINF:")]
    assert durations[0] == pytest.approx(1024 / 24000, abs=1e-6)
    assert max(durations) < 0.6
    assert len(durations) > 5
    assert report["lines"][0].endswith("speaking")


def test_the_last_line_tells_what_it_cost(report: Report) -> None:
    pattern = r"TTFC \d+ ms · audible TTFC \d+ ms · RTF [\d.]+ · underruns \d+ · [\d.]+ s of audio.*"
    assert re.fullmatch(pattern, report["lines"][-1])
    assert re.fullmatch(pattern, report["happy"])
    print(report["lines"][-1])


def test_speakers_and_emotions_are_those_of_the_voice(report: Report) -> None:
    voice, speaker, emotion, intensity, *_ = report["voices"]
    assert voice["value"] == "shanquan"
    assert speaker["value"] == "shanquan"
    assert [name for name, _ in emotion["choices"]] == ["neutral", "happy", "sad"]
    assert (intensity["minimum"], intensity["maximum"]) == (0, 2)


def test_a_refusal_is_shown(report: Report) -> None:
    assert "there is no text to speak" in report["refused"]


def test_stop_cancels_the_utterance_at_the_server(report: Report) -> None:
    assert report["stopped"]["streams"] >= 1
    assert report["stopped"]["after"] == 0
    assert report["stopped"]["took_s"] < 10


@pytest.mark.usefixtures("report")
def test_nobody_else_is_talked_to(report: Report, folder: Path) -> None:
    assert report["config"]["analytics_enabled"] is False
    assert report["external"] == []
    addresses = set((folder / "addresses").read_text(encoding="utf-8").split())
    local = {"127.0.0.1", "localhost", "0.0.0.0", "::1", "b'127.0.0.1'", "b'localhost'"}
    assert addresses
    assert addresses <= local, addresses - local
